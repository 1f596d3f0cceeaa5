"""Choose the questions that are shown side by side: where models differ most, where all do badly, where all do well."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from radgpt.records import ComparedAnswer

KINDS = {
    "differs": "models differ most",
    "worst": "all do badly",
    "best": "all do well",
}
"""Why a question is shown, in the order in which they are looked for."""


@dataclass(frozen=True)
class Example:
    """One question that is shown."""

    row: ComparedAnswer
    question: str
    """What was asked, without the report where it is known which part that is."""
    kinds: tuple[str, ...]
    """Of KINDS: all that hold of it; the first is what it was chosen for."""
    values: dict[str, float | None]
    """Model to its value of the metric that was chosen by."""
    low: float
    high: float
    """The worst and the best model's value, turned so that more is better."""
    mean: float
    """Over models, turned likewise."""
    abnormal: bool

    @property
    def apart(self) -> float:
        """How far the best model's value lies from the worst one's."""
        return self.high - self.low


def examples(
    rows: Sequence[ComparedAnswer], questions: Sequence[str], abnormal: Sequence[bool], metric: str, better: int, wanted: int
) -> list[Example]:
    """At most so many questions that have a value for every model: a third for each of KINDS, those at the end of each first.

    Args:
        questions: (rows,), what was asked, without the report.
        abnormal: (rows,), whether the reference affirms a finding.
        better: 1 where more of the metric is better, -1 where less is.
    """
    known = []
    for row, question, is_abnormal in zip(rows, questions, abnormal, strict=True):
        values = {model: row.scores.get(model, {}).get(metric) for model in row.answers}
        there = [value * better for value in values.values() if value is not None]
        if len(there) == len(values):
            known.append(Example(row, question, (), values, min(there), max(there), sum(there) / len(there), is_abnormal))
    by_kind = {
        "differs": sorted((one for one in known if one.apart > 0), key=lambda one: (-one.apart, one.row.pair_id)),
        "worst": sorted(known, key=lambda one: (one.high, one.row.pair_id)),
        "best": sorted(known, key=lambda one: (-one.low, one.row.pair_id)),
    }
    share = -(-wanted // len(KINDS))
    ends = {kind: {one.row.pair_id for one in order[:share]} for kind, order in by_kind.items()}
    chosen: dict[str, Example] = {}
    places = dict.fromkeys(KINDS, 0)
    while len(chosen) < min(wanted, len(known)):
        before = len(chosen)
        for kind, order in by_kind.items():
            while places[kind] < len(order) and order[places[kind]].row.pair_id in chosen:
                places[kind] += 1
            if places[kind] < len(order) and len(chosen) < wanted:
                one = order[places[kind]]
                others = tuple(other for other in KINDS if other != kind and one.row.pair_id in ends[other])
                chosen[one.row.pair_id] = replace(one, kinds=(kind, *others))
        if len(chosen) == before:
            break
    return list(chosen.values())
