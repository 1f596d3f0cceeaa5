"""Scores go to W&B as a table of numbers and bar charts; texts only where `wandb.text` says so, and never credentialed ones."""

from types import SimpleNamespace
from typing import Any

import pytest
from conftest import composed

from radgpt.errors import UserError
from radgpt.run import Run
from radgpt.tracking import WandbTracker, mode_of


@pytest.fixture
def logged() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def wandb_run(logged: list[dict[str, Any]]) -> Any:
    return SimpleNamespace(log=logged.append)


SCORES = {"tuned": {"rougeL": 0.5, "perplexity": 12.0}, "lead": {"rougeL": 0.1, "perplexity": None}}


def test_scores_are_one_table_and_a_chart_for_each_metric(logged: list[dict[str, Any]], wandb_run: Any) -> None:
    WandbTracker(wandb_run).log_scores("scores", SCORES)
    (shown,) = logged
    assert list(shown) == ["scores", "scores/rougeL", "scores/perplexity"]
    assert shown["scores"].columns == ["system", "rougeL", "perplexity"]
    assert shown["scores"].data == [["tuned", 0.5, 12.0], ["lead", 0.1, None]]
    assert shown["scores/perplexity"].table.data == [["tuned", 12.0]]


def test_only_numbers_are_scores(wandb_run: Any) -> None:
    with pytest.raises(ValueError, match="the table scores holds what is no number"):
        WandbTracker(wandb_run).log_scores("scores", {"tuned": {"rougeL": "a text"}})  # type: ignore[dict-item]


def test_names_of_several_words_are_refused(tmp_path: Any) -> None:
    run = Run(directory=tmp_path, writes={})
    with pytest.raises(ValueError, match="a text of several words"):
        run.log_scores("scores", {"There is an effusion": {"rougeL": 0.1}})
    run.log_scores("scores", SCORES)


def test_texts_are_logged_only_where_they_may_be(logged: list[dict[str, Any]], wandb_run: Any) -> None:
    rows = [["r1/0", "Edema?", None, "No."]]
    WandbTracker(wandb_run).log_texts("answers", ["id", "question", "reference", "tuned"], rows)
    assert logged == []
    WandbTracker(wandb_run, texts=True).log_texts("answers", ["id", "question", "reference", "tuned"], rows)
    assert logged[0]["answers"].data == rows


def test_texts_of_credentialed_runs_are_refused_in_every_mode() -> None:
    open_texts = composed("wandb.text=true")
    assert mode_of(open_texts)
    for mode in ("offline", "disabled"):
        with pytest.raises(UserError, match=r"wandb\.text=true would show texts of credentialed runs"):
            mode_of(composed("wandb.text=true", "data.governance=credentialed", f"wandb={mode}"))
