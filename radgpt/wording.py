"""Put counts, shares and names into words, for consoles and pages alike."""

from collections import Counter


def printable(text: str) -> str:
    """One line without control characters, which could mix up a console or hide in a page."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def clipped(text: str, longest: int) -> str:
    """At most so many characters."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    """Names and counts, the highest first, equal ones by name, zeros left out."""
    return sorted(((name, times) for name, times in counts.items() if times), key=lambda item: (-item[1], item[0]))


def counted(number: int, noun: str) -> str:
    """`1 report`, `228,000 reports`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def share(part: int, whole: int) -> str:
    """A percentage that says 0 and 100 only where it means none and all."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "<0.1 %"
    if 99.9 < percent < 100:
        return ">99.9 %"
    return f"{percent:.1f} %"


def cell(text: str) -> str:
    """A text that stays within its cell of a Markdown table and is read as no markup."""
    for mark in "\\`*_[]|~":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
