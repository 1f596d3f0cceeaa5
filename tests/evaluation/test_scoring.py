"""Rows of models and floors, read by every metric that is asked for."""

import pytest

from radgpt.config import Evaluation
from radgpt.evaluation import scoring
from radgpt.evaluation.extras import Extra
from radgpt.evaluation.metrics import METRICS
from radgpt.evaluation.scoring import Scoring
from radgpt.records import Prediction

ROWS = [
    Prediction("r0/0", "r0", "p0", "t", "No effusion.", "No effusion.", "stop", 3, 6.0, 3),
    Prediction("r1/0", "r1", "p1", "t", "No.", "A left effusion.", "length", 3, None, 0),
]


def test_a_models_rows() -> None:
    found = Scoring.opened(Evaluation()).model("model", ROWS)
    assert list(found) == list(METRICS)
    assert found["exact_match"].statistics.tolist() == [[1, 1], [0, 1]]
    assert found["ended_itself"].statistics.tolist() == [[1, 1], [0, 1]]
    assert found["perplexity"].applies.tolist() == [True, False]


def test_a_floors_rows_have_no_likelihood_and_nothing_that_ends_them() -> None:
    found = Scoring.opened(Evaluation()).floor("majority", ROWS, ["A left effusion."] * 2)
    assert found["exact_match"].statistics.tolist() == [[0, 1], [1, 1]]
    assert not found["ended_itself"].applies.any() and not found["perplexity"].applies.any()


def test_what_makes_scores_comparable() -> None:
    assert "stemmer:yes" in Scoring.opened(Evaluation(stemmer=True)).about["rouge"]


def test_optional_metrics_stand_among_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def lengths(answers: list[str], references: list[str]) -> dict[str, list[tuple[float, float] | None]]:
        of = [(float(len(answer)), 1.0) for answer in answers]
        return {"bertscore": of}

    monkeypatch.setattr(scoring, "open_extras", lambda _: [Extra("bertscore", lengths, {"weights": "sha256:0"})])
    opened = Scoring.opened(Evaluation(extras=["bertscore"]))
    assert list(opened.metrics) == [*METRICS, "bertscore"]
    assert opened.model("model", ROWS)["bertscore"].statistics[:, 0].tolist() == [12, 3]
    assert opened.floor("lead", ROWS, ["Yes.", "Yes."])["bertscore"].statistics[:, 0].tolist() == [4, 4]
    assert opened.about["bertscore"] == {"weights": "sha256:0"}
