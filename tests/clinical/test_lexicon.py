"""Abbreviations in the sense that reports use them in."""

from radgpt.clinical.lexicon import ABBREVIATIONS, abbreviations_in, expansion


def test_abbreviations_are_found_in_the_sense_of_the_lexicon_alone() -> None:
    assert abbreviations_in("Stage IV cancer. T12 fracture, 3mm. PA catheter") == ["T12", "mm"]
    assert expansion("L1") == "the first lumbar vertebra"


def test_the_lexicon_is_as_large_as_promised() -> None:
    assert len(ABBREVIATIONS) >= 80
