"""Each event is a line at once, with the settings behind it, and no line changes afterwards."""

import json
import stat
import threading
from pathlib import Path
from threading import Event

import pytest
from fake_backend import FakeBackend
from tiny_model import TINY, greedy

from radgpt.config import Backend, ChatPrompt, Governance, Provider
from radgpt.governance.modes import created_for
from radgpt.inference.backend import NamedModel
from radgpt.inference.chat.session import ChatSession
from radgpt.inference.chat.transcript import Transcript, Turn

MODELS = {
    "this": NamedModel("this", TINY, Backend(), greedy(), Path("runs/1/checkpoint")),
    "gpt": NamedModel("gpt", TINY, Backend(provider=Provider.local, model="some-name", base_url="http://127.0.0.1:1/v1"), greedy(), None),
}


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def session(transcript: Transcript, name: str = "this", label: str = "") -> ChatSession:
    return ChatSession(
        FakeBackend(name=name), greedy(), ChatPrompt("You read reports.", "{report} {instruction}"), 0, transcript.append, label
    )


def say(chat: ChatSession, message: str) -> None:
    for _ in chat.reply(message, Event()):
        pass


def test_a_line_stands_in_the_file_as_soon_as_a_turn_is_over(tmp_path: Path) -> None:
    with Transcript(tmp_path / "t.jsonl", MODELS) as transcript:
        assert (tmp_path / "t.jsonl").read_bytes() == b""
        chat = session(transcript)
        chat.open_report("FINDINGS: é clear.")
        say(chat, "Is it clear?")
        (row,) = rows(transcript.path)
        say(chat, "Sure?")
        for _ in chat.retry(Event()):
            pass
        chat.undo()
        told = rows(transcript.path)
    assert told[0] == row
    assert [(turn["turn"], turn["attempt"], turn["event"]) for turn in told] == [
        (1, 1, "asked"),
        (2, 1, "asked"),
        (2, 2, "retried"),
        (2, 2, "undone"),
    ]
    assert (row["user"], row["assistant"], row["finish_reason"]) == ("Is it clear?", "You said: FINDINGS: é clear. Is it clear?", "stop")
    assert row["decoding"] == {**vars(greedy())}
    assert (row["provider"], row["base"], row["checkpoint"]) == ("transformers", "tiny", "runs/1/checkpoint")
    assert {"seed", "report_sha256", "system_sha256", "prompt_tokens", "cached_tokens", "seconds_to_first_token", "time"} <= row.keys()


def test_a_model_behind_an_endpoint_is_told_by_its_name_there(tmp_path: Path) -> None:
    with Transcript(tmp_path / "t.jsonl", MODELS) as transcript:
        say(session(transcript, "gpt"), "Hello.")
        (row,) = rows(transcript.path)
    assert (row["model"], row["provider"], row["base"], row["checkpoint"]) == ("gpt", "local", "some-name", None)


def test_threads_write_whole_lines(tmp_path: Path) -> None:
    with Transcript(tmp_path / "t.jsonl", MODELS) as transcript:

        def talk(label: str) -> None:
            chat = session(transcript, label=label)
            for number in range(20):
                say(chat, f"{label} {number} " + "word " * 200)

        threads = [threading.Thread(target=talk, args=(f"tab {number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told = rows(transcript.path)
    assert len(told) == 80
    for number in range(4):
        assert [turn["turn"] for turn in told if turn["session"] == f"tab {number}"] == list(range(1, 21))


def test_a_late_turn_reaches_no_other_file(tmp_path: Path) -> None:
    with Transcript(tmp_path / "t.jsonl", MODELS) as transcript:
        chat = session(transcript)
    with open(tmp_path / "other", "w"), pytest.raises(OSError):
        say(chat, "Hello.")
    assert (tmp_path / "other").read_bytes() == b""


def test_of_a_credentialed_run_nobody_else_reads_it(tmp_path: Path) -> None:
    with created_for(Governance.credentialed), Transcript(tmp_path / "t.jsonl"):
        pass
    assert stat.S_IMODE((tmp_path / "t.jsonl").stat().st_mode) == 0o600


def test_a_session_fills_every_field_of_its_rows(tmp_path: Path) -> None:
    with Transcript(tmp_path / "t.jsonl", MODELS) as transcript:
        say(session(transcript), "Hello.")
    assert set(Turn.__dataclass_fields__) <= rows(tmp_path / "t.jsonl")[0].keys()
