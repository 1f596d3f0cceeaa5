"""Answers are found again by number, filtered by columns, and a view keeps what it once held."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from review_desk import ANSWERS

from radgpt.review.answers import Answers
from radgpt.review.views import Filters, View


@pytest.fixture
def answers(tmp_path: Path) -> Iterator[Answers]:
    with TemporaryFile(dir=tmp_path, buffering=0) as file:
        filled = Answers(file)
        for judged, state in zip(ANSWERS, ("undecided", "accept", "undecided", "edit", "undecided"), strict=True):
            filled.append(judged, state)
        yield filled


def numbers(answers: Answers, **filters: object) -> list[int]:
    view = View(answers, Filters(**filters))
    view.extend()
    return list(view.numbers)


def test_an_answer_is_read_back_as_it_was(answers: Answers) -> None:
    assert [answers.read(number) for number in range(5)] == list(ANSWERS)
    with pytest.raises(IndexError):
        answers.read(5)


def test_turns_belong_together(answers: Answers) -> None:
    assert [list(answers.conversation(number)) for number in range(5)] == [[0], [1], [2, 3], [2, 3], [4]]


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"state": "undecided"}, [0, 2, 4]),
        ({"state": "decided"}, [1, 3]),
        ({"state": "edit"}, [3]),
        ({"outcome": "kept"}, [1, 2, 3, 4]),
        ({"outcome": "dropped"}, [0]),
        ({"outcome": "dropped:unfaithful"}, [0]),
        ({"outcome": "dropped:duplicate"}, []),
        ({"task": "summarisation"}, [1]),
        ({"problems": True}, [0]),
        ({"search": "left EFFUSION"}, [0, 1]),
        ({"search": "r1/2"}, [2, 3]),
        ({"search": "left", "state": "undecided", "outcome": "kept"}, [2]),
    ],
)
def test_filters(answers: Answers, filters: dict[str, object], wanted: list[int]) -> None:
    assert numbers(answers, **filters) == wanted


def test_a_view_grows_and_never_shrinks(answers: Answers) -> None:
    view = View(answers, Filters(state="undecided"))
    view.extend()
    answers.set_state(0, "reject")
    answers.append(replace(ANSWERS[0], instruction_id="r9/0"), "undecided")
    view.extend()
    assert list(view.numbers) == [0, 2, 4, 5]
    assert [view.next_undecided(place) for place in (-1, 0, 1, 2, 3)] == [1, 1, 2, 3, 1]
    for number in (2, 4, 5):
        answers.set_state(number, "accept")
    assert view.next_undecided(0) is None
    assert (answers.counts["state", "accept"], answers.counts["state", "undecided"]) == (4, 0)
