"""Keep what each epoch of reports added to the pool of examples, so that a run that goes on shows the same examples as before."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from radgpt.artifacts import write_records
from radgpt.instructions.tasks import Pool
from radgpt.records import read_records

POOL_FOLDER = "pool"
"""Where they are kept, in a run's folder."""


@dataclass(frozen=True)
class Accepted:
    """An instruction that passed the filters in its epoch. Derived from a report: as private as that."""

    generation_id: str
    task: str
    text: str


def keep_epoch(folder: Path, number: int, accepted: Iterable[Accepted]) -> None:
    """Keep what an epoch, counted from 0, accepted.

    What stands in the folder from an earlier attempt at the run outweighs it: a row that failed then may have succeeded now, and later
    prompts, by which replies are found in the journal, must stay as they were.
    """
    if not kept(folder, number):
        folder.mkdir(exist_ok=True)
        with write_records(_path(folder, number)) as write:
            for row in accepted:
                write(row)


def kept(folder: Path, number: int) -> bool:
    """Whether an epoch is known."""
    return _path(folder, number).exists()


def grow(folder: Path, number: int, pool: Pool) -> None:
    """Let the pool grow by what a kept epoch accepted."""
    for row in read_records(_path(folder, number), Accepted):
        pool.add(row.task, row.text)


def _path(folder: Path, number: int) -> Path:
    return folder / f"epoch-{number:05}.jsonl"
