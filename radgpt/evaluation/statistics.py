"""Say how far a mean over rows can be trusted when rows of one patient hang together."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DRAWS_AT_ONCE = 2_000_000
"""Numbers drawn into one array, to bound memory."""


@dataclass(frozen=True)
class Estimate:
    """A mean over the rows that a metric applies to, with its interval."""

    mean: float | None
    """None if the metric applies to no row."""
    low: float | None
    high: float | None
    """Ends of the interval; None with fewer than two patients."""
    rows: int
    patients: int


@dataclass(frozen=True)
class Difference:
    """Model minus floor over the same rows."""

    mean: float | None
    low: float | None
    high: float | None
    p_value: float | None
    """Two-sided; None with fewer than two patients."""


@dataclass(frozen=True)
class Resampling:
    """How intervals and p-values are drawn."""

    samples: int
    confidence: float
    seed: int


def estimate(values: Sequence[float | None], patients: Sequence[str], resampling: Resampling) -> Estimate:
    """Percentile bootstrap over patients, each drawn with all of its rows (Efron and Tibshirani 1993, chapters 8 and 13).

    Args:
        values: (rows,), None where the metric does not apply.
        patients: (rows,), whose row it is.
    """
    sums, counts = by_patient(values, patients)
    if not len(counts):
        return Estimate(None, None, None, 0, 0)
    low, high = percentile_interval(sums, counts, resampling)
    return Estimate(float(sums.sum() / counts.sum()), low, high, int(counts.sum()), len(counts))


def paired_difference(
    ours: Sequence[float | None], theirs: Sequence[float | None], patients: Sequence[str], resampling: Resampling
) -> Difference:
    """The mean of row-wise differences, its bootstrap interval, and a sign-flip test by patient.

    The test flips the sign of all of a patient's differences at once; p = (k + 1) / (N + 1), which is never 0
    (Phipson and Smyth 2010, https://doi.org/10.2202/1544-6115.1585). Rows that the metric leaves out for either are left out.
    """
    values = [None if our is None or their is None else our - their for our, their in zip(ours, theirs, strict=True)]
    sums, counts = by_patient(values, patients)
    if not len(counts):
        return Difference(None, None, None, None)
    low, high = percentile_interval(sums, counts, resampling)
    return Difference(float(sums.sum() / counts.sum()), low, high, sign_flip_p_value(sums, resampling))


def by_patient(values: Sequence[float | None], patients: Sequence[str]) -> tuple["NDArray[np.float64]", "NDArray[np.int64]"]:
    """(patients,) sums and (patients,) counts of the values that are there, for patients that have any."""
    import numpy as np

    totals: dict[str, tuple[float, int]] = {}
    for value, patient in zip(values, patients, strict=True):
        if value is not None:
            total, count = totals.get(patient, (0.0, 0))
            totals[patient] = (total + value, count + 1)
    return np.array([total for total, _ in totals.values()], dtype=float), np.array([count for _, count in totals.values()], dtype=int)


def percentile_interval(
    sums: "NDArray[np.float64]", counts: "NDArray[np.int64]", resampling: Resampling
) -> tuple[float, float] | tuple[None, None]:
    """The middle `confidence` of resampled means; (None, None) with fewer than two patients, where all resamples are alike."""
    import numpy as np

    if len(counts) < 2:
        return None, None
    means = []
    for drawn in draws(len(counts), resampling, lambda generator, shape: generator.integers(len(counts), size=shape)):
        means.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    tail = (1 - resampling.confidence) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return float(low), float(high)


def sign_flip_p_value(sums: "NDArray[np.float64]", resampling: Resampling) -> float | None:
    """Share of random sign patterns whose sum lies at least as far from 0 as the observed one."""
    if len(sums) < 2:
        return None
    # Sums of the same numbers in another order differ in their last bits; such ties count as reached.
    observed = abs(sums.sum()) - 1e-9
    reached = 0
    for signs in draws(len(sums), resampling, lambda generator, shape: generator.integers(2, size=shape) * 2 - 1):
        reached += int((abs(signs @ sums) >= observed).sum())
    return (reached + 1) / (resampling.samples + 1)


def draws(
    patients: int,
    resampling: Resampling,
    draw: Callable[["np.random.Generator", tuple[int, int]], "NDArray[np.int64]"],
) -> Iterator["NDArray[np.int64]"]:
    """Yield arrays of (some samples, patients), `resampling.samples` rows in all, the same for the same seed."""
    import numpy as np

    generator = np.random.default_rng(resampling.seed % 2**32)  # numpy refuses negative seeds
    at_once = max(1, DRAWS_AT_ONCE // patients)
    for start in range(0, resampling.samples, at_once):
        yield draw(generator, (min(at_once, resampling.samples - start), patients))
