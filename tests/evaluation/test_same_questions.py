"""Predictions of several models stand together by question, in one order; others' questions are refused with counts alone."""

import pytest

from radgpt.errors import UserError
from radgpt.evaluation.same_questions import aligned
from radgpt.records import Prediction


def rows(*ids: str, reference: str | None = "secret") -> list[Prediction]:
    return [Prediction(id, "r", "p", "t", f"answer to {id}", reference, "stop", 1) for id in ids]


def test_all_stand_in_the_first_models_order() -> None:
    together = aligned({"one": rows("b", "a"), "other": rows("a", "b")})
    assert [row.text for row in together["other"]] == ["answer to b", "answer to a"]
    assert list(together) == ["one", "other"]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (rows("a"), "other lacks 1 of the 2 that one answered, and answered 0 others"),
        (rows("a", "b", "c"), "other lacks 0 of the 2 that one answered, and answered 1 others"),
        (rows("a", "b", reference="x"), "other and one were given other references for 2 of 2 questions"),
        (rows("a", "b", reference=None), "other and one were given other references for 2 of 2 questions"),
        (rows("a", "b", "b"), "other has 1 questions twice"),
    ],
)
def test_other_questions_are_refused_with_counts(other: list[Prediction], told: str) -> None:
    with pytest.raises(UserError, match=told) as raised:
        aligned({"one": rows("a", "b"), "other": other})
    assert "secret" not in str(raised.value)


def test_a_model_without_predictions_is_refused() -> None:
    with pytest.raises(UserError, match="one has no predictions"):
        aligned({"one": [], "other": rows("a")})
