"""What a judge is shown and what it says: questions, grades, verdicts, and all that a reader needs to weigh them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

FIRST, SECOND, TIE = "first", "second", "tie"
"""Which of two answers a verdict prefers, by the order in which they were shown; TIE: neither."""

PREFERENCE = "preference"
"""The criterion of pairwise verdicts: the share of comparisons that a system won, a tie counting half."""


@dataclass(frozen=True)
class JudgedQuestion:
    """One question, and what each system answered."""

    id: str
    patient_id: str
    task: str
    messages: list[dict[str, str]]
    """The conversation up to the question, the report within it; the last message is the user's."""
    reference: str | None
    """The answer that is held for right; None where nobody gave one."""
    answers: Mapping[str, str]
    """Name of a system to its answer; every question has the same systems. Judges never see the names."""


@dataclass(frozen=True)
class Grade:
    """One score that a judge gave, or was asked for in vain. Holds no text."""

    id: str
    patient_id: str
    task: str
    system: str
    criterion: str
    score: int | None
    """None where the reply could not be used: missing, never 0."""
    repeat: int = 0
    """Which of `judge.repeats`, from 0."""
    reverse: bool = False
    """The answers stood in the reverse of their drawn order."""
    position: int = 0
    """Where the answer stood among those shown, from 0."""
    shown: int = 1
    """Answers shown together."""


@dataclass(frozen=True)
class Verdict:
    """Which of two answers a judge prefers. Holds no text."""

    id: str
    patient_id: str
    task: str
    first: str
    second: str
    """The systems, in the order in which their answers were shown."""
    winner: str | None
    """FIRST, SECOND or TIE; None where the reply could not be used."""
    repeat: int = 0
    reverse: bool = False
    asked: bool = True
    """False where the two answers are the same text: a tie that no judge is asked about."""


@dataclass(frozen=True)
class RowScore:
    """What the judge makes of one system's answer to one question, over repeats and orders. Holds no text."""

    id: str
    patient_id: str
    task: str
    system: str
    criterion: str
    """One of the rubric's, or PREFERENCE."""
    score: float | None
    """Mean of the scores that there are; None where there is none."""


@dataclass(frozen=True)
class Provenance:
    """Who judged, by which wording, and when."""

    judge: tuple[str, ...]
    """The model as its server names it; more than one where the server changed it between replies."""
    asked_model: str
    """The model as `judge.model` names it."""
    provider: str
    grading: str
    rubric: str
    rubric_sha256: str
    prompt_sha256: str
    """Digest of all wording that does not come from the rows: rubric and templates."""
    temperature: float
    seed: int
    date: str
    """When the judging ended, as ISO 8601 in UTC."""
    attestation_sha256: str | None = None
    """Digest of the attestation that it was asked under, if any."""


@dataclass(frozen=True)
class Cost:
    """What the replies took, those among them that an earlier attempt had paid for."""

    requests: int = 0
    asked_again: int = 0
    """Requests that ask once more, as the first reply could not be read."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    """At the prices in force when each was asked; 0 where no price is known."""


@dataclass(frozen=True)
class Judgement:
    """All that a judge said of some questions."""

    systems: tuple[str, ...]
    criteria: tuple[str, ...]
    """The rubric's, or PREFERENCE alone where answers were compared in pairs."""
    lowest: float
    highest: float
    """Ends of the scale of scores."""
    questions: int
    """Questions judged."""
    grades: list[Grade]
    verdicts: list[Verdict]
    replies: int
    """Grades or verdicts asked for: one reply each, of which `missing` could not be used."""
    missing: Counter[str]
    """Why a reply could not be used though it was asked for again where that may help, to how many: `unreadable`, `contradictory`, or an
    outcome of `Reply` such as `dropped: length`."""
    missing_of: Counter[str]
    """System to the replies that are missing and were about it."""
    cost: Cost
    provenance: Provenance

    @property
    def failed(self) -> int:
        """Replies that did not come; the same run, started again, asks for them again."""
        return sum(count for reason, count in self.missing.items() if reason.startswith("failed"))

    def scores(self) -> list[RowScore]:
        """One row for each question, system and criterion, in the order of the questions; for statistics and for files of scores."""
        rows: dict[tuple[str, str, str], tuple[str, str, list[float]]] = {}
        for id, patient, task, system, criterion, score in self._parts():
            _, _, given = rows.setdefault((id, system, criterion), (patient, task, []))
            if score is not None:
                given.append(score)
        return [
            RowScore(id, patient, task, system, criterion, sum(given) / len(given) if given else None)
            for (id, system, criterion), (patient, task, given) in rows.items()
        ]

    def _parts(self) -> Iterator[tuple[str, str, str, str, str, float | None]]:
        """(id, patient, task, system, criterion, score) of every grade, and of both sides of every verdict."""
        for grade in self.grades:
            yield grade.id, grade.patient_id, grade.task, grade.system, grade.criterion, grade.score
        for verdict in self.verdicts:
            for system in (verdict.first, verdict.second):
                yield verdict.id, verdict.patient_id, verdict.task, system, PREFERENCE, share_won(verdict, system)

    def as_mapping(self) -> dict[str, Any]:
        """Counts, cost and provenance as plain values, for a file of metrics."""
        return {
            "questions": self.questions,
            "replies": self.replies,
            "missing": dict(self.missing),
            "missing_of": {system: self.missing_of[system] for system in self.systems},
            "scale": [self.lowest, self.highest],
            "cost": asdict(self.cost),
            "provenance": asdict(self.provenance),
        }


def share_won(verdict: Verdict, system: str) -> float | None:
    """What a verdict gives one of its systems: 1 for a win, 0.5 for a tie, 0 for a loss, None where it is missing."""
    if verdict.winner is None:
        return None
    if verdict.winner == TIE:
        return 0.5
    return float((verdict.winner == FIRST) == (system == verdict.first))
