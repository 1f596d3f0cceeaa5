"""The reports that parsers are measured on: their answers stand in them, and the same number gives the same report."""

import sys

import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(ROOT / "benchmarks"))

from report_corpus import FAMILIES, LAYOUTS, MIXES, SECTIONS, VOCABULARIES, collapsed, corpus

ONE_OF_EACH = len(FAMILIES) + len(LAYOUTS)
"""Reports of the `stress` mix in which every family comes once."""
TWICE = {"repeated", *LAYOUTS}
"""Families in whose reports a section may stand in two places."""


def in_two_places(text: str, report: str) -> bool:
    """Whether a text stands in the report as two parts, one somewhere below the other."""
    cuts = (place for place, letter in enumerate(text) if letter == " ")
    return any((start := report.find(text[:cut])) >= 0 and report.find(text[cut + 1 :], start + cut) >= 0 for cut in cuts)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(VOCABULARIES), st.sampled_from(MIXES))
def test_every_answer_stands_in_its_report(seed: int, vocabulary: str, mix: str) -> None:
    for row in corpus(vocabulary, mix, ONE_OF_EACH, seed):
        report = collapsed(row["text"])
        assert row["gold"]
        for section, text in (item for answer in row["gold"] for item in answer.items()):
            where = (row["id"], row["family"], section)
            assert section in SECTIONS and text == collapsed(text) != "", where
            assert text in report or (row["family"] in TWICE and in_two_places(text, report)), where


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
@pytest.mark.parametrize("mix", MIXES)
def test_a_row_is_the_same_however_many_are_asked_for(vocabulary: str, mix: str) -> None:
    few, many = list(corpus(vocabulary, mix, 40, seed=7)), list(corpus(vocabulary, mix, 80, seed=7))
    assert few == many[:40]
    assert len({row["id"] for row in many}) == 80
    assert [row["text"] for row in few] != [row["text"] for row in corpus(vocabulary, mix, 40, seed=8)]


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_every_family_is_present(vocabulary: str) -> None:
    assert [row["family"] for row in corpus(vocabulary, "stress", ONE_OF_EACH, seed=0)] == [*FAMILIES, *LAYOUTS]
    # The rarest layouts weigh 0.1 of about 100.
    assert {row["family"] for row in corpus(vocabulary, "natural", 8_000, seed=0)} == {*FAMILIES, *LAYOUTS}
