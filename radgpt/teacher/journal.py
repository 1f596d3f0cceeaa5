"""Keep every reply that was paid for, so that a run killed anywhere asks nothing twice."""

import errno
import fcntl
import json
import logging
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from radgpt.artifacts import sync_folder
from radgpt.errors import UserError

log = logging.getLogger(__name__)


class Journal:
    """An append-only JSONL file of rows with a `key`; one process at a time, later rows of a key replace earlier ones.

    Rows hold report-derived text: the file is readable by its owner only. In memory stand keys and offsets, no text.
    `put` and `sync` may be called from one thread while `get` is called from another.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file, and cut a line that a killed process left unfinished.

        Raises:
            UserError: another process has it open.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise UserError(f"{path} is in use by another process: wait for it, or end it, and run again") from None
        os.fchmod(self._file, 0o600)
        sync_folder(path.parent)
        self._offsets: dict[bytes, int] = {}
        self._end = 0
        self._unsynced = False
        with open(path, "rb") as rows:
            for number, line in enumerate(rows, start=1):
                if not line.endswith(b"\n"):
                    os.ftruncate(self._file, self._end)
                    break
                try:
                    self._offsets[bytes.fromhex(json.loads(line)["key"])] = self._end
                except (ValueError, KeyError, TypeError):
                    log.warning("%s, line %d is damaged; what it answered is asked again", path, number)
                self._end += len(line)
        # Opened only now, as its buffer must not hold a line that was cut.
        self._reader = open(path, "rb")  # noqa: SIM115

    def __len__(self) -> int:
        return len(self._offsets)

    def get(self, key: str) -> dict[str, Any] | None:
        """The last row put under this key (64 hexadecimal digits), if any."""
        offset = self._offsets.get(bytes.fromhex(key))
        if offset is None:
            return None
        self._reader.seek(offset)
        row: dict[str, Any] = json.loads(self._reader.readline())
        return row

    def put(self, key: str, row: dict[str, Any]) -> None:
        """Append a row in one write; it outlives the process at once, and a power cut after the next `sync`."""
        line = json.dumps({"key": key, **row}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        if os.write(self._file, line) < len(line):
            os.ftruncate(self._file, self._end)
            raise OSError(errno.ENOSPC, "the disk is full; free space and run again, nothing in the journal is lost")
        self._offsets[bytes.fromhex(key)] = self._end
        self._end += len(line)
        self._unsynced = True

    def sync(self) -> None:
        """Make the rows put so far outlive a power cut."""
        if self._unsynced:
            self._unsynced = False
            os.fsync(self._file)

    def close(self) -> None:
        """Sync, close and let another process in."""
        self.sync()
        self._reader.close()
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
