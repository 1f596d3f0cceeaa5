"""Decide what a judge is shown: which questions, which answers at once, and in which orders."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from radgpt.config import Grading, Judge
from radgpt.errors import UserError
from radgpt.evaluation.judge.judgement import JudgedQuestion
from radgpt.evaluation.judge.prompts import LABELS
from radgpt.records import canonical_digest


@dataclass(frozen=True)
class Showing:
    """Answers to one question, shown in one order."""

    question: JudgedQuestion
    systems: tuple[tuple[str, ...], ...]
    """For each answer shown, in order, the systems that gave it; more than one only where an answer is shown alone."""
    repeat: int
    reverse: bool = False

    @property
    def texts(self) -> list[str]:
        """The answers, in order."""
        return [self.question.answers[systems[0]] for systems in self.systems]

    @property
    def id(self) -> str:
        """Names the request. Systems stay out of it: the same answer under another name is not paid for again."""
        return f"{self.question.id}#{self.repeat}{'r' if self.reverse else ''}"


def refuse_unfit(grading: Grading, systems: Sequence[str]) -> None:
    """Raise UserError where so many systems cannot be graded so."""
    if grading is Grading.single:
        return
    if len(systems) < 2:
        raise UserError(
            f"judge.grading={grading.value} compares the answers of several models, and here are {len(systems)}: set judge.grading=single, "
            "or name more in `models` and run stage=compare"
        )
    if grading is Grading.together and len(systems) > len(LABELS):
        raise UserError(
            f"judge.grading=together shows at most {len(LABELS)} answers at once, and here are {len(systems)} models: "
            "set judge.grading=single"
        )


def drawn(questions: Sequence[JudgedQuestion], limit: int | None, seed: int) -> list[JudgedQuestion]:
    """All questions, or so many of them, in their order; which ones depends on the seed and their ids alone."""
    if limit is None or limit >= len(questions):
        return list(questions)
    places = sorted(range(len(questions)), key=lambda place: canonical_digest(["judge.limit", seed, questions[place].id]))
    return [questions[place] for place in sorted(places[:limit])]


def showings_of(question: JudgedQuestion, judge: Judge, seed: int) -> Iterator[Showing]:
    """All that a judge is shown of a question. Equal answers are shown once where answers are shown alone."""
    systems = tuple(question.answers)
    for repeat in range(judge.repeats):
        order = random.Random(canonical_digest(["judge", seed, question.id, repeat]))
        if judge.grading is Grading.single:
            by_text: dict[str, list[str]] = {}
            for system, text in question.answers.items():
                by_text.setdefault(text, []).append(system)
            yield from (Showing(question, (tuple(given),), repeat) for given in by_text.values())
            continue
        groups = [systems] if judge.grading is Grading.together else [*combinations(systems, 2)]
        for group in groups:
            shown = tuple((system,) for system in order.sample(group, len(group)))
            yield Showing(question, shown, repeat)
            if judge.both_orders:
                yield Showing(question, shown[::-1], repeat, reverse=True)


def same_texts(showing: Showing, grading: Grading) -> bool:
    """Whether two answers are compared that are the same, so that nobody need be asked."""
    return grading is Grading.pairwise and len(set(showing.texts)) == 1
