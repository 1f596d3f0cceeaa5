"""Draw which questions a person rates, and show their answers in an order that tells nothing of who gave them."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from radgpt.records import ComparedAnswer, canonical_digest


@dataclass(frozen=True)
class BlindAnswer:
    """One answer as it is shown."""

    text: str
    systems: tuple[str, ...]
    """Who gave it; never shown. Several where they gave the same, which is then graded once for all of them."""


@dataclass(frozen=True)
class BlindQuestion:
    """One question as it is shown."""

    pair_id: str
    task: str
    messages: list[dict[str, str]]
    reference: str | None
    answers: tuple[BlindAnswer, ...]
    """In the order in which they are shown."""
    sha256: str
    """Digest of all texts, whatever their order: a rating of other texts under the same id says nothing of these."""


def drawn(rows: Iterable[ComparedAnswer], limit: int | None, seed: int) -> list[ComparedAnswer]:
    """So many questions (None: all), in an order drawn by seed: the same questions for every rater, so that they can be compared."""
    ordered = sorted(rows, key=lambda row: canonical_digest(["rate", seed, row.pair_id]))
    return ordered[:limit]


def blinded(row: ComparedAnswer, seed: int, rater: str) -> BlindQuestion:
    """A question with equal answers made one, in an order drawn by seed for each question and rater."""
    answers = grouped(row)
    random.Random(canonical_digest(["rate", seed, rater, row.pair_id])).shuffle(answers)
    return BlindQuestion(row.pair_id, row.task, row.messages, row.reference, tuple(answers), sha256_of(row))


def grouped(row: ComparedAnswer) -> list[BlindAnswer]:
    """The answers to a question, each with those who gave it."""
    by_text: dict[str, list[str]] = {}
    for system, text in row.answers.items():
        by_text.setdefault(text, []).append(system)
    return [BlindAnswer(text, tuple(systems)) for text, systems in by_text.items()]


def sha256_of(row: ComparedAnswer) -> str:
    """Digest of a question and its answers."""
    return canonical_digest([row.messages, row.answers])
