"""Say how far a metric can be trusted, and whether two systems differ in it, when rows of one patient hang together.

A metric is a function of sums: each row gives a few numbers (its sufficient statistics), the numbers of rows are added up, and the
metric is read off the sums. A mean is one such function (sum of scores over count of rows); so are corpus BLEU and micro-averaged F1,
which are no means of rows. Resampling patients means adding up other patients; so everything here works on any such metric, and costs
a product of matrices.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from radgpt.evaluation.resampling import Clusters, Resampling, Stacked, enumerable, relabellings, resamples

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from radgpt.evaluation.resampling import Numbers

    Combine = Callable[[Numbers], Numbers]
    """Sums (..., width) to metric (...); nan where the sums hold nothing that the metric could be read off."""

SAME = 1e-9
"""Relative difference up to which two results count as equal: sums of the same numbers in another order differ in their last bits."""


@dataclass(frozen=True)
class Estimate:
    """A metric over the rows that it applies to, with its interval."""

    value: float | None
    """None if the metric applies to no row."""
    low: float | None
    high: float | None
    """Ends of the interval; None with fewer than two patients."""
    rows: int
    patients: int


@dataclass(frozen=True)
class Difference:
    """One system's metric minus another's, each over the rows that it applies to."""

    value: float | None
    low: float | None
    high: float | None
    p_value: float | None
    """Two-sided; None with fewer than two patients."""
    rows: int = 0
    """Rows that it applies to for either."""
    patients: int = 0
    differing: int = 0
    """Patients in whom the systems differ at all: what a test rests on."""
    p_holm: float | None = None
    """The p-value adjusted for the other metrics of the same comparison (`holm`); None where it was not part of one."""


@dataclass(frozen=True)
class WinRate:
    """How often one system's row is better than another's: a tie counts as half a win."""

    value: float | None
    low: float | None
    high: float | None
    wins: int
    ties: int
    losses: int


@dataclass(frozen=True)
class Column:
    """One metric of one system, row by row."""

    statistics: "Numbers"
    """(rows, width); a row of nan where the metric does not apply."""
    combine: "Combine"

    @classmethod
    def of(cls, rows: Sequence[Sequence[float] | None], width: int, combine: "Combine") -> "Column":
        """From each row's statistics; None where the metric does not apply."""
        import numpy as np

        blank = (np.nan,) * width
        statistics = np.array([blank if row is None else row for row in rows], dtype=float)
        return cls(statistics.reshape(len(rows), width), combine)

    @classmethod
    def of_scores(cls, scores: Sequence[float | None]) -> "Column":
        """From each row's score, for their mean."""
        return cls.of([None if score is None else (score, 1.0) for score in scores], 2, mean)

    @property
    def applies(self) -> "NDArray[np.bool_]":
        """(rows,)"""
        import numpy as np

        return np.asarray(~np.isnan(self.statistics).any(axis=1))

    def values(self) -> "Numbers":
        """(rows,) the metric of each row alone; nan where it does not apply."""
        return quietly(self.combine, self.statistics)

    def where(self, chosen: "NDArray[np.bool_]") -> "Column":
        """The column of some rows."""
        return Column(self.statistics[chosen], self.combine)


def mean(sums: "Numbers") -> "Numbers":
    """Sums (..., 2) of scores and of rows to their mean."""
    return sums[..., 0] / sums[..., 1]


def quietly(combine: "Combine", sums: "Numbers") -> "Numbers":
    """The metric, without a warning where there is nothing to divide by."""
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        return combine(sums)


def estimate(scores: Sequence[float | None], patients: Sequence[str], resampling: Resampling) -> Estimate:
    """The mean of scores, (rows,), with its interval; None where there is no score."""
    return estimates({"": Column.of_scores(scores)}, patients, resampling)[""]


def estimates(columns: Mapping[str, Column], patients: Sequence[str], resampling: Resampling) -> dict[str, Estimate]:
    """Each metric over all rows, with the middle `confidence` of resampled ones as its interval.

    A percentile bootstrap over patients, each drawn with all of its rows (Efron and Tibshirani 1993, chapters 8 and 13). All metrics
    see the same resamples; those that leave a metric nothing to be read off say nothing of it.

    Args:
        patients: (rows,), whose row it is.
    """
    clusters = Clusters(patients)
    applies = {name: column.applies for name, column in columns.items()}
    sums = Stacked({name: clusters.add_up(column.statistics, applies[name]) for name, column in columns.items()})
    combines = {name: column.combine for name, column in columns.items()}
    drawn: dict[str, list[Numbers]] = {name: [] for name in columns}
    for counts in resamples(clusters.count, resampling, sums.width):
        for name, of_metric in sums.split(counts @ sums.stacked):
            drawn[name].append(quietly(combines[name], of_metric))
    found = {}
    for name, of_metric in sums.split(sums.stacked):
        seen = clusters.seen(applies[name])
        low, high = interval(drawn[name], resampling.confidence) if seen > 1 else (None, None)
        value = finite(float(quietly(combines[name], of_metric.sum(axis=0))))
        found[name] = Estimate(value, low, high, int(applies[name].sum()), seen)
    return found


