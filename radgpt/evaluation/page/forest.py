"""Lay out one metric of all systems as a forest plot: a point for each value, a line for its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from radgpt.evaluation.page.axis import labelled, ticks
from radgpt.evaluation.statistics import Estimate

WIDTH = 440
"""Units that the plot draws in."""
LEFT, RIGHT = 112, 416
"""Where the axis begins and ends; names stand left of it."""
TOP, ROW = 10, 24
"""Room above the first system, and for each of them."""
LONGEST_NAME = 15
"""Letters of a name that fit left of the axis."""


@dataclass(frozen=True)
class Mark:
    """One system's value."""

    system: str
    name: str
    """As it is written: cut where it is too long."""
    y: float
    x: float
    low: float
    """x of the interval's ends; both at `x` where there is none."""
    high: float
    told: str
    """`0.512 [0.431, 0.590]`"""
    floor: bool
    """Whether it is a floor, not a model."""


@dataclass(frozen=True)
class Forest:
    """A plot, ready to draw."""

    marks: list[Mark]
    ticks: list[tuple[float, str]]
    bottom: float
    """y of the axis."""
    height: float


def forest(values: Mapping[str, Estimate], floors: Sequence[str], digits: int) -> Forest | None:
    """The plot of one metric by system, in their order; None where it applies to none of them."""
    there = {system: found for system, found in values.items() if found.value is not None}
    if not there:
        return None
    ends = [end for found in there.values() for end in (found.value, found.low, found.high) if end is not None]
    shown = ticks(0.0, 1.0) if min(ends) == max(ends) and 0 <= min(ends) <= 1 else ticks(min(ends), max(ends))
    low, high = shown[0], shown[-1]

    def x_of(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * (value - low) / (high - low)

    marks = []
    for place, (system, found) in enumerate(there.items()):
        assert found.value is not None
        x = x_of(found.value)
        marks.append(
            Mark(
                system,
                system if len(system) <= LONGEST_NAME else system[: LONGEST_NAME - 1] + "…",
                TOP + ROW * (place + 0.5),
                x,
                x if found.low is None else x_of(found.low),
                x if found.high is None else x_of(found.high),
                in_words(found, digits),
                system in floors,
            )
        )
    bottom = TOP + ROW * len(marks) + 4
    return Forest(marks, [(x_of(tick), labelled(tick)) for tick in shown], bottom, bottom + 22)


def in_words(found: Estimate, digits: int) -> str:
    """`0.512 [0.431, 0.590]`, without the interval where there is none; `–` where there is no value."""
    if found.value is None:
        return "–"
    if found.low is None or found.high is None:
        return f"{found.value:.{digits}f}"
    return f"{found.value:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"
