"""Predictions come in the questions' order, survive a kill byte for byte, and never leave a row out silently."""

import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import jsonlines
import pytest
from fake_backend import FakeBackend
from tiny_model import TINY, greedy, sampled, tiny_model

from radgpt.config import Backend, ChatPrompt, DataUse, Decoding, Governance, Prediction, Provider
from radgpt.errors import UserError
from radgpt.inference import opening
from radgpt.inference.backend import Answer, NamedModel, Question
from radgpt.inference.local.in_process import InProcess
from radgpt.inference.local.network import Network
from radgpt.records import Pair, as_row
from radgpt.run import Run
from radgpt.stages import predict

PROMPT = ChatPrompt(system="You read reports.", first_turn="{report}\n\n{instruction}")


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


@dataclass
class Opened:
    """What `open_models` was given, and the one backend that it gives."""

    backend: Any
    given: dict[str, Any]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Let a backend that repeats the question answer; tests may put another in its place."""
    found = Opened(FakeBackend(), {})

    @contextmanager
    def open_models(named: dict[str, NamedModel], **given: Any) -> Iterator[Any]:
        found.given |= {"named": named, **given}
        yield SimpleNamespace(open=lambda name: found.backend, names=list(named))
        found.backend.close()

    monkeypatch.setattr(opening, "open_models", open_models)
    return found


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    folder.mkdir()
    with jsonlines.open(folder / "test.jsonl", "w") as file:
        file.write_all(map(as_row, PAIRS))
    (folder / "train.jsonl").touch()
    return folder


def run(
    directory: Path,
    dataset: Path | None,
    decoding: Decoding | None = None,
    prediction: Prediction | None = None,
    seed: int = 0,
    **more: Any,
) -> Run:
    directory.mkdir(exist_ok=True)
    backend, decoding = Backend(provider=Provider.transformers), decoding or greedy()
    models = {"mine": NamedModel("mine", TINY, backend, decoding, Path("checkpoint"))}
    started = Run(directory=directory, writes=predict.WRITES, models=models, governance=Governance.open, **more)
    predict.run(
        started, dataset, Path("checkpoint"), TINY, backend, decoding, prediction or Prediction(batch_size=3), PROMPT, DataUse(), seed
    )
    return started


def rows_of(finished: Run) -> list[dict[str, Any]]:
    return list(jsonlines.open(finished.path("predictions")))


def questions(tmp_path: Path, *rows: dict[str, Any]) -> Prediction:
    with jsonlines.open(tmp_path / "questions.jsonl", "w") as file:
        file.write_all(rows)
    return Prediction(file=str(tmp_path / "questions.jsonl"))


def test_each_pair_gets_a_row_in_the_splits_order(tmp_path: Path, dataset: Path, opened: Opened) -> None:
    finished = run(tmp_path / "run", dataset)
    rows = rows_of(finished)
    assert [row["pair_id"] for row in rows] == [one.pair_id for one in PAIRS]
    assert rows[1] == {
        "pair_id": "r1/0",
        "report_id": "r1",
        "patient_id": "p1",
        "task": "question_answering",
        "text": "You said: " + "Is there a fracture? " * 2 + "Is there a fracture?",
        "reference": "Answer 1.",
        "finish_reason": "length",
        "new_tokens": 12,
        "reference_nll": 2.0,
        "reference_tokens": 2,
    } | {key: rows[1][key] for key in ("text", "finish_reason", "new_tokens")}
    assert [call.messages for call in opened.backend.calls] == [one.prompt for one in PAIRS]
    assert opened.backend.closed
    assert opened.given["governance"] is Governance.open and opened.given["batch_size"] == 3
    assert list(opened.given["named"]) == ["mine"]


def test_the_summary_counts_every_way_to_end_and_the_perplexity_of_references(tmp_path: Path, dataset: Path, opened: Opened) -> None:
    finished = run(tmp_path / "run", dataset)
    rows, summary = rows_of(finished), finished.summary
    reasons = {reason: sum(row["finish_reason"] == reason for row in rows) for reason in ("stop", "length")}
    assert reasons["stop"] > 0 and reasons["length"] > 0 and sum(reasons.values()) == 11
    assert {reason: summary[reason] for reason in reasons} == reasons
    assert (summary["rows"], summary["stopped_share"]) == (11, reasons["stop"] / 11)
    assert summary["mean_new_tokens"] == sum(row["new_tokens"] for row in rows) / 11
    assert summary["reference_perplexity"] == pytest.approx(math.e)
    assert summary["tokens_per_second"] > 0


def test_references_are_measured_only_if_asked_for(tmp_path: Path, dataset: Path, opened: Opened) -> None:
    finished = run(tmp_path / "run", dataset, prediction=Prediction(score_references=False))
    assert "reference_perplexity" not in finished.summary
    assert {(row["reference_nll"], row["reference_tokens"]) for row in rows_of(finished)} == {(None, 0)}
    assert rows_of(finished)[0]["reference"] == "Answer 0."


def test_a_file_is_answered_without_a_dataset(tmp_path: Path, opened: Opened) -> None:
    asked = questions(
        tmp_path,
        {"id": "a", "report": "Clear lungs.", "question": "Edema?", "reference": "No."},
        {"messages": [{"role": "user", "content": "Sure?"}]},
    )
    rows = rows_of(run(tmp_path / "run", None, prediction=asked))
    assert [(row["pair_id"], row["patient_id"], row["task"], row["text"], row["reference"]) for row in rows] == [
        ("a", "a", "question", "You said: Edema?", "No."),
        ("2", "2", "question", "You said: Sure?", None),
    ]
    assert opened.backend.calls[0].messages == [
        {"role": "system", "content": "You read reports."},
        {"role": "user", "content": "Clear lungs.\n\nEdema?"},
    ]


def test_a_wrong_line_ends_the_run_before_a_model_is_opened(tmp_path: Path, opened: Opened) -> None:
    asked = questions(tmp_path, {"question": "Edema?"}, {"report": "secret"})
    with pytest.raises(UserError, match=r"questions\.jsonl, line 2: neither messages nor a question"):
        run(tmp_path / "run", None, prediction=asked)
    assert not opened.given


def test_rows_are_written_while_answers_come(tmp_path: Path, dataset: Path, opened: Opened) -> None:
    seen: list[int] = []
    partial = tmp_path / "run" / ".predictions.jsonl.partial"
    sizes: list[int] = []

    class Slow(FakeBackend):
        def answer(self, asked: Iterable[Question], *rest: Any) -> Iterator[Answer]:
            for answer in super().answer(self.counted(asked), *rest):
                sizes.append(partial.stat().st_size)
                yield answer

        def counted(self, asked: Iterable[Question]) -> Iterator[Question]:
            for question in asked:
                seen.append(len(self.calls))
                yield question

    opened.backend = Slow(otherwise=lambda messages: "x" * 9000)
    run(tmp_path / "run", dataset)
    assert seen == list(range(11)), "questions are read as they are asked"
    assert sizes[-1] > 8 * 9000


@pytest.mark.parametrize("decoding", [greedy(), sampled()], ids=["greedy", "sampled"])
def test_killed_and_run_again_gives_the_same_bytes_and_repeats_one_batch_at_most(
    tmp_path: Path, dataset: Path, decoding: Decoding, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, tokenizer = tiny_model()
    without = Prediction(batch_size=3, score_references=False)  # a likelihood's last bits depend on what is measured with it
    opened.backend = InProcess("mine", Network(network), tokenizer, batch_size=3)
    expected = run(tmp_path / "whole", dataset, decoding, without).path("predictions").read_bytes()
    now: Callable[[predict.Told, Answer], None] = predict.Told.now
    made: list[int] = []

    def killed_after_seven(told: predict.Told, answer: Answer) -> None:
        made.append(answer.new_tokens)
        if len(made) == 7:
            raise Killed
        now(told, answer)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(predict.Told, "now", killed_after_seven)
        run(tmp_path / "run", dataset, decoding, without)
    assert not (tmp_path / "run" / "predictions.jsonl").exists()
    with open(tmp_path / "run" / "journal.jsonl", "ab") as file:
        file.write(b'{"key": "torn')

    made.clear()
    with monkeypatch.context() as patch:
        patch.setattr(predict.Told, "now", lambda told, answer: (made.append(answer.new_tokens), now(told, answer)))
        again = run(tmp_path / "run", dataset, decoding, without)
    assert 11 - 7 <= len(made) <= 11 - 7 + 3
    assert again.path("predictions").read_bytes() == expected

    made.clear()
    with monkeypatch.context() as patch:
        patch.setattr(predict.Told, "now", killed_after_seven)
        third = run(tmp_path / "run", dataset, decoding, without)
    assert made == [] and "tokens_per_second" not in third.summary
    assert third.path("predictions").read_bytes() == expected


def test_an_overlong_prompt_counts_as_unanswered_and_is_told(
    tmp_path: Path, dataset: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from radgpt.chat_format import prompt_ids

    network, tokenizer = tiny_model()
    lengths = [len(prompt_ids(tokenizer, one.prompt)) for one in PAIRS]
    window = max(lengths)
    monkeypatch.setattr(network.config, "max_position_embeddings", window)
    opened.backend = InProcess("mine", Network(network), tokenizer, batch_size=3)
    finished = run(tmp_path / "run", dataset)
    for row, length in zip(rows_of(finished), lengths, strict=True):
        assert (row["finish_reason"] == "overlong") == (length == window)
        assert length + row["new_tokens"] <= window
    assert finished.summary["overlong"] == lengths.count(window)
    assert f"{lengths.count(window)} of 11 prompts leave no room in the model's window" in capsys.readouterr().out


def test_limit_takes_the_first_questions(tmp_path: Path, dataset: Path, opened: Opened) -> None:
    finished = run(tmp_path / "run", dataset, prediction=Prediction(limit=2))
    assert [row["pair_id"] for row in rows_of(finished)] == ["r0/0", "r1/0"]
    assert len(opened.backend.calls) == 2


def test_nothing_to_ask_is_a_mistake(tmp_path: Path, dataset: Path, opened: Opened) -> None:
    with pytest.raises(UserError, match=r"prediction\.split=train holds no pair"):
        run(tmp_path / "run", dataset, prediction=Prediction(split="train"))
    with pytest.raises(UserError, match=r"prediction\.file=.*questions\.jsonl holds no question"):
        run(tmp_path / "run", None, prediction=questions(tmp_path))


def test_no_text_leaves_through_metrics(tmp_path: Path, dataset: Path, opened: Opened) -> None:
    logged: list[Any] = []
    finished = run(tmp_path / "run", dataset, tracker=SimpleNamespace(log=lambda *what: logged.append(what)))
    assert len(logged) == 11 and logged[-1][1:] == ("predict/answers", 11)
    assert "fracture" not in json.dumps([logged, finished.summary])
    assert all(isinstance(value, int | float) for value in finished.summary.values())


def test_a_model_that_stops_early_ends_the_run(tmp_path: Path, dataset: Path, opened: Opened) -> None:
    class Short(FakeBackend):
        def answer(self, asked: Iterable[Question], *rest: Any) -> Iterator[Answer]:
            yield from list(super().answer(asked, *rest))[:-1]

    opened.backend = Short(hold=Event())
    opened.backend.hold.set()
    with pytest.raises(ValueError, match="shorter"):
        run(tmp_path / "run", dataset)
    assert not (tmp_path / "run" / "predictions.jsonl").exists()


def test_importing_the_stages_loads_no_torch() -> None:
    code = (
        "import sys; from radgpt.stages import predict, evaluate, chat, compare; "
        "print({'torch', 'rich', 'wandb', 'openai', 'jinja2', 'sklearn'} & sys.modules.keys())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"
