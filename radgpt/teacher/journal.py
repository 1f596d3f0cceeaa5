"""Keep every reply that was paid for, so that a run killed anywhere asks nothing twice."""

import errno
import fcntl
import json
import logging
import os
import re
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from radgpt.artifacts import sync_folder
from radgpt.errors import UserError
from radgpt.teacher.budget import Spent
from radgpt.teacher.key_index import KeyIndex

log = logging.getLogger(__name__)

JOURNAL_FILE = "journal.jsonl"
"""The journal of a teacher stage, in its run's folder."""

KEY = re.compile(r"[0-9a-f]{64}")

PIECE = 4096
"""Bytes that are read at once when a row is looked up; most rows are shorter."""

NAMED_LINES = 5
"""Damaged lines that a warning names one by one."""


class Rows:
    """Look up the rows of a journal's file by their keys. In memory stand parts of keys and offsets, no text."""

    def __init__(self, path: Path, file: int) -> None:
        """`file` is the descriptor of the open file, which `close` closes."""
        self.path = path
        """The file."""
        self._file = file
        self._index = KeyIndex()

    def __len__(self) -> int:
        return len(self._index)

    def get(self, key: str) -> dict[str, Any] | None:
        """The last row put under this key (64 hexadecimal digits), if any."""
        found = self._find(key)
        return found[1] if found else None

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _find(self, key: str) -> tuple[int, dict[str, Any]] | None:
        """Offset and row of a key."""
        for offset in self._index.places(bytes.fromhex(key)):
            row = decoded(self._line(offset))
            if row is not None and row["key"] == key:
                return offset, row
        return None

    def _line(self, offset: int) -> bytes:
        """The line at an offset; read apart from any buffer, which could hold a row's beginning only."""
        pieces: list[bytes] = []
        while piece := os.pread(self._file, PIECE, offset + PIECE * len(pieces)):
            pieces.append(piece)
            if b"\n" in piece:
                break
        return b"".join(pieces).partition(b"\n")[0]

    def _point(self, key: str, offset: int) -> None:
        """Index a row; one of the same key before it is found no longer."""
        earlier = self._find(key)
        self._index.set(bytes.fromhex(key), offset, earlier[0] if earlier else None)


class EarlierJournal(Rows):
    """The journal of another run, which may be going on: it is read as far as it stood when it was opened."""

    def __init__(self, path: Path) -> None:
        """Index what stands in the file; damaged lines, and one that is not whole, hold nothing to be found."""
        super().__init__(path, os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        offset = 0
        with open(path, "rb") as lines:
            for line in lines:
                if line.endswith(b"\n") and (row := decoded(line)) is not None:
                    self._point(row["key"], offset)
                offset += len(line)


class Journal(Rows):
    """An append-only JSONL file of rows with a `key`; one process at a time, later rows of a key replace earlier ones.

    Rows hold report-derived text: the file is readable by its owner only. `put` and `sync` may be called from one thread while `get` is
    called from another.
    """

    def __init__(self, path: Path, earlier: Iterable[Path] = ()) -> None:
        """Open or create the file, and cut a line that a killed process left unfinished.

        `earlier` are journals of other runs, in which `get` looks for what this one does not hold: the same request is not paid for again.

        Raises:
            UserError: another process has it open, or its file system has no locks.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
        self._earlier: list[EarlierJournal] = []
        try:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"{path} is in use by another process: wait for it, or end it, and run again") from None
            except OSError as error:
                raise UserError(f"{path}: its file system has no locks ({error.strerror}); set outputs=FOLDER to one that has") from None
            os.fchmod(self._file, 0o600)
            sync_folder(path.parent)
            self._end = 0
            self._unsynced = False
            self.spent = Spent()
            """What the rows say that their replies took, replaced rows among them: those were paid for too."""
            self._read()
            for file in earlier:
                self._earlier.append(EarlierJournal(file))
        except BaseException:
            self._close_all()
            raise

    def _read(self) -> None:
        """Index what stands in the file."""
        damaged = []
        with open(self.path, "rb") as rows:
            for number, line in enumerate(rows, start=1):
                if not line.endswith(b"\n"):
                    os.ftruncate(self._file, self._end)
                    break
                row = decoded(line)
                if row is None:
                    damaged.append(number)
                else:
                    self._point(row["key"], self._end)
                    self._count(row)
                self._end += len(line)
        if damaged:
            named = ", ".join(map(str, damaged[:NAMED_LINES]))
            more = f" and {len(damaged) - NAMED_LINES} more" if len(damaged) > NAMED_LINES else ""
            lines = f"line {named} is" if len(damaged) == 1 else f"lines {named}{more} are"
            log.warning("%s, %s damaged; what they answered is asked again", self.path, lines)

    def get(self, key: str) -> dict[str, Any] | None:
        """The last row put under this key (64 hexadecimal digits), or else that of the first earlier journal that holds one."""
        return super().get(key) or next(filter(None, (journal.get(key) for journal in self._earlier)), None)

    def put(self, key: str, row: dict[str, Any]) -> None:
        """Append a row in one write; it outlives the process at once, and a power cut after the next `sync`.

        Raises:
            OSError: the disk is full (or the user's share of it); the file stays whole.
        """
        line = encoded({"key": key, **row})
        try:
            short = os.write(self._file, line) < len(line)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            short = True
        if short:
            os.ftruncate(self._file, self._end)
            raise OSError(errno.ENOSPC, "the disk is full", str(self.path))
        offset, self._end = self._end, self._end + len(line)
        self._unsynced = True
        self._point(key, offset)
        self._count(row)

    def sync(self) -> None:
        """Make the rows put so far outlive a power cut."""
        if self._unsynced:
            self._unsynced = False
            os.fsync(self._file)

    def close(self) -> None:
        """Sync, close and let another process in."""
        try:
            self.sync()
        finally:
            self._close_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _close_all(self) -> None:
        for journal in self._earlier:
            journal.close()
        super().close()

    def _count(self, row: dict[str, Any]) -> None:
        self.spent.requests += 1
        self.spent.tokens += int(row.get("prompt_tokens") or 0) + int(row.get("completion_tokens") or 0)
        self.spent.usd += float(row.get("usd") or 0.0)


def journals_in(folders: Iterable[Path]) -> list[Path]:
    """The journals of runs that have one which may be read."""
    return [file for folder in folders if os.access(file := folder / JOURNAL_FILE, os.R_OK)]


def encoded(row: dict[str, Any]) -> bytes:
    """A row as its line of the file."""
    try:
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # lone surrogates, which orjson refuses, as ids from damaged sources may hold
        return json.dumps(row, separators=(",", ":")).encode() + b"\n"


def decoded(line: bytes) -> dict[str, Any] | None:
    """The row of a line; None if the line is damaged."""
    try:
        row = orjson.loads(line)
    except ValueError:
        try:
            row = json.loads(line)  # reads the lone surrogates that `encoded` may have written
        except ValueError:
            return None
    if not isinstance(row, dict) or not KEY.fullmatch(str(row.get("key"))):
        return None
    try:
        [float(row.get(name) or 0) for name in ("prompt_tokens", "completion_tokens", "usd")]
    except (TypeError, ValueError):
        return None
    return row
