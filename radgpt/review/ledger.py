"""Append decisions to their file so that each one outlives the moment it was made in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from radgpt.append_only import append, mend_tail, opened_alone
from radgpt.records import Decision, as_line
from radgpt.review.decisions import read_decisions


class Ledger:
    """A file of decisions, open for appending, and which of them stand."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.standing = read_decisions(path)
        """Instruction id to the decision that counts, the one made last at the end."""

    def append(self, decision: Decision) -> None:
        """Add a decision, on the disk before this returns."""
        append(self._descriptor, as_line(decision))
        self.standing.pop(decision.instruction_id, None)
        if decision.decision != "withdraw":
            self.standing[decision.instruction_id] = decision


@contextmanager
def open_ledger(path: Path, setting: str) -> Iterator[Ledger]:
    """Open a file of decisions, made where there is none, for this process alone.

    Args:
        path: the file; folders above it are made.
        setting: what a user would type to name it, for messages.

    Raises:
        UserError: it cannot be written, is no file of decisions, or another review has it open.
    """
    with opened_alone(path, setting, "review") as descriptor:
        # Read before it is mended, so that the warning of a torn line is given.
        ledger = Ledger(path, descriptor)
        mend_tail(descriptor)
        yield ledger
