"""Read a text with `\\n` for every line break, as Python reads files, and find the way back to where its characters stood."""

import re
from bisect import bisect_left
from collections.abc import Callable

TWO_CHARACTERS = re.compile("\r\n")


def unified(text: str) -> str:
    """The text with `\\n` for every `\\r\\n` and every other `\\r`."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def way_back(text: str) -> Callable[[int], int]:
    """A function from a place in `unified(text)` to the same place in `text`."""
    breaks = [match.start() - earlier for earlier, match in enumerate(TWO_CHARACTERS.finditer(text))]
    return lambda place: place + bisect_left(breaks, place)


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The stretch of a text without white space at either end; empty, and at `start`, where there is nothing else."""
    stretch = text[start:end]
    if not (kept := stretch.strip()):
        return start, start
    start += len(stretch) - len(stretch.lstrip())
    return start, start + len(kept)
