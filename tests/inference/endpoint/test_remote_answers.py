"""Questions of a file are answered in order, each paid for once, with the end of each named."""

import json
import os
import stat
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from fake_openai import serve
from remote import GREEDY, backend_at, remote, say

from radgpt.config import Decoding, Governance, Model, Provider
from radgpt.errors import DryRunEnd, UserError
from radgpt.inference.backend import Answer, NamedModel, Question
from radgpt.inference.endpoint.remote import RemoteBackend
from radgpt.teacher import sending

SECRET = "sk-test-4b1d"


@pytest.fixture(autouse=True)
def _quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "FIRST_BACKOFF", 0.01)


def questions(count: int) -> list[Question]:
    return [Question(f"q{number}", say(f"row {number}")) for number in range(count)]


def answers(
    backend: RemoteBackend, count: int, journal: Path, decoding: Decoding = GREEDY, seed: int = 0, told: list[Answer] | None = None
) -> list[Answer]:
    return list(backend.answer(questions(count), decoding, seed, journal, (told if told is not None else []).append))


def test_32_questions_at_once_come_in_order_and_a_rerun_asks_nothing(tmp_path: Path) -> None:
    told: list[Answer] = []
    with serve(latency=0.1) as server, remote(server) as backend:
        first = answers(backend, 64, tmp_path / "j", told=told)
        assert [answer.text for answer in first] == [f"reply to row {number}" for number in range(64)]
        assert first[0] == Answer("reply to row 0", "stop", new_tokens=5, prompt_tokens=1)
        assert told == first and server.most_in_flight == 32
        again: list[Answer] = []
        assert answers(backend, 65, tmp_path / "j", told=again)[:64] == first
        assert again == [Answer("reply to row 64", "stop", 5, 1)] and server.asked.total() == 65  # only what is new


def test_each_end_is_named_and_only_failures_are_asked_again(tmp_path: Path) -> None:
    faults = {
        "row 1": ["length"], "row 2": ["filtered"], "row 3": ["refusal"], "row 4": ["empty"], "row 5": repeat("tool_call"),
        "row 6": repeat("500"), "row 7": ["400-context"], "row 8": ["429-ms", "500", "drop"],
    }  # fmt: skip
    with serve(faults) as server, remote(server, max_attempts=4) as backend:
        first = answers(backend, 9, tmp_path / "j")
        assert [answer.finish_reason for answer in first] == [
            "stop", "length", "content_filter", "refusal", "empty", "invalid", "failed", "overlong", "stop",
        ]  # fmt: skip
        assert [answer.text for answer in first if answer.text] == ["reply to row 0", "half a sen", "reply to row 8"]
        assert server.asked["row 1"] == server.asked["row 4"] == 1  # as the model answers, so it is measured
        sent = server.asked.copy()
        assert answers(backend, 9, tmp_path / "j") == first
        assert set(server.asked - sent) == {"row 6"}


def test_an_answer_depends_on_question_decoding_and_seed(tmp_path: Path) -> None:
    with serve() as server, remote(server) as backend:
        for decoding, seed in [(GREEDY, 0), (GREEDY, 1), (Decoding(max_new_tokens=32), 0), (Decoding(max_new_tokens=32, top_k=0), 0)]:
            answers(backend, 1, tmp_path / "j", decoding, seed)
        assert server.asked["row 0"] == 4 and len({body["seed"] for body in server.bodies}) == 2
        answers(backend, 2, tmp_path / "j")
        assert server.asked["row 0"] == 4
        assert server.bodies[-1]["seed"] != server.bodies[0]["seed"]  # rows are not drawn alike


def test_the_journals_of_other_runs_answer_too(tmp_path: Path) -> None:
    told: list[Answer] = []
    with serve() as server:
        with remote(server) as backend:
            first = answers(backend, 3, tmp_path / "one" / "answers.jsonl")
        model = NamedModel("other", Model(), backend_at(server), GREEDY, None)
        second = RemoteBackend(model, Governance.synthetic, earlier=[tmp_path / "none", tmp_path / "one"])
        assert answers(second, 3, tmp_path / "two" / "answers.jsonl", told=told) == first
        assert server.asked.total() == 3 and not told