def differences(
    ours: Mapping[str, Column], theirs: Mapping[str, Column], patients: Sequence[str], resampling: Resampling
) -> dict[str, Difference]:
    """Ours minus theirs in each metric, with a bootstrap interval and a paired permutation test.

    The test swaps the two systems in all of a patient's rows at once, for each patient with probability 1/2: had they been the same,
    nobody could tell which answered what. The p-value is the share of such relabellings in which the difference is at least as large,
    whatever its sign: (k + 1) / (N + 1) of N random ones, which is never 0 (Phipson and Smyth 2010, https://doi.org/10.2202/1544-6115.1585);
    where patients are so few that there are no more than N relabellings, all are taken, and it is exact.

    A metric may apply to a row for one system alone: an answer that names a side where the reference names none is wrong about sides, one
    that names none says nothing of them. Leaving out rows that only one system has would spare it its mistakes; so each keeps its own,
    and the difference is that of `estimates`. A relabelling that leaves a system without any counts as one that reaches the difference.

    Args:
        patients: (rows,), whose row it is.
    """
    clusters = Clusters(patients)
    combines = {name: column.combine for name, column in ours.items()}
    applies = {name: ours[name].applies | theirs[name].applies for name in ours}
    our_sums = Stacked({name: clusters.add_up(column.statistics, column.applies) for name, column in ours.items()})
    their_sums = Stacked({name: clusters.add_up(theirs[name].statistics, theirs[name].applies) for name in ours})

    def read_off(one: "Numbers", other: "Numbers") -> "Iterator[tuple[str, Numbers, Numbers]]":
        """(metric, ours, theirs) of stacked sums."""
        for (name, our), (_, their) in zip(our_sums.split(one), their_sums.split(other), strict=True):
            yield name, quietly(combines[name], our), quietly(combines[name], their)

    our_total, their_total = our_sums.stacked.sum(axis=0), their_sums.stacked.sum(axis=0)
    observed = {name: (float(our), float(their)) for name, our, their in read_off(our_total, their_total)}

    drawn: dict[str, list[Numbers]] = {name: [] for name in ours}
    for counts in resamples(clusters.count, resampling, our_sums.width):
        for name, our, their in read_off(counts @ our_sums.stacked, counts @ their_sums.stacked):
            drawn[name].append(our - their)

    reached = dict.fromkeys(ours, 0)
    more = our_sums.stacked - their_sums.stacked
    for swapped in relabellings(clusters.count, resampling, our_sums.width):
        moved = swapped @ more
        for name, our, their in read_off(our_total - moved, their_total + moved):
            reached[name] += count_reached(our, their, *observed[name])

    found = {}
    for name, moved_by in our_sums.split(more):
        our_value, their_value = observed[name]
        value, seen = finite(our_value - their_value), clusters.seen(applies[name])
        if value is None:
            found[name] = Difference(None, None, None, None)
            continue
        low, high, p_value = None, None, None
        if seen > 1:
            low, high = interval(drawn[name], resampling.confidence)
            p_value = share_reached(reached[name], clusters.count, resampling)
        differing = int(moved_by.any(axis=1).sum())
        found[name] = Difference(value, low, high, p_value, int(applies[name].sum()), seen, differing)
    return found


def count_reached(ours: "Numbers", theirs: "Numbers", our_value: float, their_value: float) -> int:
    """Relabellings, each of (draws,), in which the systems lie at least as far apart as observed; undefined ones count as reached."""
    observed = abs(our_value - their_value) - SAME * max(abs(our_value), abs(their_value))
    return int((~(abs(ours - theirs) < observed)).sum())


def share_reached(reached: int, patients: int, resampling: Resampling) -> float:
    """The p-value of a count of relabellings that reach the observed difference."""
    if enumerable(patients, resampling):
        return reached / 2**patients
    return (reached + 1) / (resampling.permutations + 1)


def win_rates(
    ours: Mapping[str, Column],
    theirs: Mapping[str, Column],
    directions: Mapping[str, int],
    patients: Sequence[str],
    resampling: Resampling,
) -> dict[str, WinRate]:
    """In each metric, how often our row is better than theirs, over rows that both have, with a bootstrap interval over patients.

    Args:
        directions: metric to 1 where more is better, -1 where less is.
        patients: (rows,), whose row it is.
    """
    import numpy as np

    results = {}
    for name, column in ours.items():
        one, other = column.values(), theirs[name].values()
        gain = (one - other) * directions[name]
        tied = abs(gain) <= SAME * np.maximum(abs(one), abs(other))
        results[name] = np.where(np.isnan(gain), np.nan, np.where(tied, 0.5, (gain > 0).astype(float)))
    rated = estimates(
        {name: Column(np.stack([result, np.where(np.isnan(result), np.nan, 1.0)], axis=1), mean) for name, result in results.items()},
        patients,
        resampling,
    )
    return {
        name: WinRate(
            rated[name].value, rated[name].low, rated[name].high, *(int((results[name] == outcome).sum()) for outcome in (1.0, 0.5, 0.0))
        )
        for name in ours
    }


def holm(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """P-values adjusted so that the chance of any false alarm among them stays below the level (Holm 1979, Scand. J. Statist. 6, 65-70).

    The smallest is multiplied by their number, the next by one less, and so on; none comes out below a smaller one's, or above 1.
    None stays None and does not count.
    """
    there = sorted((p_value, name) for name, p_value in p_values.items() if p_value is not None)
    adjusted: dict[str, float | None] = dict.fromkeys(p_values)
    highest = 0.0
    for place, (p_value, name) in enumerate(there):
        highest = max(highest, min(1.0, p_value * (len(there) - place)))
        adjusted[name] = highest
    return adjusted


def finite(value: float) -> float | None:
    """None where a metric is undefined, or past what a number can hold."""
    return value if math.isfinite(value) else None


def interval(drawn: "Sequence[Numbers]", confidence: float) -> tuple[float, float] | tuple[None, None]:
    """The middle `confidence` of what resamples gave, undefined ones left out; (None, None) if all are."""
    import numpy as np

    values = np.concatenate(drawn)
    values = values[np.isfinite(values)]
    if not len(values):
        return None, None
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
