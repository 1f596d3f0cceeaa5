"""Sum up a judgement: means with intervals, who wins against whom, position bias, and how much of it is missing."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

from radgpt.evaluation.judge.bias import PositionBias, position_bias
from radgpt.evaluation.judge.judgement import Judgement, Verdict, share_won
from radgpt.evaluation.resampling import Resampling
from radgpt.evaluation.statistics import Column, Estimate, WinRate, estimate, win_rates
from radgpt.wording import counted, share

PREFIX = "judge_"
"""What a criterion's name begins with where it stands among other metrics."""


def metrics_by_row(judgement: Judgement) -> dict[tuple[str, str], dict[str, float | None]]:
    """(question, system) to metric, such as `judge_accuracy`, to score; None where the judge's replies could not be used."""
    found: dict[tuple[str, str], dict[str, float | None]] = {}
    for row in judgement.scores():
        found.setdefault((row.id, row.system), {})[f"{PREFIX}{row.criterion}"] = row.score
    return found


def means(judgement: Judgement, resampling: Resampling) -> dict[str, dict[str, Estimate]]:
    """System to criterion to its mean over the questions that have a score, with an interval by patient."""
    rows: dict[tuple[str, str], tuple[list[float | None], list[str]]] = {}
    for row in judgement.scores():
        scores, patients = rows.setdefault((row.system, row.criterion), ([], []))
        scores.append(row.score)
        patients.append(row.patient_id)
    return {
        system: {
            criterion: estimate(*rows[system, criterion], resampling) if (system, criterion) in rows else Estimate(None, None, None, 0, 0)
            for criterion in judgement.criteria
        }
        for system in judgement.systems
    }


def win_rates_of_pairs(judgement: Judgement, resampling: Resampling) -> dict[tuple[str, str], WinRate]:
    """Every two systems that were compared, to how often the first is preferred. Repeats and orders of a question count as one
    comparison: won by whoever won more of them."""
    by_pair: dict[tuple[str, str], dict[str, list[Verdict]]] = {}
    for verdict in judgement.verdicts:
        pair = min((verdict.first, verdict.second), (verdict.second, verdict.first), key=lambda names: judgement.systems.index(names[0]))
        by_pair.setdefault(pair, {}).setdefault(verdict.id, []).append(verdict)
    return {
        pair: win_rate(pair[0], list(by_pair[pair].values()), resampling) for pair in combinations(judgement.systems, 2) if pair in by_pair
    }


def win_rate(system: str, comparisons: Sequence[Sequence[Verdict]], resampling: Resampling) -> WinRate:
    """How often a system is preferred to another in comparisons of the two."""
    shares: list[float | None] = []
    for verdicts in comparisons:
        known = [won for verdict in verdicts if (won := share_won(verdict, system)) is not None]
        shares.append(sum(known) / len(known) if known else None)
    ours, theirs = Column.of_scores(shares), Column.of_scores([None if won is None else 1.0 - won for won in shares])
    return win_rates({"": ours}, {"": theirs}, {"": True}, [verdicts[0].patient_id for verdicts in comparisons], resampling)[""]


def as_result(judgement: Judgement, resampling: Resampling) -> dict[str, Any]:
    """All of it as plain values, for a file of metrics; no text and no id in it."""
    bias = position_bias(judgement, resampling)
    pairs = win_rates_of_pairs(judgement, resampling)
    return {
        **judgement.as_mapping(),
        "means": {system: {name: asdict(found) for name, found in row.items()} for system, row in means(judgement, resampling).items()},
        "win_rates": [{"system": one, "against": other, **asdict(rate)} for (one, other), rate in pairs.items()],
        "position_bias": asdict(bias),
    }


def told(judgement: Judgement, resampling: Resampling) -> list[str]:
    """Lines for the console."""
    found = means(judgement, resampling)
    width = max(map(len, judgement.systems), default=0)
    scale = f"{judgement.lowest:g} to {judgement.highest:g}"
    judge = ", ".join(judgement.provenance.judge) or judgement.provenance.asked_model
    lines = [f"judge {judge}, {judgement.provenance.grading}, {counted(judgement.questions, 'question')}, {scale}:"]
    for system, row in found.items():
        lines.append(f"  {system:<{width}}  " + "  ".join(f"{name} {in_words(of_name)}" for name, of_name in row.items()))
    for (one, other), rate in win_rates_of_pairs(judgement, resampling).items():
        lines.append(f"  {one} against {other}: {rate.wins} won, {rate.ties} tied, {rate.losses} lost")
    return [*lines, *bias_told(position_bias(judgement, resampling)), *missing_told(judgement), *cost_told(judgement)]


def bias_told(bias: PositionBias) -> list[str]:
    """How much the judge goes by places."""
    lines = []
    if bias.by_position is not None:
        lines.append("  by place: " + ", ".join(in_words(found) for found in bias.by_position))
    if bias.earlier_minus_later is not None:
        lines.append(f"  an answer shown earlier gains {in_words(bias.earlier_minus_later)} against the reverse order")
    if bias.first_preferred is not None:
        lines.append(f"  the answer shown first is preferred in {in_words(bias.first_preferred)} of verdicts (0.5: no bias)")
    if bias.flips is not None:
        lines.append(f"  the verdict changes with the order in {in_words(bias.flips)} of comparisons")
    return lines


def missing_told(judgement: Judgement) -> list[str]:
    """What could not be used, where anything could not."""
    lost = judgement.missing.total()
    if not lost:
        return []
    reasons = ", ".join(f"{reason} {count}" for reason, count in judgement.missing.most_common())
    lines = [
        f"  {lost:,} of {judgement.replies:,} replies ({share(lost, judgement.replies)}) could not be used and count as missing: {reasons}"
    ]
    if len(judgement.systems) > 1:
        lines.append("  missing by system: " + ", ".join(f"{system} {judgement.missing_of[system]}" for system in judgement.systems))
    if judgement.missing["dropped: length"]:
        lines.append(
            "  dropped: length: cut before its first word, or the prompt is too long; raise judge.max_tokens, or use another judge"
        )
    if not any(row.score is not None for row in judgement.scores()):
        lines.append("  no reply could be used: this judge does not answer in the form asked for, so it says nothing; choose another")
    return lines


def cost_told(judgement: Judgement) -> list[str]:
    """What it took."""
    cost = judgement.cost
    usd = f", {cost.usd:.4f} USD" if cost.usd else ""
    return [
        f"  {counted(cost.requests, 'request')}, {cost.asked_again} of them a second asking; "
        f"{cost.prompt_tokens:,} prompt and {cost.completion_tokens:,} reply tokens{usd}"
    ]


def in_words(found: Estimate) -> str:
    """`3.42 [3.10, 3.71]`, without the interval where there is none, `-` where there is no value."""
    if found.value is None:
        return "-"
    return f"{found.value:.2f}" if found.low is None else f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"
