"""Shares, counts and names as they are shown."""

from collections import Counter

import pytest

from radgpt.wording import clipped, counted, printable, ranked, share


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [(0, 9, "0.0 %"), (9, 9, "100.0 %"), (1, 5_000, "<0.1 %"), (4_999, 5_000, ">99.9 %"), (1, 8, "12.5 %"), (0, 0, "–")],
)
def test_share(part: int, whole: int, told: str) -> None:
    assert share(part, whole) == told


def test_counted() -> None:
    assert (counted(0, "report"), counted(1, "report"), counted(228_000, "report")) == ("0 reports", "1 report", "228,000 reports")


def test_what_could_mix_up_a_console_is_replaced() -> None:
    assert printable("s5 \N{LATIN SMALL LETTER E WITH ACUTE}") == "s5 \N{LATIN SMALL LETTER E WITH ACUTE}"
    assert printable("\x1b[2J\n\u202ea\ud800") == "�[2J��a�"


def test_clipped_says_that_it_is() -> None:
    assert (clipped("DOSE", 4), clipped("DOSES", 4)) == ("DOSE", "DOS…")


def test_ranked_by_count_and_then_by_name() -> None:
    assert ranked(Counter({"b": 2, "a": 2, "c": 3, "d": 0})) == [("c", 3), ("a", 2), ("b", 2)]
