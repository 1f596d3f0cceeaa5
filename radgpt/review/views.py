"""Choose the answers that a reviewer looks at; what is once in a view stays there, whatever is decided of it."""

from array import array
from dataclasses import dataclass
from threading import Lock

import numpy as np

from radgpt.review.answers import KEPT, STATES, Answers

ANY = "any"
DECIDED = "decided"
DROPPED = "dropped"
KEPT_ONES = "kept"


@dataclass(frozen=True)
class Filters:
    """What a reviewer wants to see."""

    state: str = ANY
    """`any`, `decided`, or one of STATES."""
    outcome: str = ANY
    """What the filters said: `any`, `kept`, `dropped`, or `dropped:<reason>`."""
    task: str = ANY
    problems: bool = False
    """Only answers with problems."""
    search: str = ""
    """A text that instruction, answer or id contains, in upper or lower case."""


class View:
    """The numbers of the answers that filters let through, in order; it grows while answers are judged."""

    def __init__(self, answers: Answers, filters: Filters) -> None:
        self._answers = answers
        self._filters = filters
        self._seen = 0
        self._lock = Lock()
        self.numbers = array("I")

    def extend(self) -> None:
        """Take in what has been judged since."""
        with self._lock:
            columns, filters = self._answers.columns(self._seen), self._filters
            through = np.ones(len(columns.state), dtype=bool)
            if filters.state == DECIDED:
                through &= columns.state != 0
            elif filters.state in STATES:
                through &= columns.state == STATES.index(filters.state)
            if filters.outcome == DROPPED:
                through &= columns.reason != self._answers.reasons[KEPT]
            elif filters.outcome != ANY:
                reason = KEPT if filters.outcome == KEPT_ONES else filters.outcome.removeprefix(f"{DROPPED}:")
                through &= columns.reason == self._answers.reasons.get(reason, -1)
            if filters.task != ANY:
                through &= columns.task == self._answers.tasks.get(filters.task, -1)
            if filters.problems:
                through &= columns.problems != 0
            found = (np.flatnonzero(through) + self._seen).tolist()
            if filters.search:
                wanted = filters.search.casefold()
                found = [number for number in found if self._contains(number, wanted)]
            self.numbers.extend(found)
            self._seen += len(columns.state)

    def next_undecided(self, position: int) -> int | None:
        """The place in this view of the first undecided answer after `position`, else of the first one before it."""
        open_ones = np.flatnonzero(self._answers.undecided()[np.array(self.numbers, dtype=np.int64)])
        if not open_ones.size:
            return None
        later = int(np.searchsorted(open_ones, position, side="right"))
        return int(open_ones[later % open_ones.size])

    def place_of(self, number: int) -> int:
        """Where an answer stands in this view, or would stand."""
        return int(np.searchsorted(np.array(self.numbers, dtype=np.int64), number))

    def _contains(self, number: int, wanted: str) -> bool:
        return any(wanted in text.casefold() for text in self._answers.texts(number))
