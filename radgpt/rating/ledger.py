"""Keep what a person gives, click by click, in a file that outlives the moment."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from radgpt.append_only import append, is_whole, mend_tail, opened_alone
from radgpt.evaluation.judge.judgement import PREFERENCE
from radgpt.records import as_line, parse_lines

Key = tuple[str, ...]
"""What a rating is of; a later one of the same replaces it."""


@dataclass(frozen=True)
class Rating:
    """One click of a rater."""

    pair_id: str
    criterion: str
    """One of the rubric's, or PREFERENCE."""
    systems: list[str]
    """Who gave the answer that is graded, or preferred; none where no answer is preferred to the others."""
    score: int | None
    """None takes back what was given before; a preference has 1."""
    shown_sha256: str
    """Digest of the texts that were rated."""
    rubric_sha256: str
    rater: str
    decided: str
    """When, as ISO 8601 in UTC."""

    @property
    def key(self) -> Key:
        """What it is of."""
        return (self.pair_id, PREFERENCE) if self.criterion == PREFERENCE else (self.pair_id, self.criterion, *self.systems)


class Ledger:
    """One rater's file, open for appending, and which of its ratings stand."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.standing = standing(read_ratings(path))
        """What a rating is of, to the one that counts."""

    def append(self, rating: Rating) -> None:
        """Add a rating, on the disk before this returns."""
        append(self._descriptor, as_line(rating))
        self.standing.pop(rating.key, None)
        if rating.score is not None:
            self.standing[rating.key] = rating


@contextmanager
def open_ledger(path: Path) -> Iterator[Ledger]:
    """Open a rater's file, made where there is none, for this process alone; raises UserError where it cannot be used."""
    with opened_alone(path, f"ratings in {path}", "rating") as descriptor:
        ledger = Ledger(path, descriptor)
        mend_tail(descriptor)
        yield ledger


def read_ratings(path: Path) -> Iterator[Rating]:
    """Every rating in a file, in order; a last line that a killed server left half written is passed over, with a warning.

    Raises:
        UserError: a line is no rating; the message names the file and the line and never quotes it.
    """
    return parse_lines(path, whole_lines(path), Rating)


def whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(number from 1, line) of each line that is not blank."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n") and not is_whole(line):
                print(f"radgpt: {path}, line {number}: half written when a rating was killed; ignored", file=sys.stderr, flush=True)
                return
            if line.strip():
                yield number, line


def standing(ratings: Iterable[Rating]) -> dict[Key, Rating]:
    """What each rating is of, to the last one given and not taken back, the one made last at the end."""
    found: dict[Key, Rating] = {}
    for rating in ratings:
        found.pop(rating.key, None)
        if rating.score is not None:
            found[rating.key] = rating
    return found


def merged(paths: Iterable[Path]) -> bytes:
    """The lines of files that one rater began from each other, each once, in the order in which they were decided."""
    lines = dict.fromkeys(line.rstrip(b"\n") for path in paths for _, line in whole_lines(path))
    return b"".join(line + b"\n" for line in sorted(lines, key=lambda line: str(json.loads(line)["decided"])))
