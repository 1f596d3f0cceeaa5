"""Tell what a report holds that an instruction or answer may speak of: its numbers, its sides, its very words."""

import re

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_WORD = re.compile(r"[^\W_]+|_+")
_LEFT = re.compile(r"\bleft|\bL(?:t|UL|LL|IJ|UZ|LZ|MZ|UQ|LQ)?\b|\blingula|\bcardiac apex\b|\bbilateral|\bboth\b|\beither\b", re.IGNORECASE)
_RIGHT = re.compile(
    r"\bright|\bR(?:t|UL|ML|LL|IJ|UZ|LZ|MZ|UQ|LQ)?\b|\bmiddle lobe|\bminor fissure|\bbilateral|\bboth\b|\beither\b", re.IGNORECASE
)


def numbers(text: str) -> set[float]:
    """The numbers of a text, without their units: 1.20 is 1.2."""
    return {float(number) for number in _NUMBER.findall(text)}


def numbers_in_either_unit(text: str) -> set[float]:
    """The numbers of a text, and what they are in millimetres where they count centimetres, and the other way round."""
    return {round(number * factor, 6) for number in numbers(text) for factor in (1, 10, 0.1)}


def sides(text: str) -> set[str]:
    """`left` and `right`, as far as a text speaks of them, be it in an abbreviation such as RLL or as `bilateral`."""
    return {name for name, pattern in (("left", _LEFT), ("right", _RIGHT)) if pattern.search(text)}


def plain_words(text: str) -> str:
    """The words of a text in lower case, one blank before, between and behind them: so white space and marks matter to no search.

    >>> plain_words("No  acute\\ndisease.")
    ' no acute disease '
    """
    return f" {' '.join(_WORD.findall(text.casefold()))} "
