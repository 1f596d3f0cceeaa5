"""Lay out how two models' scores differ question by question, as a histogram around zero."""

from collections.abc import Sequence
from dataclasses import dataclass

from radgpt.evaluation.page.axis import labelled, ticks
from radgpt.evaluation.statistics import SAME

LEFT, RIGHT, TOP, BOTTOM = 44, 430, 30, 150
"""The area that bars stand in, within 440 x 190 units."""
BINS_EACH_SIDE = 10


@dataclass(frozen=True)
class Bar:
    """Questions whose difference lies in one bin."""

    x: float
    y: float
    width: float
    height: float
    count: int
    bounds: str
    side: str
    """`ours`, `theirs` or `equal`: whose answers are better there."""


@dataclass(frozen=True)
class Gains:
    """The histogram of one pair of models, ready to draw."""

    ours: str
    theirs: str
    bars: list[Bar]
    x_labels: list[tuple[float, str]]
    y_labels: list[tuple[float, str]]
    zero: float
    """x of no difference."""
    wins: int
    ties: int
    losses: int


def gains(ours: str, theirs: str, differences: Sequence[float], better: int) -> Gains | None:
    """The histogram of ours minus theirs; None where there is no question that both have a score for.

    Exact ties have a bin of their own at zero, which as a rule holds many.

    Args:
        differences: of every question that both have a score for.
        better: 1 where more is better, -1 where less is.
    """
    if not differences:
        return None
    widest = max(map(abs, differences)) or 1.0
    size = ticks(0, widest)[-1] / BINS_EACH_SIDE
    counts = [0] * (2 * BINS_EACH_SIDE + 1)
    for difference in differences:
        steps = 0 if abs(difference) <= SAME else min(BINS_EACH_SIDE, int(abs(difference) / size - SAME) + 1)
        counts[BINS_EACH_SIDE + (steps if difference > 0 else -steps)] += 1
    levels = ticks(0, max(counts), most=4)
    step = (RIGHT - LEFT) / len(counts)
    bars = []
    for place, count in enumerate(counts):
        if not count:
            continue
        number = place - BINS_EACH_SIDE
        height = (BOTTOM - TOP) * count / levels[-1]
        side = "equal" if not number else "ours" if (number > 0) == (better > 0) else "theirs"
        bounds = (
            "equal"
            if not number
            else f"{labelled(rounded((number - (number > 0)) * size))} to {labelled(rounded((number + (number < 0)) * size))}"
        )
        bars.append(Bar(LEFT + place * step + 0.5, BOTTOM - height, step - 1, height, count, bounds, side))
    zero = LEFT + (BINS_EACH_SIDE + 0.5) * step
    # A bin's outer edge is a round number of sizes away; the inner half bin belongs to exact ties.
    labels = [
        (zero + (number + (0.5 if number > 0 else -0.5 if number < 0 else 0)) * step, number * size) for number in (-10, -5, 0, 5, 10)
    ]
    sides = {side: sum(bar.count for bar in bars if bar.side == side) for side in ("ours", "equal", "theirs")}
    return Gains(
        ours,
        theirs,
        bars,
        [(x, labelled(rounded(value))) for x, value in labels],
        [(BOTTOM - (BOTTOM - TOP) * level / levels[-1], labelled(level)) for level in levels if level == int(level)],
        zero,
        sides["ours"],
        sides["equal"],
        sides["theirs"],
    )


def rounded(value: float) -> float:
    """Without the last bits, which no reader wants."""
    return round(value, 10) + 0.0
