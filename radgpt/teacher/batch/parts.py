"""Keep on this machine what batches were made of and how far each got, so that nothing is submitted twice."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from radgpt.artifacts import count_rows, sync_folder
from radgpt.errors import UserError

FOLDER = "batches"
"""The folder of parts, beside the journal of the pass."""
STATE = "state.jsonl"


@dataclass(frozen=True)
class Part:
    """The requests of one batch, in a file here, and how far they got."""

    number: int
    rows: int
    attempt: int
    """The how-manieth time its rows are asked, from 1."""
    begun: float | None = None
    """When its upload began, in seconds since 1970: from then on the provider may hold it."""
    file: str | None = None
    """The provider's id of the uploaded file."""
    batch: str | None = None
    """The provider's id of the batch."""
    ended: bool = False
    """All its rows have an outcome, or stand in later parts."""


@dataclass(frozen=True)
class Row:
    """One request of a part, and what the journal will say of it."""

    key: str
    body: dict[str, Any]
    told: dict[str, Any]
    """Fields of the journal's row that are known when it is asked, such as `generation_id`."""
    tokens: float
    """Estimate of its prompt's."""
    max_tokens: int
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    """What earlier attempts took."""


@dataclass(frozen=True)
class Limits:
    """What the provider takes in one file."""

    rows: int
    bytes: int


class Parts:
    """The parts of one teacher pass: a folder with their files and an append-only list of what became of them."""

    def __init__(self, folder: Path, url: str, limits: Limits) -> None:
        """`url` is the path that each request names. The caller makes sure that no other process has the folder open."""
        self.folder = folder
        self._url = url
        self._limits = limits
        self._known: dict[int, Part] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._state = folder / STATE
        if self._state.exists():
            self._read()

    def _read(self) -> None:
        content = self._state.read_bytes()
        whole = content.rpartition(b"\n")[0]
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                parts = [Part(**part) for part in orjson.loads(line)]
            except (ValueError, TypeError):
                # Skipping it could submit, and pay, what it tells of once more.
                raise self._damaged(f"{self._state}, line {number}") from None
            self._known |= {part.number: part for part in parts}
        for part in self.open():
            for path in (self.requests(part), self._rows(part)):
                if not path.exists() or count_rows(path) != part.rows:
                    raise self._damaged(str(path))
        if len(whole) + 1 < len(content):
            os.truncate(self._state, len(whole) + 1 if whole else 0)

    def _damaged(self, what: str) -> UserError:
        """The line about a file that is not as it was written."""
        return UserError(
            f"{what} is damaged: see on the provider's page whether batches of this run are under way; "
            f"to submit all that is not in the journal again, delete {self.folder}"
        )

    def open(self) -> list[Part]:
        """Parts that have not ended, in order."""
        return [part for part in self._known.values() if not part.ended]

    def commit(self, *parts: Part) -> None:
        """Make what became of these parts outlive a power cut: all of it or none."""
        with open(self._state, "ab") as file:
            file.write(orjson.dumps([asdict(part) for part in parts], option=orjson.OPT_APPEND_NEWLINE))
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self.folder)
        self._known |= {part.number: part for part in parts}
        for part in parts:
            if part.ended:
                self.requests(part).unlink(missing_ok=True)
                self._rows(part).unlink(missing_ok=True)

    def change(self, part: Part, **changes: Any) -> Part:
        """Commit a part with some fields changed, and give it."""
        changed = replace(part, **changes)
        self.commit(changed)
        return changed

    def write(self, rows: Iterable[Row], attempt: int, *, most: int | None = None) -> Iterator[Part]:
        """Write rows into parts of at most `most` rows within the provider's limits; they count only once committed."""
        waiting = iter(rows)
        row = next(waiting, None)
        number = max(self._known, default=0)
        while row is not None:
            number += 1
            part = Part(number, 0, attempt)
            size = 0
            with open(self.requests(part), "wb") as requests, open(self._rows(part), "wb") as kept:
                while row is not None and part.rows < min(self._limits.rows, most or self._limits.rows):
                    line = self._line(row)
                    if part.rows and size + len(line) > self._limits.bytes:
                        break
                    requests.write(line)
                    kept.write(orjson.dumps(asdict(row), option=orjson.OPT_APPEND_NEWLINE))
                    size += len(line)
                    part = replace(part, rows=part.rows + 1)
                    row = next(waiting, None)
                for file in (requests, kept):
                    file.flush()
                    os.fsync(file.fileno())
            yield part

    def rows(self, part: Part) -> Iterator[Row]:
        """The rows of a part that has not ended."""
        with open(self._rows(part), "rb") as lines:
            for line in lines:
                yield Row(**orjson.loads(line))

    @contextmanager
    def looked_up(self, part: Part) -> Iterator["RowsByKey"]:
        """The rows of a part by key."""
        with open(self._rows(part), "rb") as lines:
            yield RowsByKey(lines)

    def requests(self, part: Part) -> Path:
        """The file that is uploaded."""
        return self.folder / f"requests-{part.number:05d}.jsonl"

    def _rows(self, part: Part) -> Path:
        return self.folder / f"rows-{part.number:05d}.jsonl"

    def _line(self, row: Row) -> bytes:
        request = {"custom_id": row.key, "method": "POST", "url": self._url, "body": row.body}
        return orjson.dumps(request, option=orjson.OPT_APPEND_NEWLINE)


class RowsByKey:
    """Rows of an open file, of which only their places are in memory; a row is taken out once."""

    def __init__(self, lines: BinaryIO) -> None:
        self._lines = lines
        self._places: dict[str, int] = {}
        place = 0
        for line in lines:
            self._places[orjson.loads(line)["key"]] = place
            place += len(line)

    def take(self, key: str) -> Row | None:
        """The row with this key, unless it was taken already or there is none."""
        place = self._places.pop(key, None)
        if place is None:
            return None
        self._lines.seek(place)
        return Row(**orjson.loads(self._lines.readline()))

    def rest(self) -> Iterator[Row]:
        """The rows that were not taken."""
        for key in list(self._places):
            if (row := self.take(key)) is not None:
                yield row


def refuse_live(journal: Path) -> None:
    """Refuse to ask call by call what a batch beside this journal was asked already; raises UserError."""
    state = journal.parent / FOLDER / STATE
    if state.exists() and any(part.begun for part in Parts(state.parent, "", Limits(0, 0)).open()):
        raise UserError(
            f"batches of this run are under way: set teacher.mode=batch to fetch their replies; to ask all of it again instead, and pay "
            f"twice, delete {state.parent}"
        )
