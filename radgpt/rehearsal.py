"""Go through a stage in a folder that is gone afterwards, without asking, training or logging anything, to tell what a run would take."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from radgpt import stages
from radgpt.config import Config
from radgpt.inference.backend import NamedModel
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


@contextmanager
def rehearsing(
    config: Config,
    stage: stages.Stage,
    unfinished: Path | None = None,
    earlier: tuple[Path, ...] = (),
    world_size: int = 1,
    models: Mapping[str, NamedModel] | None = None,
) -> Iterator[Rehearsal]:
    """A dry run in a folder of its own, into which an unfinished run lends what it would go on from.

    `earlier`, `world_size` and `models`: as in `Run`.
    """
    with TemporaryDirectory(prefix="radgpt-dry-run-") as folder:
        for journal in unfinished.glob(f"*{JOURNAL_FILE}") if unfinished is not None else ():
            (Path(folder) / journal.name).symlink_to(journal.resolve())  # may be large, and is only read
        if unfinished is not None and (unfinished / POOL_FOLDER).exists():
            shutil.copytree(unfinished / POOL_FOLDER, Path(folder) / POOL_FOLDER)
        yield Rehearsal(
            directory=Path(folder),
            writes=stage.writes,
            cache=Path(config.cache).expanduser(),
            earlier=earlier,
            models=models or {},
            governance=config.data.governance,
            dry_run=True,
            world_size=world_size,
        )


def rehearse(run: Rehearsal, config: Config, stage: stages.Stage, reads: Mapping[str, Path]) -> None:
    """Call the stage's function.

    Raises:
        DryRunEnd: with what a teacher would be asked; a training stage prints what it would take, and returns.
    """
    stage.function(run, **arguments_of(config, stage, reads))
