"""Append lines of JSON to a file of one process so that each one outlives the moment it was made in."""

import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from radgpt.artifacts import sync_folder
from radgpt.errors import UserError

TAIL = 1 << 16
"""Bytes read at once when the beginning of the last line is looked for."""


@contextmanager
def opened_alone(path: Path, setting: str, user: str) -> Iterator[int]:
    """Give the descriptor of a file, made where there is none, for this process alone. Before it is appended to, see `mend_tail`.

    Its text derives from reports, so a new file is its owner's alone; an old one obeys the umask, which credentialed runs set.

    Args:
        path: the file; folders above it are made.
        setting: what a user would type to name it, for messages.
        user: what else may have it open, such as `review`.

    Raises:
        UserError: it cannot be written, or another process has it open.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        raise UserError(f"{setting}: cannot write there ({error.strerror}); name a file that you may write to") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{setting}: another {user} has it open; end that one first, or name another file") from None
        close_as_umask_says(descriptor)
        sync_folder(path.parent)
        yield descriptor
    finally:
        os.close(descriptor)


def append(descriptor: int, line: bytes) -> None:
    """Add a line, on the disk before this returns."""
    while line:
        line = line[os.write(descriptor, line) :]
    os.fsync(descriptor)


def close_as_umask_says(descriptor: int) -> None:
    """Take the rights from a file that new files get none of, where others get none at all."""
    umask = os.umask(0o077)
    os.umask(umask)
    if umask & 0o077 == 0o077:
        os.fchmod(descriptor, stat.S_IMODE(os.fstat(descriptor).st_mode) & ~umask)


def mend_tail(descriptor: int) -> None:
    """Let the next line begin a line: end the last one if it is whole, else cut it off."""
    size = os.fstat(descriptor).st_size
    start, tail = size, b""
    while start > 0 and b"\n" not in tail:
        step = min(TAIL, start)
        start -= step
        tail = os.pread(descriptor, step, start) + tail
    last = tail[tail.rfind(b"\n") + 1 :]
    if not last:
        return
    if is_whole(last):
        os.write(descriptor, b"\n")
    else:
        os.ftruncate(descriptor, size - len(last))
    os.fsync(descriptor)


def is_whole(line: bytes) -> bool:
    """Whether a last line lacks nothing but its line end."""
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
