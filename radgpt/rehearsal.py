"""Go through a teacher stage without asking, writing or logging anything, to tell what a run would take."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from radgpt import stages
from radgpt.config import Config, Teacher
from radgpt.instructions.pool_epochs import POOL_FOLDER
from radgpt.launch import arguments_of
from radgpt.run import Run
from radgpt.teacher.journal import JOURNAL_FILE


class Rehearsal(Run):
    """A run that leaves nothing behind."""

    @contextmanager
    def write(self, name: str) -> Iterator[Callable[[Any], None]]:
        """Take records and drop them."""
        yield lambda record: None


def wanted(config: Config, stage: stages.Stage) -> bool:
    """Whether `teacher.dry_run` is meant for this stage."""
    return config.teacher.dry_run and Teacher in stage.sections.values()


def rehearse(
    config: Config, stage: stages.Stage, reads: Mapping[str, Path], unfinished: Path | None, earlier: tuple[Path, ...] = ()
) -> None:
    """Go through the stage in a folder of its own, which is gone afterwards; an unfinished run lends what it would go on from.

    `earlier`: as in `Run`.

    Raises:
        DryRunEnd: with what it would take.
    """
    with TemporaryDirectory(prefix="radgpt-dry-run-") as folder:
        if unfinished is not None and (unfinished / JOURNAL_FILE).exists():
            (Path(folder) / JOURNAL_FILE).symlink_to((unfinished / JOURNAL_FILE).resolve())  # may be large, and is only read
        if unfinished is not None and (unfinished / POOL_FOLDER).exists():
            shutil.copytree(unfinished / POOL_FOLDER, Path(folder) / POOL_FOLDER)
        run = Rehearsal(directory=Path(folder), writes=stage.writes, earlier=earlier)
        stage.function(run, **arguments_of(config, stage, reads))
