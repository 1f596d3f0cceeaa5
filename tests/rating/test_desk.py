"""What a rater gives stands until it is taken back, on the texts that were seen, by the rubric that was shown."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rating_desk import ROWS, compared

from radgpt.evaluation.judge.rubric import read_rubric
from radgpt.pages.local_server import NoSuchThingError, RefusedDecisionError
from radgpt.rating.blinding import blinded
from radgpt.rating.desk import NONE_PREFERRED, Desk
from radgpt.rating.ledger import open_ledger
from radgpt.records import ComparedAnswer

QUALITY = "quality"


@contextmanager
def desk(folder: Path, rows: tuple[ComparedAnswer, ...] = ROWS, rubric: str = "asclepius") -> Iterator[Desk]:
    with open_ledger(folder / "rose.jsonl") as ledger:
        yield Desk([blinded(row, 0, "rose") for row in rows], read_rubric(rubric, "rate.rubric"), ledger, "rose")


def given(desk: Desk, number: int) -> tuple[list[int | None], int | None]:
    question = desk.question(number)
    return [answer["scores"][QUALITY] for answer in question["answers"]], question["preferred"]


def rate(desk: Desk, number: int, place: int, score: int | None) -> None:
    desk.grade(number, desk.question(number)["sha256"], place, QUALITY, score)


def prefer(desk: Desk, number: int, place: int | None) -> None:
    desk.prefer(number, desk.question(number)["sha256"], place)


def test_a_question_is_complete_with_all_scores_and_a_preference(tmp_path: Path) -> None:
    with desk(tmp_path) as made:
        rate(made, 0, 0, 4)
        rate(made, 0, 1, 1)
        assert not made.question(0)["complete"]
        prefer(made, 0, 0)
        assert made.question(0)["complete"] and made.status()["complete"] == 1
        rate(made, 2, 0, 3)  # one answer of both models: there is nothing to prefer
        assert made.question(2)["complete"] and made.question(2)["next"] == 1
    with desk(tmp_path) as again:
        assert (given(again, 0), given(again, 1), given(again, 2)) == (([4, 1], 0), ([None, None], None), ([3], None))
        assert again.status()["complete"] == 2 and again.start() == 1


def test_rating_goes_on_where_it_was_left(tmp_path: Path) -> None:
    with desk(tmp_path) as made:
        assert made.start() == 0
        rate(made, 1, 0, 4)
    with desk(tmp_path) as again:
        assert again.start() == 1


def test_undo_goes_back_click_by_click(tmp_path: Path) -> None:
    with desk(tmp_path) as made:
        rate(made, 0, 0, 4)
        rate(made, 0, 0, 2)
        prefer(made, 0, 1)
        prefer(made, 0, NONE_PREFERRED)
        rate(made, 0, 0, None)
        wanted = [([2, None], NONE_PREFERRED), ([2, None], 1), ([2, None], None), ([4, None], None), ([None, None], None)]
        for state in wanted:
            assert made.undo() == 0 and given(made, 0) == state
        assert made.undo() is None
    with desk(tmp_path) as again:
        assert given(again, 0) == ([None, None], None)


def test_a_click_that_changes_nothing_is_no_step(tmp_path: Path) -> None:
    with desk(tmp_path) as made:
        rate(made, 0, 0, None)
        prefer(made, 0, None)
        rate(made, 0, 0, 4)
        rate(made, 0, 0, 4)
        assert made.status()["undoable"] == 1
    assert len((tmp_path / "rose.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("score", [0, 5, -1])
def test_a_score_off_the_scale_is_refused(tmp_path: Path, score: int) -> None:
    with desk(tmp_path) as made, pytest.raises(RefusedDecisionError, match="from 1 to 4"):
        rate(made, 0, 0, score)


def test_what_is_not_there_cannot_be_rated(tmp_path: Path) -> None:
    with desk(tmp_path) as made:
        sha256 = made.question(0)["sha256"]
        for number, place, criterion in ((0, 2, QUALITY), (0, -1, QUALITY), (3, 0, QUALITY), (0, 0, "accuracy")):
            with pytest.raises(NoSuchThingError):
                made.grade(number, sha256, place, criterion, 4)
        for number, place in ((0, 2), (0, -2), (-1, 0)):
            with pytest.raises(NoSuchThingError):
                made.prefer(number, sha256, place)
        with pytest.raises(NoSuchThingError):
            prefer(made, 2, 0)
        with pytest.raises(RefusedDecisionError, match="have changed"):
            made.grade(0, "other", 0, QUALITY, 4)


def test_ratings_of_other_texts_or_by_another_rubric_do_not_count(tmp_path: Path) -> None:
    with desk(tmp_path) as made:
        rate(made, 0, 0, 4)
    changed = compared("r1/0", "Is there an effusion?", tuned="Yes, a small one on the left.", base="No.")
    with desk(tmp_path, (changed, *ROWS[1:])) as made:
        assert given(made, 0) == ([None, None], None)
    with desk(tmp_path, rubric="original") as made:
        assert set(made.question(0)["answers"][0]["scores"].values()) == {None}


def test_nothing_that_the_page_gets_names_a_model(tmp_path: Path) -> None:
    with desk(tmp_path) as made:
        rate(made, 0, 0, 4)
        prefer(made, 0, 0)
        sent = json.dumps([made.status(), made.rubric(), *(made.question(number) for number in range(3))])
    assert "tuned" not in sent and '"base"' not in sent
