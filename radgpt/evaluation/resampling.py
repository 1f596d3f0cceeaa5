"""Add up rows by patient, and draw other patients or other labels at random, in blocks of bounded size."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

NUMBERS_AT_ONCE = 1_000_000
"""Numbers in one block of draws, to bound memory (8 bytes each)."""


@dataclass(frozen=True)
class Resampling:
    """How intervals and p-values are drawn."""

    samples: int
    """Resamples of patients for each interval."""
    confidence: float
    seed: int
    permutations: int = 10_000
    """Random relabellings for each test."""


class Clusters:
    """The patients behind rows."""

    def __init__(self, patients: Sequence[str]) -> None:
        import numpy as np

        places: dict[str, int] = {}
        self.of_row = np.array([places.setdefault(patient, len(places)) for patient in patients], dtype=np.int64)
        """(rows,) patient of each row, numbered from 0 in order of appearance."""
        self.count = len(places)

    def add_up(self, statistics: "Numbers", applies: "NDArray[np.bool_]") -> "Numbers":
        """(rows, width) to (patients, width): sums over each patient's rows to which the metric applies."""
        import numpy as np

        patients = self.of_row[applies]
        summed = [np.bincount(patients, weights=column, minlength=self.count) for column in statistics[applies].T]
        return np.stack(summed, axis=1)

    def seen(self, applies: "NDArray[np.bool_]") -> int:
        """Patients with a row to which the metric applies."""
        return len(set(self.of_row[applies].tolist()))


class Stacked:
    """Sums of several metrics side by side, so that one product of matrices serves all."""

    def __init__(self, sums: Mapping[str, "Numbers"]) -> None:
        import numpy as np

        self.stacked = np.concatenate(list(sums.values()), axis=1)
        """(patients, total width)"""
        self.width: int = self.stacked.shape[1]
        self._widths = {name: of_metric.shape[1] for name, of_metric in sums.items()}

    def split(self, stacked: "Numbers") -> Iterator[tuple[str, "Numbers"]]:
        """(metric, its (..., width)) of what is stacked likewise."""
        start = 0
        for name, width in self._widths.items():
            yield name, stacked[..., start : start + width]
            start += width


def resamples(patients: int, resampling: Resampling, width: int) -> "Iterator[Numbers]":
    """Blocks of (draws, patients): how often each patient is drawn, `resampling.samples` draws in all, the same for the same seed."""
    import numpy as np

    generator = generator_of(resampling)
    for draws in blocks(resampling.samples, max(patients, width)):
        drawn = generator.integers(patients, size=(draws, patients)) + np.arange(draws)[:, None] * patients
        yield np.bincount(drawn.ravel(), minlength=draws * patients).reshape(draws, patients).astype(float)


def relabellings(patients: int, resampling: Resampling, width: int) -> "Iterator[Numbers]":
    """Blocks of (draws, patients): 1 where the two systems are swapped, else 0; `resampling.permutations` draws, or all that there are."""
    import numpy as np

    if enumerable(patients, resampling):
        for draws, start in starts(2**patients, max(patients, width)):
            numbers = np.arange(start, start + draws, dtype=np.uint64)
            yield (numbers[:, None] >> np.arange(patients, dtype=np.uint64) & np.uint64(1)).astype(float)
        return
    generator = generator_of(resampling)
    in_bytes = -(-patients // 8)
    for draws in blocks(resampling.permutations, max(patients, width)):
        bits = generator.integers(256, size=(draws, in_bytes), dtype=np.uint8)
        yield np.unpackbits(bits, axis=1, count=patients).astype(float)


def enumerable(patients: int, resampling: Resampling) -> bool:
    """Whether there are no more relabellings than would be drawn."""
    return patients < 63 and 2**patients <= resampling.permutations


def generator_of(resampling: Resampling) -> "np.random.Generator":
    """Random numbers of the seed."""
    import numpy as np

    return np.random.default_rng(resampling.seed % 2**32)  # numpy refuses negative seeds


def blocks(draws: int, numbers: int) -> Iterator[int]:
    """Sizes of blocks of draws, of so many numbers each."""
    return (size for size, _ in starts(draws, numbers))


def starts(draws: int, numbers: int) -> Iterator[tuple[int, int]]:
    """(size, first draw) of each block."""
    at_once = max(1, NUMBERS_AT_ONCE // numbers)
    for start in range(0, draws, at_once):
        yield min(at_once, draws - start), start
