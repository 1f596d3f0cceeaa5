"""Plain words are written and read by one map."""

import re

import pytest

from radgpt.clinical.lay_terms import PLAIN_NOUNS, PLAIN_PHRASES, PlainNoun
from radgpt.faithfulness.marks import marks, plain

FINDINGS = [noun for noun in PLAIN_NOUNS if noun.finding]


def test_the_map_is_as_large_as_promised() -> None:
    assert len(PLAIN_NOUNS) + len(PLAIN_PHRASES) >= 80
    assert len(FINDINGS) >= 40


@pytest.mark.parametrize("noun", FINDINGS, ids=lambda noun: noun.plain)
def test_the_plain_words_of_a_finding_are_read_as_a_finding(noun: PlainNoun) -> None:
    words = plain(f"The image shows {re.sub(r'{lung}', 'the left lung', noun.plain)}.")
    assert [mark.kind for mark in marks(words, 16, len(words)) if mark.kind not in ("side", "location", "severity", "region")][:1] == [
        "finding"
    ]


def test_fluid_in_soft_tissue_is_not_moved_into_the_lungs() -> None:
    from radgpt.teacher.rules.plain_language import plain_language

    assert "lung" not in plain_language("Soft tissue edema.")
