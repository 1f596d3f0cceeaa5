"""Hold the judged answers of a review: a few bytes each in memory, their texts in a file that vanishes with the process."""

import os
from array import array
from collections import Counter
from dataclasses import dataclass
from io import FileIO
from threading import Lock
from typing import Any

import numpy as np
import orjson

from radgpt.records import JudgedAnswer, as_line, conversation_of

STATES = ("undecided", "accept", "reject", "edit")
"""What has been decided of an answer; a column holds the place in this list."""
KEPT = ""
"""Stands for the reason of an answer that the filters keep."""


@dataclass(frozen=True)
class Columns:
    """What filters look at, for a stretch of answers; codes are places in STATES, `Answers.tasks` and `Answers.reasons`."""

    state: np.ndarray[Any, Any]
    task: np.ndarray[Any, Any]
    reason: np.ndarray[Any, Any]
    problems: np.ndarray[Any, Any]
    """Whether it has any."""


class Answers:
    """Judged answers by number, from 0 in the order of their file; one thread may append while others read."""

    def __init__(self, file: FileIO) -> None:
        """`file` is empty, unbuffered, and for nobody else."""
        self._file = file
        self._lock = Lock()
        self._ends = array("Q", [0])
        self._first_turns = array("I")
        self._conversation = ""
        self._state = array("B")
        self._task = array("B")
        self._reason = array("H")
        self._problems = array("B")
        self.tasks: dict[str, int] = {}
        self.reasons: dict[str, int] = {KEPT: 0}
        self.counts: Counter[tuple[str, str]] = Counter()
        """(column, value) to the answers that have it."""

    def __len__(self) -> int:
        return len(self._problems)

    def append(self, judged: JudgedAnswer, state: str) -> None:
        """Add the next answer; turns of a conversation follow each other."""
        line = as_line(judged)
        self._file.write(line)
        conversation, number = conversation_of(judged.instruction_id), len(self)
        reason = judged.reason or KEPT
        with self._lock:
            self._ends.append(self._ends[-1] + len(line))
            self._first_turns.append(self._first_turns[-1] if conversation == self._conversation else number)
            self._conversation = conversation
            self._state.append(STATES.index(state))
            self._task.append(self.tasks.setdefault(judged.task, len(self.tasks)))
            self._reason.append(self.reasons.setdefault(reason, len(self.reasons)))
            self.counts.update((("task", judged.task), ("reason", reason), ("state", state)))
            self.counts["problems", "yes"] += bool(judged.problems)
            # Last: its length is what readers go by.
            self._problems.append(bool(judged.problems))

    def read(self, number: int) -> JudgedAnswer:
        """The answer with this number; raises IndexError if there is none yet."""
        return JudgedAnswer(**self._row(number))

    def texts(self, number: int) -> tuple[str, str, str]:
        """Its instruction, answer and id; a third of the time that `read` takes, for searches."""
        row = self._row(number)
        return row["instruction"], row["answer"], row["instruction_id"]

    def _row(self, number: int) -> dict[str, Any]:
        if not 0 <= number < len(self):
            raise IndexError(number)
        start, end = self._ends[number], self._ends[number + 1]
        return orjson.loads(os.pread(self._file.fileno(), end - start, start))

    def conversation(self, number: int) -> range:
        """The numbers of the turns of an answer's conversation, as far as they are judged."""
        first, end = self._first_turns[number], number + 1
        while end < len(self) and self._first_turns[end] == first:
            end += 1
        return range(first, end)

    def state(self, number: int) -> str:
        """One of STATES."""
        return STATES[self._state[number]]

    def set_state(self, number: int, state: str) -> None:
        """Note what was decided."""
        with self._lock:
            self.counts["state", self.state(number)] -= 1
            self.counts["state", state] += 1
            self._state[number] = STATES.index(state)

    def columns(self, start: int) -> Columns:
        """Copies of the columns, from the answer `start` on."""
        with self._lock:
            state, task, reason, problems = (
                np.array(column[start : len(self)]) for column in (self._state, self._task, self._reason, self._problems)
            )
        return Columns(state, task, reason, problems)

    def undecided(self) -> np.ndarray[Any, Any]:
        """For each answer, whether nothing has been decided."""
        return self.columns(0).state == 0
