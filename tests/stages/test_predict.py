"""Predictions come in the split's order, survive a kill byte for byte, and never leave a row out silently."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonlines
import pytest
from tiny_model import TINY, greedy, sampled, tiny_model

from radgpt.chat_format import prompt_ids
from radgpt.config import Decoding, Prediction
from radgpt.errors import UserError
from radgpt.inference.generation import Answerer
from radgpt.records import Pair, as_row
from radgpt.run import Run
from radgpt.stages import predict


class Killed(BaseException):
    """Stands for kill -9: nothing that runs after it may matter."""


def pair(number: int, question: str) -> Pair:
    return Pair(
        pair_id=f"r{number}/0",
        report_id=f"r{number}",
        patient_id=f"p{number}",
        task="question_answering",
        split="test",
        messages=[{"role": "user", "content": question}, {"role": "assistant", "content": f"Answer {number}."}],
        report_sha256="",
        instruction_prompt_sha256="",
        answer_prompt_sha256="",
    )


PAIRS = [pair(number, "Is there a fracture? " * (1 + number * 5 % 7)) for number in range(11)]


@pytest.fixture(autouse=True)
def trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radgpt.models.load_trained", lambda checkpoint, model, cache: tiny_model())


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    folder.mkdir()
    with jsonlines.open(folder / "test.jsonl", "w") as file:
        file.write_all(map(as_row, PAIRS))
    (folder / "train.jsonl").touch()
    return folder


def run(directory: Path, dataset: Path, decoding: Decoding, prediction: Prediction | None = None, seed: int = 0) -> Run:
    directory.mkdir(exist_ok=True)
    started = Run(directory=directory, writes=predict.WRITES)
    predict.run(started, dataset, Path("checkpoint"), TINY, decoding, prediction or Prediction(batch_size=3), seed)
    return started


def test_rows_stand_in_the_splits_order_with_the_answers_that_prompts_get_alone(tmp_path: Path, dataset: Path) -> None:
    finished = run(tmp_path / "run", dataset, greedy())
    rows = list(jsonlines.open(finished.path("predictions")))
    assert [row["pair_id"] for row in rows] == [pair.pair_id for pair in PAIRS]
    model, tokenizer = tiny_model()
    for row, asked in zip(rows, PAIRS, strict=True):
        alone = Answerer(model, tokenizer, greedy(), 0).answer(["x"], [prompt_ids(tokenizer, asked.prompt)], 12)[0]
        assert (row["text"], row["finish_reason"], row["new_tokens"]) == (alone.text, alone.finish_reason, alone.new_tokens)
        assert row["reference"] == asked.reference
    summary = finished.summary
    assert summary["rows"] == 11
    assert summary["mean_new_tokens"] == sum(row["new_tokens"] for row in rows) / 11
    assert summary["stopped_share"] == sum(row["finish_reason"] == "stop" for row in rows) / 11
    assert summary["tokens_per_second"] > 0


@pytest.mark.parametrize("decoding", [greedy(), sampled()], ids=["greedy", "sampled"])
def test_killed_and_run_again_gives_the_same_bytes_and_repeats_one_batch_at_most(
    tmp_path: Path, dataset: Path, decoding: Decoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run(tmp_path / "whole", dataset, decoding).path("predictions").read_bytes()
    calls: list[int] = []
    answer = Answerer.answer

    def killed_in_the_third_batch(self: Answerer, names: list[str], *rest: Any) -> Any:
        calls.append(len(names))
        if len(calls) == 3:
            raise Killed
        return answer(self, names, *rest)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Answerer, "answer", killed_in_the_third_batch)
        run(tmp_path / "run", dataset, decoding)
    assert not (tmp_path / "run" / "predictions.jsonl").exists()
    journal = tmp_path / "run" / "answers.journal.jsonl"
    assert len(journal.read_bytes().splitlines()) == 2
    with open(journal, "ab") as file:
        file.write(b'{"key": "torn')

    calls.clear()
    with monkeypatch.context() as patch:
        patch.setattr(Answerer, "answer", lambda self, names, *rest: (calls.append(len(names)), answer(self, names, *rest))[1])
        again = run(tmp_path / "run", dataset, decoding)
    assert sum(calls) == 11 - 6
    assert again.path("predictions").read_bytes() == expected

    calls.clear()
    with monkeypatch.context() as patch:
        patch.setattr(Answerer, "answer", killed_in_the_third_batch)
        third = run(tmp_path / "run", dataset, decoding)
    assert calls == []
    assert third.path("predictions").read_bytes() == expected
    assert "tokens_per_second" not in third.summary


def test_a_changed_seed_or_prompt_is_never_answered_from_the_journal(tmp_path: Path, dataset: Path) -> None:
    first = run(tmp_path / "run", dataset, sampled()).path("predictions").read_bytes()
    assert run(tmp_path / "run", dataset, sampled(), seed=1).path("predictions").read_bytes() != first
    assert run(tmp_path / "run", dataset, sampled()).path("predictions").read_bytes() == first


def test_an_overlong_prompt_counts_as_unanswered_and_is_told(
    tmp_path: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, tokenizer = tiny_model()
    lengths = [len(prompt_ids(tokenizer, pair.prompt)) for pair in PAIRS]
    window = sorted(lengths)[-1]
    monkeypatch.setattr(tiny_model()[0].config, "max_position_embeddings", window)
    finished = run(tmp_path / "run", dataset, greedy())
    rows = list(jsonlines.open(finished.path("predictions")))
    for row, length in zip(rows, lengths, strict=True):
        assert (row["finish_reason"] == "overlong") == (length == window)
        assert length + row["new_tokens"] <= window
    assert finished.summary["overlong"] == lengths.count(window)
    assert f"{lengths.count(window)} of 11 prompts fill the model's window of {window} tokens" in capsys.readouterr().out


def test_limit_takes_the_first_pairs(tmp_path: Path, dataset: Path) -> None:
    finished = run(tmp_path / "run", dataset, greedy(), Prediction(limit=2))
    assert [row["pair_id"] for row in jsonlines.open(finished.path("predictions"))] == ["r0/0", "r1/0"]


def test_an_empty_split_is_a_mistake(tmp_path: Path, dataset: Path) -> None:
    with pytest.raises(UserError, match=r"prediction\.split=train holds no pair"):
        run(tmp_path / "run", dataset, greedy(), Prediction(split="train"))


def test_too_little_memory_names_the_setting(tmp_path: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def full(*arguments: Any, **named: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(tiny_model()[0], "forward", full)
    with pytest.raises(UserError, match=r"prediction\.batch_size: 3 prompts"):
        run(tmp_path / "run", dataset, greedy())


def test_no_text_leaves_through_metrics(tmp_path: Path, dataset: Path) -> None:
    logged: list[Any] = []
    directory = tmp_path / "run"
    directory.mkdir()
    started = Run(directory=directory, writes=predict.WRITES, tracker=SimpleNamespace(log=lambda *what: logged.append(what)))
    predict.run(started, dataset, Path("checkpoint"), TINY, greedy(), Prediction(batch_size=3), 0)
    assert len(logged) == 4
    assert "fracture" not in json.dumps([logged, started.summary])
    assert all(isinstance(value, int | float) for value in started.summary.values())


def test_importing_the_stages_loads_no_torch() -> None:
    code = "import sys; from radgpt.stages import predict, evaluate, chat; print({'torch', 'numpy', 'rich'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"
