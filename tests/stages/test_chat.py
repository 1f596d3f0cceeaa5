"""One answer and out, or a conversation over a pipe; the transcript is always there."""

import io
import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import jsonlines
import pytest
from conftest import composed
from fake_backend import FakeBackend
from terminal_talk import FakeModels
from tiny_model import TINY, sampled

from radgpt import stages
from radgpt.config import Backend, Chat, ChatPrompt, Data, DataUse, Governance, Source
from radgpt.errors import UserError
from radgpt.records import Pair, Report, as_row
from radgpt.run import Run
from radgpt.stages import chat

REPORT = "FINDINGS: a small left effusion.\nIMPRESSION: effusion."


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> FakeModels:
    """What the stage opens."""
    fake = FakeModels(backends={"this": FakeBackend()})

    @contextmanager
    def opened(named: object, **settings: object) -> Iterator[FakeModels]:
        assert settings["governance"] is Governance.open
        yield fake

    monkeypatch.setattr("radgpt.inference.opening.open_models", opened)
    return fake


@pytest.fixture
def inputs(tmp_path: Path) -> tuple[Path, Path]:
    """(dataset, reports); the first test pairs are about the second report."""
    dataset = tmp_path / "dataset"
    dataset.mkdir()
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "x"}]
    with jsonlines.open(dataset / "test.jsonl", "w") as file:
        for pair, report in (("r2/0", "r2"), ("r2/1", "r2"), ("r1/0", "r1")):
            file.write(as_row(Pair(pair, report, f"p{report}", "paraphrasing", "test", messages, "", "", "")))
    with jsonlines.open(tmp_path / "reports.jsonl", "w") as file:
        for number, text in enumerate(["FINDINGS: other.", REPORT], start=1):
            file.write(as_row(Report(f"r{number}", f"p{number}", text, {})))
    return dataset, tmp_path / "reports.jsonl"


def run(tmp_path: Path, models: FakeModels, settings: Chat, inputs: tuple[Path, Path] | None = None) -> Run:
    started = Run(directory=tmp_path, writes=chat.WRITES, models=models.named)
    prompt = ChatPrompt(system="You read reports.", first_turn="{report}\n{instruction}")
    data = Data(source=Source.openi, governance=Governance.open, path="x")
    chat.run(started, Path("checkpoint"), *(inputs or (None, None)), prompt, TINY, Backend(), sampled(), data, DataUse(), settings, 0)
    return started


def transcript(tmp_path: Path) -> list[dict[str, object]]:
    with jsonlines.open(tmp_path / "transcript.jsonl") as rows:
        return list(rows)


def test_one_message_about_the_sample_report(
    tmp_path: Path, models: FakeModels, inputs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    finished = run(tmp_path, models, Chat(message="What does this report conclude?", report="sample"), inputs)
    (row,) = transcript(tmp_path)
    assert capsys.readouterr().out.splitlines() == [
        "Research software, not for clinical use: answers may be wrong.",
        "",
        "Report:",
        *REPORT.splitlines(),
        "",
        "Question: What does this report conclude?",
        "Answer:",
        "You said: What does this report conclude?",
    ]
    assert row["user"] == "What does this report conclude?"
    assert finished.summary == {"turns": 1, "conversations": 1, "new_tokens": row["new_tokens"]}
    assert "effusion" not in json.dumps(finished.summary)


def test_a_conversation_over_a_pipe(
    tmp_path: Path, models: FakeModels, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text(REPORT)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"Is there a fracture?\n/report {tmp_path}/mine.txt\nWhich side?\nWhy?"))
    finished = run(tmp_path, models, Chat())
    assert [(row["user"], row["turn"], row["turns_in_view"], row["base"]) for row in transcript(tmp_path)] == [
        ("Is there a fracture?", 1, 0, "tiny"),
        ("Which side?", 1, 0, "tiny"),
        ("Why?", 2, 1, "tiny"),
    ]
    assert REPORT not in capsys.readouterr().out
    assert finished.summary["conversations"] == 2


