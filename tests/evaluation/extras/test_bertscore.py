"""BERTScore with a tiny random BERT made here."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_bert import save_tiny_bert

from radgpt.config import Evaluation
from radgpt.errors import UserError
from radgpt.evaluation.extras import Columns, Extra, extra_metrics, open_extras, score_extras
from radgpt.evaluation.extras.bertscore import Embedded, f1
from radgpt.records import Prediction

ROW = Prediction("s1/0", "s1", "p1", "summarisation", "", "", "stop", 3)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bert(tmp_path_factory.mktemp("bert"))


def wanted(model: Path, layer: int | None = 2) -> Evaluation:
    return Evaluation(extras=["bertscore"], weights={"bertscore": str(model)}, bertscore_layer=layer)


def test_greedy_matching_by_hand() -> None:
    first, second, between = [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]
    answer = Embedded(torch.tensor([first, between]), torch.tensor([True, True]))
    reference = Embedded(torch.tensor([second, first]), torch.tensor([True, True]))
    # Answer: 1 and 0.8; reference: 0.8 and 1.
    assert f1(answer, reference) == pytest.approx(0.9)
    # Tokens that the tokenizer adds are matched but look for no match.
    marked = Embedded(torch.tensor([first, between]), torch.tensor([False, True]))
    assert f1(marked, reference) == pytest.approx(2 * 0.8 * 0.9 / 1.7)


PACKAGE = (0.7786104, 0.7850534)


def test_scores_of_the_package_are_reached(model: Path) -> None:
    """Figures of `bert-score` 0.3.13 with the same model, layer 2, on transformers 5.24."""
    score = open_extras(wanted(model))[0].score
    answers, references = ["no effusion .", "left effusion"], ["there is no left effusion", "small effusion s"]
    assert score(answers, references)["bertscore"] == [(pytest.approx(value, abs=1e-5), 1) for value in PACKAGE]


def test_equal_texts_score_one_and_empty_ones_none_at_all(model: Path) -> None:
    found = open_extras(wanted(model))[0].score(["no effusion", "", "left"], ["no effusion", "left", " "])["bertscore"]
    assert found == [(pytest.approx(1, abs=1e-6), 1), (0, 1), (0, 1)]


def test_a_texts_score_does_not_depend_on_its_batch(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radgpt.evaluation.extras.bertscore.BATCH", 2)
    score = open_extras(wanted(model))[0].score
    pairs = [("no effusion", "small effusion"), *((f"left {'small ' * n}effusion", "right") for n in (3, 0, 1, 2))]
    together = score([answer for answer, _ in pairs], [reference for _, reference in pairs])["bertscore"]
    alone = [score([answer], [reference])["bertscore"][0] for answer, reference in pairs]
    assert together == [(pytest.approx((row or (0,))[0], abs=1e-5), 1) for row in alone]


def test_rows_without_a_reference_have_none_and_equal_pairs_are_scored_once(model: Path) -> None:
    extras = open_extras(wanted(model))
    asked: list[int] = []

    def counted(answers: Sequence[str], references: Sequence[str]) -> Columns:
        asked.append(len(answers))
        return extras[0].score(answers, references)

    counting = [Extra("bertscore", counted)]
    rows = [replace(ROW, text="a", reference=None), *[replace(ROW, text="no", reference="no")] * 2]
    scores = score_extras(counting, rows)
    assert asked == [1]
    assert scores == [{"bertscore": None}, *[{"bertscore": (pytest.approx(1, abs=1e-6), 1)}] * 2]
    assert score_extras(counting, rows[:1]) == [{"bertscore": None}]


def test_results_name_the_model_and_its_layer(model: Path) -> None:
    about = open_extras(wanted(model))[0].about
    assert (about["layer"], about["layers"], about["rescaled"], len(about["model_sha256"])) == (2, 3, False, 64)
    assert about["package"].startswith("transformers 5")
    assert list(extra_metrics(wanted(model))) == ["bertscore"]


def test_what_is_missing_is_named_with_its_mend(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"weights are not set; get .* set evaluation.weights.bertscore=FOLDER"):
        open_extras(Evaluation(extras=["bertscore"], bertscore_layer=2))
    with pytest.raises(UserError, match=r"bertscore=/nowhere is no folder"):
        open_extras(Evaluation(extras=["bertscore"], weights={"bertscore": "/nowhere"}, bertscore_layer=2))
    with pytest.raises(UserError, match=r"has no config.json"):
        open_extras(Evaluation(extras=["bertscore"], weights={"bertscore": str(tmp_path)}, bertscore_layer=2))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"cannot be loaded \((?:OSError|ValueError)\); get a BERT-like model's folder"):
        open_extras(wanted(tmp_path))
    with pytest.raises(UserError, match=r"bertscore_layer=null: .*name one"):
        open_extras(wanted(model, None))
    with pytest.raises(UserError, match=r"bertscore_layer=4: the model has layers 1 to 3"):
        open_extras(wanted(model, 4))


def test_no_extras_cost_nothing() -> None:
    assert (open_extras(Evaluation()), extra_metrics(Evaluation())) == ([], {})
