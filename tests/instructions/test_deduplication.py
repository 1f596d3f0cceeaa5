"""Instructions that ask the same again are found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from radgpt.instructions.deduplication import repeats, rouge_l


@given(st.lists(st.sampled_from("abcd"), max_size=8), st.lists(st.sampled_from("abcd"), max_size=8))
def test_rouge_l_is_that_of_the_reference_package(first: list[str], second: list[str]) -> None:
    expected = RougeScorer(["rougeL"]).score(" ".join(first), " ".join(second))["rougeL"].fmeasure
    assert rouge_l(" ".join(first), " ".join(second)) == pytest.approx(expected if first or second else 1.0)


def test_other_scripts_count_as_words() -> None:
    assert rouge_l("흉수가 있습니까", "기흉이 있습니까") == 0.5


def test_near_copies_are_repeats_up_to_the_threshold() -> None:
    earlier = ["Is there a pleural effusion on the left?"]
    assert repeats("is there a pleural effusion on the LEFT", earlier, 1.0), "equal but for case and marks"
    assert repeats("Is there a pleural effusion on the right?", earlier, 0.7)
    assert not repeats("Is there a pleural effusion on the right?", earlier, 0.9)
    assert not repeats("Sum up the findings.", earlier, 0.7)