def test_an_endpoint_that_answers_nothing_ends_the_run(tmp_path: Path) -> None:
    with (
        serve({"*": repeat("500")}) as server,
        remote(server, max_attempts=2) as backend,
        pytest.raises(
            UserError, match=r"answered no question \(failed: HTTP 500\): check the server, backend\.base_url and backend\.timeout"
        ),
    ):
        answers(backend, 3, tmp_path / "j")


@pytest.mark.parametrize(
    ("serving", "settings", "decoding", "says"),
    [
        ({"faults": {"*": repeat("400")}}, {}, GREEDY, "check decoding.temperature=0.0"),
        ({"faults": {"*": repeat("404")}}, {}, GREEDY, "check backend.model=any and backend.base_url"),
        ({"unknown_fields": ["top_k"]}, {}, Decoding(), "set decoding.top_k=0 and decoding.repetition_penalty=1"),
        ({}, {"max_tokens_per_minute": 10}, GREEDY, "decoding.max_new_tokens=32 must not exceed backend.max_tokens_per_minute=10"),
        ({}, {}, Decoding(temperature=3.0), "decoding.temperature=3.0 must lie in [0, 2]"),
    ],
)
def test_settings_at_fault_are_named_as_typed(
    serving: dict[str, Any], settings: dict[str, Any], decoding: Decoding, says: str, tmp_path: Path
) -> None:
    with serve(**serving) as server, remote(server, **settings) as backend, pytest.raises(UserError) as wrong:
        answers(backend, 3, tmp_path / "j", decoding)
    assert says in str(wrong.value) and "SECRET" not in str(wrong.value) and "teacher" not in str(wrong.value)


def test_the_key_is_sent_and_kept_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("TEST_KEY", SECRET)
    caplog.set_level("DEBUG")
    with serve() as server, remote(server, api_key_env="TEST_KEY") as backend:
        answers(backend, 2, tmp_path / "j")
        assert server.keys == {f"Bearer {SECRET}"}
    assert SECRET not in (tmp_path / "j").read_text() and SECRET not in caplog.text
    assert stat.S_IMODE(os.stat(tmp_path / "j").st_mode) == 0o600


def test_a_missing_key_is_told_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_KEY", raising=False)
    with serve() as server, pytest.raises(UserError, match=r"TEST_KEY holds no key: .*backend\.api_key_env"):
        RemoteBackend(NamedModel("this", Model(), backend_at(server, api_key_env="TEST_KEY"), GREEDY, None), Governance.synthetic)


def test_a_dry_run_counts_and_sends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_KEY", raising=False)  # needs no key
    with serve() as server:
        settings = backend_at(server, provider=Provider.openai, model="gpt-4o-mini", api_key_env="TEST_KEY")
        backend = RemoteBackend(NamedModel("this", Model(), settings, GREEDY, None), Governance.synthetic, dry_run=True)
        with pytest.raises(DryRunEnd) as end:
            answers(backend, 10, tmp_path / "j")
        assert backend.window is None
    lines = str(end.value).splitlines()
    assert lines[0] == "dry run of questions with backend=openai, gpt-4o-mini: nothing was sent"
    assert "0 answered in the journal already, 10 to ask" in lines[1] and "at most 320" in lines[2] and "USD" in lines[3]
    assert not server.asked


def test_what_a_journal_says_of_an_answer(tmp_path: Path) -> None:
    with serve({"row 0": ["length"]}) as server, remote(server) as backend:
        answers(backend, 1, tmp_path / "j")
    row = json.loads((tmp_path / "j").read_text())
    assert (row["generation_id"], row["kind"], row["outcome"], row["finish_reason"]) == ("q0", "question", "ok", "length")
