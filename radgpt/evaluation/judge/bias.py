"""Measure how much a judge goes by the place in which it is shown an answer, not by the answer."""

from collections.abc import Iterable
from dataclasses import dataclass

from radgpt.evaluation.judge.judgement import FIRST, TIE, Grade, Judgement, Verdict, share_won
from radgpt.evaluation.resampling import Resampling
from radgpt.evaluation.statistics import Estimate, estimate


@dataclass(frozen=True)
class PositionBias:
    """What the place of an answer does; all None where answers are shown alone, or in one order only where two are needed."""

    by_position: list[Estimate] | None
    """Mean score of the answers shown first, second, …, over all systems and criteria. Orders are drawn, so without bias all are alike."""
    earlier_minus_later: Estimate | None
    """Score of an answer where it stood nearer to the beginning minus its score in the reverse order; 0 without bias."""
    first_preferred: Estimate | None
    """Share of pairwise verdicts that prefer the answer shown first, a tie counting half; 0.5 without bias."""
    flips: Estimate | None
    """Share of comparisons, asked in both orders, in which another answer wins where the order is reversed; 0 without bias, though a
    judge that draws its replies flips now and then by chance."""


def position_bias(judgement: Judgement, resampling: Resampling) -> PositionBias:
    """The figures, each with an interval by patient (Wang et al. 2024, https://arxiv.org/abs/2305.17926, and Zheng et al. 2023,
    https://arxiv.org/abs/2306.05685, describe the bias)."""
    shown = [grade for grade in judgement.grades if grade.shown > 1]
    verdicts = [verdict for verdict in judgement.verdicts if verdict.asked]
    moved = earlier_minus_later(shown)
    turned = flips(verdicts)
    return PositionBias(
        by_position=by_position(shown, resampling) if shown else None,
        earlier_minus_later=of_rows(moved, resampling) if moved else None,
        first_preferred=of_rows(((share_won(one, one.first), one.patient_id) for one in verdicts), resampling) if verdicts else None,
        flips=of_rows(turned, resampling) if turned else None,
    )


def by_position(grades: list[Grade], resampling: Resampling) -> list[Estimate]:
    """Mean score at each position."""
    positions = range(max(grade.shown for grade in grades))
    return [of_rows(((one.score, one.patient_id) for one in grades if one.position == position), resampling) for position in positions]


def earlier_minus_later(grades: list[Grade]) -> list[tuple[float | None, str]]:
    """(difference, patient) of every answer graded in both orders of which neither puts it in the middle; None where a score is missing."""
    both: dict[tuple[str, str, str, int], dict[bool, Grade]] = {}
    for grade in grades:
        both.setdefault((grade.id, grade.system, grade.criterion, grade.repeat), {})[grade.reverse] = grade
    found = []
    for orders in both.values():
        if len(orders) == 2 and orders[False].position != orders[True].position:
            earlier, later = sorted(orders.values(), key=lambda grade: grade.position)
            known = earlier.score is not None and later.score is not None
            found.append((float(earlier.score - later.score) if known else None, earlier.patient_id))  # type: ignore[operator]
    return found


def flips(verdicts: list[Verdict]) -> list[tuple[float | None, str]]:
    """(1 where the winner changes with the order, else 0; patient) of every comparison asked in both; None where a verdict is missing."""
    both: dict[tuple[str, frozenset[str], int], list[Verdict]] = {}
    for verdict in verdicts:
        both.setdefault((verdict.id, frozenset((verdict.first, verdict.second)), verdict.repeat), []).append(verdict)
    found = []
    for orders in both.values():
        if len(orders) == 2:
            known = all(verdict.winner is not None for verdict in orders)
            one, other = map(winner, orders)
            found.append((float(one != other) if known else None, orders[0].patient_id))
    return found


def winner(verdict: Verdict) -> str:
    """The system that a verdict prefers, or TIE."""
    if verdict.winner in (TIE, None):
        return TIE
    return verdict.first if verdict.winner == FIRST else verdict.second


def of_rows(rows: Iterable[tuple[float | None, str]], resampling: Resampling) -> Estimate:
    """The mean of (value, patient) rows."""
    values, patients = zip(*rows, strict=True)
    return estimate(values, patients, resampling)
