"""Round ticks for an axis."""

import math

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """At most so many round numbers whose range covers [low, high], equally spaced."""
    span = high - low
    if span <= 0:
        margin = abs(low) / 10 or 0.5
        low, high, span = low - margin, high + margin, 2 * margin
    size = 10.0 ** math.floor(math.log10(span / (most - 1)))
    for scale in (size, 10 * size):
        for step in STEPS:
            first, last = math.floor(low / (step * scale) + 1e-9), math.ceil(high / (step * scale) - 1e-9)
            if last - first + 1 <= most:
                return [round(number * step * scale, 12) for number in range(first, last + 1)]
    raise AssertionError("a step of ten times the size always fits")


def labelled(value: float) -> str:
    """A tick as it is written: as few digits as it takes, a true minus sign."""
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")
