"""Append decisions to their file so that each one outlives the moment it was made in."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from radgpt.artifacts import sync_folder
from radgpt.errors import UserError
from radgpt.records import Decision, as_line
from radgpt.review.decisions import is_whole, read_decisions

TAIL = 1 << 16
"""Bytes read at once when the beginning of the last line is looked for."""


class Ledger:
    """A file of decisions, open for appending, and which of them stand."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.standing = read_decisions(path)
        """Instruction id to the decision that counts, the one made last at the end."""

    def append(self, decision: Decision) -> None:
        """Add a decision, on the disk before this returns."""
        line = as_line(decision)
        while line:
            line = line[os.write(self._descriptor, line) :]
        os.fsync(self._descriptor)
        self.standing.pop(decision.instruction_id, None)
        if decision.decision != "withdraw":
            self.standing[decision.instruction_id] = decision


@contextmanager
def open_ledger(path: Path, setting: str) -> Iterator[Ledger]:
    """Open a file of decisions, made where there is none, for this process alone.

    Its text derives from reports, so a new file is its owner's alone; an old one obeys the umask, which credentialed runs set.

    Args:
        path: the file; folders above it are made.
        setting: what a user would type to name it, for messages.

    Raises:
        UserError: it cannot be written, is no file of decisions, or another review has it open.
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
            raise UserError(f"{setting}: another review has it open; end that one first, or name another file") from None
        close_as_umask_says(descriptor)
        # Read before it is mended, so that the warning of a torn line is given.
        ledger = Ledger(path, descriptor)
        mend_tail(descriptor)
        sync_folder(path.parent)
        yield ledger
    finally:
        os.close(descriptor)


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
