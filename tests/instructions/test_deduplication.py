"""Instructions that ask the same again are found: those that comparing all pairs finds, and no others."""

from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from radgpt.instructions.deduplication import FEW, Duplicates, least_common, signature
from radgpt.instructions.rouge import f1, rouge_l, words

THRESHOLDS = [0.1, 0.3, 0.5, 0.6, 2 / 3, 0.7, 0.75, 0.8, 0.9, 0.99, 1.0]


def texts(vocabulary: str, longest: int) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(vocabulary), max_size=longest).map(" ".join)


def by_all_pairs(rows: list[str], max_rouge_l: float) -> list[bool]:
    """The verdicts as the setting is meant, from the definition."""
    kept: list[str] = []
    verdicts = []
    for row in rows:
        verdicts.append(any(words(row) == words(other) or rouge_l(row, other) > max_rouge_l for other in kept))
        if not verdicts[-1]:
            kept.append(row)
    return verdicts


def found(rows: list[str], max_rouge_l: float) -> list[bool]:
    duplicates = Duplicates(max_rouge_l)
    return [duplicates.repeats(row) for row in rows]


@given(texts("abcd", 8), texts("abcd", 8))
def test_rouge_l_is_that_of_the_reference_package(first: str, second: str) -> None:
    expected = RougeScorer(["rougeL"]).score(first, second)["rougeL"].fmeasure
    assert rouge_l(first, second) == pytest.approx(expected if first or second else 1.0)


def test_other_scripts_count_as_words() -> None:
    assert rouge_l("흉수가 있습니까", "기흉이 있습니까") == 0.5


@pytest.mark.parametrize(
    ("text", "max_rouge_l", "repeated"),
    [
        ("is there a pleural effusion on the LEFT", 1.0, True),
        ("Is there a pleural effusion on the right?", 0.7, True),
        ("Is there a pleural effusion on the right?", 0.9, False),
        ("On the left, is there a pleural effusion?", 0.7, False),
        ("Sum up the findings.", 0.7, False),
        ("", 0.7, False),
    ],
)
def test_near_copies_are_repeats_up_to_the_threshold(text: str, max_rouge_l: float, repeated: bool) -> None:
    assert Duplicates(max_rouge_l, ["Is there a pleural effusion on the left?"]).repeats(text) is repeated


def test_a_text_at_the_threshold_itself_is_kept() -> None:
    ten, seven_of_ten = "a b c d e f g h i j", "a b c d e f g x y z"
    assert rouge_l(ten, seven_of_ten) == 0.7
    assert not Duplicates(0.7, [ten]).repeats(seven_of_ten)
    assert Duplicates(0.6999999999999999, [ten]).repeats(seven_of_ten)


def test_what_repeats_is_not_remembered() -> None:
    duplicates = Duplicates(0.5)
    assert [duplicates.repeats(text) for text in ("a b c d", "a b c x", "a x y c", "x y z c")] == [False, True, False, True]
    assert Duplicates(0.5, ["a b c d", "a b c x"]).repeats("c x"), "but every earlier text is"


def test_texts_without_a_word_are_alike() -> None:
    assert found(["", "?!", "a", ""], 0.7) == [False, True, False, True]


@given(st.integers(1, 400), st.integers(1, 400), st.sampled_from(THRESHOLDS))
def test_the_shortest_common_subsequence_is_where_the_score_passes(one: int, other: int, max_rouge_l: float) -> None:
    common = least_common(one + other, max_rouge_l)
    assert f1(common, one + other) > max_rouge_l >= f1(common - 1, one + other)


@given(st.lists(texts("abc", 7), max_size=40), st.sampled_from(THRESHOLDS))
@example(["a b c d e f g h i j", "a b c d e f g x y z"], 0.7)
@example(["a a a", "a a", "a"], 0.8)
def test_as_all_pairs_of_few_short_texts(rows: list[str], max_rouge_l: float) -> None:
    assert found(rows, max_rouge_l) == by_all_pairs(rows, max_rouge_l)


@settings(max_examples=25)
@given(st.lists(texts("abcdefghijklmnopqrstuvwxyz", 12), min_size=3 * FEW, max_size=6 * FEW), st.sampled_from(THRESHOLDS[3:]))
def test_as_all_pairs_where_signatures_decide(rows: list[str], max_rouge_l: float) -> None:
    rows = [f"{row} {'tail ' * (12 - len(row.split()))}" for row in rows]
    assert found(rows, max_rouge_l) == by_all_pairs(rows, max_rouge_l)


@given(texts("abcdefgh", 60), texts("abcdefgh", 60))
def test_signatures_differ_in_no_more_bits_than_words(first: str, second: str) -> None:
    one, two = first.replace(" ", ""), second.replace(" ", "")
    differing = sum(int(a ^ b).bit_count() for a, b in zip(signature(one), signature(two), strict=True))
    assert differing <= ((Counter(one) - Counter(two)) + (Counter(two) - Counter(one))).total()
