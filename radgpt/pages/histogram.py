"""Lay out counted lengths as a histogram that a page or a text can show."""

from collections import Counter
from dataclasses import dataclass

from radgpt.pages.spread import Spread, spread

WIDTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
"""Widths that a bin of a histogram may have, so that its bounds are round numbers."""
MOST_BINS = 24

PLOT = (60, 26, 432, 200)
"""Left, top, right and bottom of the area that bars stand in, within the 440 x 250 units that `histogram.html.j2` draws in; the rest is
for labels."""
LEAST_BETWEEN_X_LABELS = 56
"""Units between two labels under the bars, so that they never touch."""


@dataclass(frozen=True)
class Bar:
    """A bin of a histogram as it is drawn and read."""

    x: float
    y: float
    width: float
    height: float
    count: int
    bounds: str
    """`20–39`, or `480 or more` for the last bin where lengths go on."""
    open: bool
    """Whether it is that last bin."""


@dataclass(frozen=True)
class Chart:
    """A histogram, ready to draw."""

    title: str
    unit: str
    spread: Spread
    bars: list[Bar]
    x_labels: list[tuple[float, str]]
    y_labels: list[tuple[float, str]]
    median_x: float
    p95_x: float


def histogram(lengths: Counter[int], title: str, unit: str) -> Chart | None:
    """The histogram of lengths, counted by how often each comes; None where there are none."""
    if not lengths:
        return None
    found = spread(lengths)
    width = bin_width(found.p99)
    bins = binned(lengths, width, found)
    goes_on = (len(bins) - 1) * width + width <= found.max
    left, top, right, bottom = PLOT
    step = (right - left) / len(bins)
    ceiling, tick = y_axis(max(bins))

    def x_of(length: int) -> float:
        # The middle of a length's place, as a length of 3 fills the stretch from 3 to 4.
        return min(left + (length + 0.5) / width * step, right)

    bars = []
    for number, count in enumerate(bins):
        height = (bottom - top) * count / ceiling
        last = goes_on and number == len(bins) - 1
        first = number * width
        bounds = f"{first:,} or more" if last else f"{first:,}" if width == 1 else f"{first:,}–{first + width - 1:,}"
        bars.append(Bar(left + number * step + 0.5, bottom - height, step - 1, height, count, bounds, last))
    every = next(apart for apart in (1, 2, 5, 10, 20) if apart * step >= LEAST_BETWEEN_X_LABELS)
    return Chart(
        title,
        unit,
        found,
        bars,
        [(left + number * step, f"{number * width:,}") for number in range(0, len(bins), every)],
        [(bottom - (bottom - top) * level / ceiling, f"{level:,}") for level in range(0, ceiling + 1, tick)],
        x_of(found.median),
        x_of(found.p95),
    )


def bin_width(p99: int) -> int:
    """The least round width with which lengths up to the 99th percentile fill at most MOST_BINS."""
    return next((width for width in WIDTHS if p99 // width < MOST_BINS), p99 // MOST_BINS + 1)


def binned(lengths: Counter[int], width: int, found: Spread) -> list[int]:
    """How many lengths are in each bin, from 0 on; what lies beyond the bin of the 99th percentile is in one more, which ends the axis."""
    last = found.p99 // width
    bins = [0] * (last + (2 if found.max // width > last else 1))
    for length, times in lengths.items():
        bins[min(length // width, len(bins) - 1)] += times
    return bins


def y_axis(highest: int) -> tuple[int, int]:
    """(height of the axis, distance of its labels), both round, for a highest bar."""
    tick = next(digit * 10**power for power in range(12) for digit in (1, 2, 5) if highest <= 5 * digit * 10**power)
    return -(-highest // tick) * tick, tick
