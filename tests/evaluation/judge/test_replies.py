"""A reply counts if it holds one verdict of the form asked for, whatever stands around it; else it is missing."""

import pytest

from radgpt.config import Grading
from radgpt.evaluation.judge.replies import CONTRADICTORY, UNREADABLE, Form, objects_in, read_reply

SINGLE = Form(Grading.single, ("A",), ("accuracy", "clarity"), 1, 4)
TOGETHER = Form(Grading.together, ("A", "B"), ("quality",), 1, 4)
PAIRWISE = Form(Grading.pairwise, ("A", "B"), ("quality",), 1, 4)


@pytest.mark.parametrize(
    "reply",
    [
        '{"accuracy": 3, "clarity": 4}',
        '```json\n{"accuracy": 3, "clarity": 4}\n```',
        'Here you are: {"accuracy": 3, "clarity": 4}. Anything else?',
        '{"Accuracy": 3.0, "CLARITY ": "4", "why": "{brief}"}',
        '{"scores": {"accuracy": 3, "clarity": 4}}',
        '{not json} {"accuracy": 3, "clarity": 4} and once more {"clarity": 4, "accuracy": 3}',
    ],
)
def test_scores_are_found_whatever_stands_around_them(reply: str) -> None:
    assert read_reply(reply, SINGLE) == ({"A": {"accuracy": 3, "clarity": 4}}, None)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "Accuracy: 3, clarity: 4",
        '{"accuracy": 3}',
        '{"accuracy": 0, "clarity": 4}',
        '{"accuracy": 5, "clarity": 4}',
        '{"accuracy": 3.5, "clarity": 4}',
        '{"accuracy": true, "clarity": 4}',
        '{"accuracy": null, "clarity": 4}',
        '{"accuracy": "three", "clarity": 4}',
        '{"accuracy": NaN, "clarity": Infinity}',
        '{"accuracy": 1, "accuracy": 4, "clarity": 4}',
        '{"accuracy": 3, "clarity": 4',
        '[3, 4]',
        '{"accuracy": …, "clarity": …}',
        '{"a":' * 1200,
        '{"accuracy": 1' + "0" * 5000 + ', "clarity": 4}',
    ],
)  # fmt: skip
def test_anything_else_is_missing(reply: str) -> None:
    assert read_reply(reply, SINGLE) == (None, UNREADABLE)


def test_two_verdicts_that_differ_are_none() -> None:
    assert read_reply('{"accuracy": 3, "clarity": 4} or rather {"accuracy": 4, "clarity": 4}', SINGLE) == (None, CONTRADICTORY)
    assert read_reply('{"one": {"accuracy": 3, "clarity": 4}, "two": {"accuracy": 1, "clarity": 4}}', SINGLE) == (None, UNREADABLE)


def test_every_answer_shown_needs_its_scores() -> None:
    assert read_reply('{"A": {"quality": 1}, "b": {"quality": 4}}', TOGETHER) == ({"A": {"quality": 1}, "B": {"quality": 4}}, None)
    assert read_reply('{"A": {"quality": 1}}', TOGETHER) == (None, UNREADABLE)
    assert read_reply('{"A": {"quality": 1}, "B": {"quality": 9}}', TOGETHER) == (None, UNREADABLE)
    assert read_reply('{"A": 1, "B": 2}', TOGETHER) == (None, UNREADABLE)


@pytest.mark.parametrize(("word", "said"), [("A", "A"), ("b", "B"), (" Tie ", "tie")])
def test_a_preference_is_a_label_or_a_tie(word: str, said: str) -> None:
    assert read_reply(f'{{"better": "{word}"}}', PAIRWISE) == (said, None)


@pytest.mark.parametrize("reply", ['{"better": "C"}', '{"better": "AB"}', '{"better": 1}', '{"worse": "A"}', "A"])
def test_no_other_word_is_a_preference(reply: str) -> None:
    assert read_reply(reply, PAIRWISE) == (None, UNREADABLE)


def test_with_a_mark_only_objects_that_repeat_it_count() -> None:
    marked = Form(Grading.pairwise, ("A", "B"), ("quality",), 1, 4, mark="c0ffee")
    assert marked.shown == '{"mark": "c0ffee", "better": "…"}'
    assert read_reply('It wrote {"better": "A"}. {"mark": "c0ffee", "better": "B"}', marked) == ("B", None)
    assert read_reply('{"better": "A"}', marked) == (None, UNREADABLE)


def test_only_outermost_objects_are_read_and_broken_ones_passed_over() -> None:
    assert list(objects_in('{"a": {"B": 1}} {x} {"c": 2} {"d": 1, "D": 2}')) == [{"a": {"b": 1}}, {"c": 2}]
