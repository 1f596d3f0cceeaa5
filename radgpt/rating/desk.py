"""What a rater can do: look at questions, grade answers, prefer one, take back; whatever carries it to the page."""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from radgpt.evaluation.judge.judgement import PREFERENCE
from radgpt.evaluation.judge.rubric import Rubric
from radgpt.pages.local_server import NoSuchThingError, RefusedDecisionError
from radgpt.rating.blinding import BlindQuestion
from radgpt.rating.ledger import Key, Ledger, Rating

STEPS_KEPT = 1_000
"""Clicks that can be taken back."""
NONE_PREFERRED = -1
"""The place that stands for no answer being better than the others."""


class Desk:
    """One rater's session. Called from one thread. Who gave an answer never leaves it."""

    def __init__(
        self, questions: Sequence[BlindQuestion], rubric: Rubric, ledger: Ledger, rater: str, kept: Callable[[], None] = lambda: None
    ) -> None:
        """`kept` is called after each click that is on the disk."""
        self._questions = questions
        self._rubric = rubric
        self._ledger = ledger
        self._rater = rater
        self._kept = kept
        self._steps: deque[tuple[int, Key, Rating | None]] = deque(maxlen=STEPS_KEPT)
        self._complete = [self._is_complete(number) for number in range(len(questions))]

    def status(self) -> dict[str, Any]:
        """How far rating has come."""
        return {
            "questions": len(self._questions),
            "complete": sum(self._complete),
            "done": self._complete,
            "undoable": len(self._steps),
            "file": str(self._ledger.path),
            "rater": self._rater,
        }

    def rubric(self) -> dict[str, Any]:
        """What answers are graded by."""
        criteria = [{"name": one.name, "asks": one.asks, "levels": list(one.levels.items())} for one in self._rubric.criteria]
        return {"criteria": criteria, "preference": self._rubric.preference}

    def start(self) -> int:
        """Where to begin: at the first question that is not complete after the one rated last."""
        last = next(reversed(self._ledger.standing.values()), None)
        places = {question.pair_id: number for number, question in enumerate(self._questions)}
        after = places.get(last.pair_id, -1) if last else -1
        if after >= 0 and not self._complete[after]:
            return after
        return self.next_open(after)

    def next_open(self, after: int) -> int:
        """The first question after this one that is not complete, else the first before it, else the last of all."""
        count = len(self._questions)
        order = [(after + step) % count for step in range(1, count + 1)]
        return next((number for number in order if not self._complete[number]), count - 1)

    def question(self, number: int) -> dict[str, Any]:
        """A question with its answers and what was given for them; raises NoSuchThingError."""
        question = self._question(number)
        return {
            "number": number,
            "id": question.pair_id,
            "task": question.task,
            "messages": question.messages,
            "reference": question.reference,
            "answers": [
                {"text": answer.text, "scores": {name: self._score(number, place, name) for name in self._rubric.names}}
                for place, answer in enumerate(question.answers)
            ],
            "preferred": self._preferred(number),
            "complete": self._complete[number],
            "next": self.next_open(number),
            "sha256": question.sha256,
        }

    def grade(self, number: int, seen_sha256: str, place: int, criterion: str, score: int | None) -> None:
        """Give an answer a score, or take it back.

        Raises:
            NoSuchThingError: there is no such question, answer or criterion.
            RefusedDecisionError: the score is not on the scale, or other texts were seen.
        """
        question = self._seen(number, seen_sha256)
        if not 0 <= place < len(question.answers) or criterion not in self._rubric.names:
            raise NoSuchThingError("answer")
        if score is not None and not self._rubric.lowest <= score <= self._rubric.highest:
            raise RefusedDecisionError(f"Scores are whole numbers from {self._rubric.lowest} to {self._rubric.highest}.")
        self._decide(number, criterion, question.answers[place].systems, score)

    def prefer(self, number: int, seen_sha256: str, place: int | None) -> None:
        """Say which answer is the best; NONE_PREFERRED: none is, None: take it back. Raises as `grade` does."""
        question = self._seen(number, seen_sha256)
        if place not in (None, NONE_PREFERRED, *range(len(question.answers))) or len(question.answers) < 2:
            raise NoSuchThingError("answer")
        systems = () if place is None or place == NONE_PREFERRED else question.answers[place].systems
        self._decide(number, PREFERENCE, systems, None if place is None else 1)

    def undo(self) -> int | None:
        """Take the last click of this session back; gives the number of its question, None where there is nothing left to take back."""
        if not self._steps:
            return None
        number, key, before = self._steps.pop()
        if before is not None:
            self._keep(number, before.criterion, tuple(before.systems), before.score)
        elif key in self._ledger.standing:
            given = self._ledger.standing[key]
            self._keep(number, given.criterion, tuple(given.systems), None)
        return number

    def _decide(self, number: int, criterion: str, systems: tuple[str, ...], score: int | None) -> None:
        question = self._questions[number]
        key: Key = (question.pair_id, PREFERENCE) if criterion == PREFERENCE else (question.pair_id, criterion, *systems)
        before = self._given(question, key)
        if (None if before is None else (tuple(before.systems), before.score)) == (None if score is None else (systems, score)):
            return
        self._steps.append((number, key, before))
        self._keep(number, criterion, systems, score)

    def _keep(self, number: int, criterion: str, systems: tuple[str, ...], score: int | None) -> None:
        question = self._questions[number]
        decided = datetime.now(UTC).isoformat(timespec="milliseconds")
        made = Rating(question.pair_id, criterion, [*systems], score, question.sha256, self._rubric.sha256, self._rater, decided)
        self._ledger.append(made)
        self._complete[number] = self._is_complete(number)
        self._kept()

    def _question(self, number: int) -> BlindQuestion:
        if not 0 <= number < len(self._questions):
            raise NoSuchThingError("question")
        return self._questions[number]

    def _seen(self, number: int, seen_sha256: str) -> BlindQuestion:
        question = self._question(number)
        if seen_sha256 != question.sha256:
            raise RefusedDecisionError("The texts have changed since they were shown; reload the page.")
        return question

    def _given(self, question: BlindQuestion, key: Key) -> Rating | None:
        """What stands, if it was given to these texts by this rubric."""
        rating = self._ledger.standing.get(key)
        same = rating is not None and (rating.shown_sha256, rating.rubric_sha256) == (question.sha256, self._rubric.sha256)
        return rating if same else None

    def _score(self, number: int, place: int, criterion: str) -> int | None:
        question = self._questions[number]
        rating = self._given(question, (question.pair_id, criterion, *question.answers[place].systems))
        return rating.score if rating else None

    def _preferred(self, number: int) -> int | None:
        question = self._questions[number]
        rating = self._given(question, (question.pair_id, PREFERENCE))
        if rating is None:
            return None
        places = {answer.systems: place for place, answer in enumerate(question.answers)}
        return places.get(tuple(rating.systems), NONE_PREFERRED)

    def _is_complete(self, number: int) -> bool:
        question = self._questions[number]
        graded = all(self._score(number, place, name) is not None for place in range(len(question.answers)) for name in self._rubric.names)
        return graded and (len(question.answers) < 2 or self._preferred(number) is not None)
