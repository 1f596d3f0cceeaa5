"""Histograms have round bounds and hold every length."""

from collections import Counter

import pytest

from radgpt.pages.histogram import bin_width, binned, y_axis
from radgpt.pages.spread import spread


@pytest.mark.parametrize(("p99", "width"), [(0, 1), (23, 1), (24, 2), (48, 5), (140, 10), (479, 20), (480, 50), (900_000, 37_501)])
def test_bins_have_round_bounds(p99: int, width: int) -> None:
    assert bin_width(p99) == width
    assert p99 // width < 24


def test_the_last_bin_holds_what_is_beyond_the_99th_percentile() -> None:
    lengths = Counter({0: 10, 9: 20, 10: 30, 25: 139, 400: 1})
    assert binned(lengths, 10, spread(lengths)) == [30, 30, 139, 1]
    assert binned(Counter({0: 1, 25: 1}), 10, spread(Counter({0: 1, 25: 1}))) == [1, 0, 1]


@pytest.mark.parametrize(
    ("highest", "axis"), [(1, (1, 1)), (5, (5, 1)), (6, (6, 2)), (49_000, (50_000, 10_000)), (51_000, (60_000, 20_000))]
)
def test_heights_of_the_axis_are_round(highest: int, axis: tuple[int, int]) -> None:
    assert y_axis(highest) == axis
