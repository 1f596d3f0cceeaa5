"""One answer and out, or a conversation over a pipe; the transcript is always there."""

import io
import json
from pathlib import Path

import jsonlines
import pytest
from tiny_model import TINY, greedy, tiny_model

from radgpt.config import Chat, ChatPrompt
from radgpt.errors import UserError
from radgpt.inference.terminal import printable
from radgpt.records import Pair, Report, as_row
from radgpt.run import Run
from radgpt.stages import chat

REPORT = "FINDINGS: a small left effusion.\nIMPRESSION: effusion."


@pytest.fixture(autouse=True)
def trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radgpt.models.load_trained", lambda checkpoint, model, cache: tiny_model())


@pytest.fixture
def inputs(tmp_path: Path) -> tuple[Path, Path]:
    """(dataset, reports); the first test pair is about the second report."""
    dataset = tmp_path / "dataset"
    dataset.mkdir()
    pair = Pair(
        "r2/0", "r2", "p2", "paraphrasing", "test", [{"role": "user", "content": "?"}, {"role": "assistant", "content": "x"}], "", "", ""
    )
    with jsonlines.open(dataset / "test.jsonl", "w") as file:
        file.write(as_row(pair))
    with jsonlines.open(tmp_path / "reports.jsonl", "w") as file:
        for number, text in enumerate(["FINDINGS: other.", REPORT], start=1):
            file.write(as_row(Report(f"r{number}", f"p{number}", text, {})))
    return dataset, tmp_path / "reports.jsonl"


def run(tmp_path: Path, inputs: tuple[Path, Path], settings: Chat) -> Run:
    started = Run(directory=tmp_path, writes=chat.WRITES)
    prompt = ChatPrompt(system="You read reports.", first_turn="{report}\n{instruction}")
    chat.run(started, Path("checkpoint"), *inputs, TINY, prompt, greedy(), settings, 0)
    return started


def transcript(tmp_path: Path) -> list[dict[str, object]]:
    with jsonlines.open(tmp_path / "transcript.jsonl") as rows:
        return list(rows)


def test_one_message_about_the_sample_report(tmp_path: Path, inputs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    finished = run(tmp_path, inputs, Chat(message="What does this report conclude?", report="sample"))
    (row,) = transcript(tmp_path)
    printed = capsys.readouterr().out
    assert "not for clinical use" in printed
    assert f"Report:\n{REPORT}" in printed
    assert "Question: What does this report conclude?" in printed
    assert printable(str(row["assistant"])) in printed.partition("Answer:\n")[2]
    assert row["user"] == "What does this report conclude?"
    assert finished.summary == {"turns": 1, "conversations": 1, "new_tokens": row["new_tokens"]}
    assert "effusion" not in json.dumps(finished.summary)


def test_a_conversation_over_a_pipe(
    tmp_path: Path, inputs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text(REPORT)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"Is there a fracture?\n/report {tmp_path}/mine.txt\nWhich side?\nWhy?"))
    run(tmp_path, inputs, Chat())
    assert [(row["user"], row["turn"], row["turns_in_view"]) for row in transcript(tmp_path)] == [
        ("Is there a fracture?", 1, 0),
        ("Which side?", 1, 0),
        ("Why?", 2, 1),
    ]
    assert REPORT not in capsys.readouterr().out


def test_the_configured_file_is_loaded_and_not_printed(
    tmp_path: Path, inputs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text(REPORT)
    run(tmp_path, inputs, Chat(message="Why?", report=str(tmp_path / "mine.txt")))
    assert transcript(tmp_path)[0]["report_sha256"] is not None
    assert REPORT not in capsys.readouterr().out


def test_nothing_typed_leaves_an_empty_transcript(tmp_path: Path, inputs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert run(tmp_path, inputs, Chat()).summary["turns"] == 0
    assert transcript(tmp_path) == []


def test_ctrl_c_in_the_one_answer_leaves_the_transcript_and_ends_as_interrupted(
    tmp_path: Path, inputs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = tiny_model()
    forward, calls = model.forward, []

    def interrupted(*arguments: object, **named: object) -> object:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return forward(*arguments, **named)

    monkeypatch.setattr(model, "forward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, inputs, Chat(message="Why?"))
    (row,) = transcript(tmp_path)
    assert (row["finish_reason"], row["new_tokens"]) == ("interrupted", 3)


def test_a_missing_report_file_names_the_setting(tmp_path: Path, inputs: tuple[Path, Path]) -> None:
    with pytest.raises(UserError, match=r"chat\.report=nowhere\.txt"):
        run(tmp_path, inputs, Chat(message="Why?", report="nowhere.txt"))


def test_no_sample_is_a_mistake(tmp_path: Path, inputs: tuple[Path, Path]) -> None:
    inputs[1].write_text("")
    with pytest.raises(UserError, match=r"chat\.report=sample"):
        run(tmp_path, inputs, Chat(message="Why?", report="sample"))
    (inputs[0] / "test.jsonl").write_text("")
    with pytest.raises(UserError, match=r"chat\.report=sample takes a report of the test split"):
        run(tmp_path, inputs, Chat(message="Why?", report="sample"))


def test_a_chat_is_never_skipped_as_done() -> None:
    assert chat.CACHED is False
