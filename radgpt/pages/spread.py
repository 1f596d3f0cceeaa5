"""Say how lengths spread."""

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """How lengths spread; quantiles are the least length that so many do not exceed."""

    count: int
    mean: float
    median: int
    p95: int
    p99: int
    max: int


def spread(lengths: Counter[int]) -> Spread:
    """Of lengths counted; all zero where there are none."""
    count = lengths.total()
    if not count:
        return Spread(0, 0.0, 0, 0, 0, 0)
    quantiles = {0.5: 0, 0.95: 0, 0.99: 0}
    for quantile in quantiles:
        left = quantile * count
        for length in sorted(lengths):
            left -= lengths[length]
            if left <= 1e-6:
                quantiles[quantile] = length
                break
    mean = sum(length * times for length, times in lengths.items()) / count
    return Spread(count, mean, quantiles[0.5], quantiles[0.95], quantiles[0.99], max(lengths))
