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


def end_epoch(folder: Path, number: int, accepted: Iterable[Accepted], pool: Pool) -> None:
    """Let the pool grow by what an epoch, counted from 0, accepted.

    What stands in the folder from an earlier attempt at the run outweighs what this one accepted: a row that failed then may have
    succeeded now, and later prompts, by which replies are found in the journal, must stay as they were.
    """
    path = folder / f"epoch-{number:05}.jsonl"
    if not path.exists():
        folder.mkdir(exist_ok=True)
        with write_records(path) as write:
            for row in accepted:
                write(row)
    for row in read_records(path, Accepted):
        pool.add(row.task, row.text)