def test_further_samples_are_at_hand(
    tmp_path: Path, models: FakeModels, inputs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("/report sample\nWhy?\n/report sample\n"))
    run(tmp_path, models, Chat(report="sample"), inputs)
    assert models.backends["this"].calls[0].messages[1]["content"] == "FINDINGS: other.\nWhy?"
    assert "the test split has no further report" in capsys.readouterr().out


def test_the_configured_file_is_loaded_and_not_printed(tmp_path: Path, models: FakeModels, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text(REPORT)
    run(tmp_path, models, Chat(message="Why?", report=str(tmp_path / "mine.txt")))
    assert transcript(tmp_path)[0]["report_sha256"] is not None
    assert "effusion" not in capsys.readouterr().out


def test_the_configured_system_prompt_replaces_the_trained_one(tmp_path: Path, models: FakeModels) -> None:
    run(tmp_path, models, Chat(message="Why?", system="Answer in rhyme."))
    assert models.backends["this"].calls[0].messages[0] == {"role": "system", "content": "Answer in rhyme."}


def test_the_model_s_own_decoding_and_the_seed_are_used(tmp_path: Path, models: FakeModels) -> None:
    run(tmp_path, models, Chat(message="Why?"))
    call = models.backends["this"].calls[0]
    assert call.decoding == models.named["this"].decoding
    assert call.seed == transcript(tmp_path)[0]["seed"]


def test_nothing_typed_leaves_an_empty_transcript(tmp_path: Path, models: FakeModels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert run(tmp_path, models, Chat()).summary["turns"] == 0
    assert transcript(tmp_path) == []


def test_ctrl_c_in_the_one_answer_leaves_the_transcript_and_ends_as_interrupted(tmp_path: Path, models: FakeModels) -> None:
    model = models.backends["this"]
    model.hold = Event()
    threading.Thread(target=lambda: (model.begun.wait(5), os.kill(os.getpid(), signal.SIGINT)), daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, models, Chat(message="Why?"))
    (row,) = transcript(tmp_path)
    assert (row["finish_reason"], row["assistant"]) == ("interrupted", "You")


def test_a_model_that_fails_ends_the_one_answer_as_a_mistake(tmp_path: Path, models: FakeModels) -> None:
    models.backends["this"].replies = [UserError("backend: it is gone")]
    with pytest.raises(UserError, match="it is gone"):
        run(tmp_path, models, Chat(message="Why?"))


def test_a_missing_report_file_names_the_setting(tmp_path: Path, models: FakeModels) -> None:
    with pytest.raises(UserError, match=r"chat\.report=nowhere\.txt"):
        run(tmp_path, models, Chat(message="Why?", report="nowhere.txt"))


def test_no_sample_is_a_mistake(tmp_path: Path, models: FakeModels, inputs: tuple[Path, Path]) -> None:
    inputs[1].write_text("")
    with pytest.raises(UserError, match=r"chat\.report=sample"):
        run(tmp_path, models, Chat(message="Why?", report="sample"), inputs)
    (inputs[0] / "test.jsonl").write_text("")
    with pytest.raises(UserError, match=r"chat\.report=sample takes a report of the test split"):
        run(tmp_path, models, Chat(message="Why?", report="sample"), inputs)


def test_what_is_read_follows_from_who_answers_and_about_what() -> None:
    assert stages.reads("chat", composed("model=smollm2_135m", "tuning=none", "chat.report=null")) == ()
    assert stages.reads("chat", composed("model=tiny", "chat.report=null")) == ("checkpoint",)
    assert stages.reads("chat", composed("backend=local", "backend.model=m", "chat.report=sample")) == ("dataset", "reports")


def test_a_chat_is_never_skipped_as_done() -> None:
    assert chat.CACHED is False
