"""What an instruction or an answer is judged by."""

from collections.abc import Callable, Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Draft:
    """A parsed instruction or answer, with what it is judged by."""

    text: str
    task: str
    report: str
    """The report's text."""
    instruction: str = ""
    """What an answer answers."""
    sections: Collection[str] | None = None
    """Names of the sections that the report has; None where nobody says."""


Test = Callable[[Draft], bool]
"""True if the draft is to be dropped."""
