"""Every request ends in a named outcome, in order, whatever the server does; nothing that was paid for is paid again."""

import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from itertools import count, islice, repeat
from pathlib import Path
from typing import Any

import pytest
from fake_openai import MODEL, FakeOpenAI, serve

from radgpt.config import Governance, Judge, Provider, Teacher
from radgpt.errors import UserError
from radgpt.records import Report, canonical_digest
from radgpt.teacher import sending, session
from radgpt.teacher.ask import Reply, Request, open_teacher
from radgpt.teacher.budget import BudgetSpentError
from radgpt.teacher.journal import Journal

SECRET = "sk-test-4b1d"


def teacher_at(server: FakeOpenAI, **settings: Any) -> Teacher:
    fast: dict[str, Any] = {"max_requests_per_minute": 1e6, "max_tokens_per_minute": 1e9, "max_in_flight": 8, "timeout": 10.0}
    return Teacher(**{"provider": Provider.local, "model": "any", "base_url": server.base_url, **fast, **settings})


def row(number: int, kind: str = "instruction") -> Request:
    report = Report(f"s{number}", f"p{number}", "Lungs clear.", {"findings": "Lungs clear."})
    messages = [{"role": "system", "content": "Ask."}, {"role": "user", "content": f"row {number}"}]
    return Request(f"s{number}/0", kind, "question_answering", messages, report)


def ask(
    teacher: Teacher, journal: Path, rows: int, *, governance: Governance = Governance.synthetic, patience: float = 60.0, seed: int = 0
) -> list[Reply]:
    with open_teacher(teacher, governance, seed, journal, patience=patience) as asking:
        return list(asking(row(number) for number in range(rows)))


@pytest.fixture(autouse=True)
def _quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "FIRST_BACKOFF", 0.01)


def test_replies_come_in_order_and_a_rerun_sends_nothing(tmp_path: Path) -> None:
    with serve(latency=0.002) as server:
        first = ask(teacher_at(server), tmp_path / "journal.jsonl", 200)
        sent = server.asked.total()
        again = ask(teacher_at(server), tmp_path / "journal.jsonl", 200)
    assert [reply.text for reply in first] == [f"reply to row {number}" for number in range(200)]
    assert replace(first[0], latency=0.0, request_id=None) == Reply(
        "ok", "reply to row 0", MODEL, prompt_tokens=len("Ask.row 0") // 4, completion_tokens=5, finish_reason="stop"
    )
    assert first[0].latency > 0.002 and str(first[0].request_id).startswith("req_")
    assert again == first
    assert server.asked.total() == sent == 200


def test_every_fault_ends_in_a_named_outcome_and_order_holds(tmp_path: Path) -> None:
    faults = {
        "row 1": ["429", "429-ms", "429-after"],
        "row 2": ["500", "503", "408", "409"],
        "row 3": ["drop", "torn"],
        "row 4": ["length", "length"],
        "row 5": ["empty", "empty"],
        "row 6": repeat("empty"),
        "row 7": ["refusal"],
        "row 8": ["filtered"],
        "row 9": ["azure_filter"],
        "row 10": ["400-context"],
        "row 11": repeat("500"),
        "row 12": repeat("drop"),
        "row 13": ["hang"],
        "row 14": repeat("hang"),
        "row 15": ["html", "bad_json", "no_choices"],
        "row 16": repeat("html"),
        "row 17": ["two_choices"],
        "row 18": repeat("tool_call"),
        "row 19": repeat("422"),
        "row 20": ["trickle"],
        "row 21": ["length"],
    }
    with serve(faults) as server:
        journal = tmp_path / "journal.jsonl"
        replies = ask(teacher_at(server, timeout=0.3, max_attempts=6), journal, 23)
        assert [reply.outcome for reply in replies] == [
            *["ok"] * 4, "dropped: length", "ok", "dropped: empty", "dropped: refusal", "dropped: content_filter",
            "dropped: content_filter", "dropped: length", "failed: HTTP 500", "failed: connection lost", "ok", "failed: timeout",
            "ok", "failed: no chat completion", "ok", "dropped: invalid", "dropped: invalid", "ok", "ok", "ok",
        ]  # fmt: skip
        assert all(bool(reply.text) == (reply.outcome == "ok") for reply in replies)
        assert server.asked["row 1"] == 4  # three refusals, none of them an attempt
        assert server.asked["row 6"] == server.asked["row 18"] == 3
        assert (
            server.asked["row 4"] == 2 and server.asked["row 10"] == 1
        )  # a reply that was cut is asked for again, a prompt too long isn't
        assert server.asked["row 11"] == server.asked["row 12"] == server.asked["row 14"] == 6

        before = server.asked.copy()
        again = ask(teacher_at(server, timeout=0.3, max_attempts=2), journal, 23)
        kept = [number for number, reply in enumerate(replies) if not reply.outcome.startswith("failed")]
        assert [again[number] for number in kept] == [replies[number] for number in kept]
        assert [reply.outcome for reply in again] == [reply.outcome for reply in replies]
        tried_again = server.asked - before
    assert sorted(tried_again) == ["row 11", "row 12", "row 14", "row 16"]  # only what failed


@pytest.mark.parametrize(
    ("fault", "settings", "says"),
    [
        ("400", {}, "check teacher.temperature=1.0"),
        ("401", {"api_key_env": "TEST_KEY"}, "check the key in TEST_KEY (teacher.api_key_env)"),
        ("401", {}, "teacher.api_key_env, which names no variable"),
        ("403", {"api_key_env": "TEST_KEY"}, "whether it may use teacher.model=any"),
        ("404", {}, "check teacher.model=any and teacher.base_url"),
        ("302", {}, "set teacher.base_url to the final address"),
        ("insufficient_quota", {}, "no quota left"),
        ("html", {"max_attempts": 2}, "most often ending in /v1"),
    ],
)
def test_what_no_retry_can_mend_stops_the_run_in_one_line(
    fault: str, settings: dict[str, Any], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", SECRET)
    with serve({"*": repeat(fault)}) as server, pytest.raises(UserError) as stopped:
        ask(teacher_at(server, **settings), tmp_path / "journal.jsonl", 100)
    line = str(stopped.value)
    assert says in line
    assert "\n" not in line
    assert SECRET not in line and "SECRET PROMPT" not in line  # neither the key nor what the server quotes
    assert server.asked.total() < 100


def test_a_fatal_error_stops_at_once_though_earlier_rows_are_still_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "GRACE", 0.2)
    with serve({"row 0": ["hang"], "row 5": ["401"]}) as server:
        begun = time.monotonic()
        with pytest.raises(UserError, match="HTTP 401"):
            ask(teacher_at(server, timeout=30), tmp_path / "journal.jsonl", 20)
        assert time.monotonic() - begun < 10


def test_nothing_accepted_for_too_long_stops_the_run(tmp_path: Path) -> None:
    with serve({"*": repeat("429-ms")}) as server, pytest.raises(UserError, match=r"accepted nothing for \d+ seconds .*too many requests"):
        ask(teacher_at(server), tmp_path / "journal.jsonl", 20, patience=0.5)


def test_a_server_that_is_not_there_is_told_soon(tmp_path: Path) -> None:
    with serve() as server:
        pass
    with pytest.raises(UserError, match="no server can be reached at http://127"):
        ask(teacher_at(server, max_attempts=3), tmp_path / "journal.jsonl", 20)


def test_an_outage_amid_a_run_stops_it_and_fails_no_row(tmp_path: Path) -> None:
    serving = ExitStack()
    server = serving.enter_context(serve())
    with open_teacher(teacher_at(server, max_attempts=1), Governance.synthetic, 0, tmp_path / "j", patience=0.5) as asking:
        assert [reply.outcome for reply in asking([row(0)])] == ["ok"]
        serving.close()
        with pytest.raises(UserError, match="accepted nothing for"):
            list(asking([row(1)]))


def test_the_rules_teacher_needs_no_network_and_no_journal(tmp_path: Path) -> None:
    with open_teacher(Teacher(), Governance.credentialed, 0, tmp_path / "j") as asking:
        replies = list(asking([row(0), row(1)]))
        assert len(replies) == 2 and list(asking([row(0), row(1)])) == replies
    assert not (tmp_path / "j").exists()


def test_a_judge_is_asked_as_a_teacher_is_under_its_own_name(tmp_path: Path) -> None:
    points: list[Mapping[str, float]] = []
    question = Request("q", "judgement", "", [{"role": "user", "content": "Grade."}])
    with serve({"Other.": ["404"]}) as server:
        judge = Judge(Provider.local, "any", base_url=server.base_url, max_requests_per_minute=1e6, max_tokens_per_minute=1e9)
        with open_teacher(judge, Governance.synthetic, 0, tmp_path / "j", log=points.append) as asking:
            assert [reply.text for reply in asking([question])] == ["reply to Grade."]
        assert server.bodies[0]["temperature"] == 0.0
        with (
            pytest.raises(UserError, match=r"check judge\.model=any and judge\.base_url"),
            open_teacher(judge, Governance.synthetic, 0, tmp_path / "j") as asking,
        ):
            list(asking([replace(question, messages=[{"role": "user", "content": "Other."}])]))
        judge.budget.requests = 1
        with (
            pytest.raises(BudgetSpentError, match=r"^judge\.budget\.requests=1 is reached"),
            open_teacher(judge, Governance.synthetic, 0, tmp_path / "j") as asking,
        ):
            list(asking([replace(question, generation_id="r")]))
    assert {name.partition("/")[0] for name in points[-1]} == {"judge"} and points[-1]["judge/done"] == 1


def test_requests_are_taken_in_lazily(tmp_path: Path) -> None:
    taken = 0

    def endless() -> Iterator[Request]:
        nonlocal taken
        for number in count():
            taken += 1
            yield row(number)

    with serve() as server, open_teacher(teacher_at(server, max_in_flight=4), Governance.synthetic, 0, tmp_path / "j") as asking:
        replies = list(islice(asking(endless()), 100))
        assert len(replies) == 100
        assert 100 <= taken <= 100 + 8 * 4
        assert server.most_in_flight <= 4
        assert [reply.text for reply in asking([row(0, "answer")])] == ["reply to row 0"]  # a second call in one context
    assert server.asked["row 0"] == 2  # another kind is another request


def test_what_is_asked_decides_what_the_journal_answers(tmp_path: Path) -> None:
    with serve() as server:
        for changed in ({}, {"temperature": 0.5}, {"max_tokens": 64}, {"model": "other"}):
            ask(teacher_at(server, **changed), tmp_path / "j", 1)
        ask(teacher_at(server), tmp_path / "j", 1, seed=1)
        assert server.asked["row 0"] == 5
        ask(teacher_at(server, max_in_flight=2, timeout=5.0), tmp_path / "j", 1)  # how fast is no part of what
    assert server.asked["row 0"] == 5


def test_the_key_is_sent_and_never_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("TEST_KEY", SECRET + "\n")
    caplog.set_level("DEBUG")
    with serve({"row 1": ["500"]}) as server:
        ask(teacher_at(server, api_key_env="TEST_KEY"), tmp_path / "journal.jsonl", 3)
        assert server.keys == {f"Bearer {SECRET}"}
    assert SECRET not in (tmp_path / "journal.jsonl").read_text()
    assert SECRET not in caplog.text
    assert stat.S_IMODE((tmp_path / "journal.jsonl").stat().st_mode) == 0o600


@pytest.mark.parametrize(("value", "says"), [(None, "TEST_KEY holds no key"), (" ", "TEST_KEY holds no key"), ("sk-\u00e9", "no key has")])
def test_a_key_that_is_none_is_named_by_its_variable(value: str | None, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("TEST_KEY", value)
    with serve() as server, pytest.raises(UserError, match=says) as refused:
        ask(teacher_at(server, api_key_env="TEST_KEY"), tmp_path / "j", 1)
    assert "teacher.api_key_env" in str(refused.value)
    assert server.asked.total() == 0


def test_azure_and_openai_speak_their_own_dialects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", SECRET)
    with serve() as server:
        azure = {
            "provider": Provider.azure,
            "base_url": server.root,
            "api_version": "2024-10-21",
            "api_key_env": "TEST_KEY",
            "model": "deployed",
        }
        assert [reply.outcome for reply in ask(teacher_at(server, **azure), tmp_path / "j", 1)] == ["ok"]
        assert server.paths == {"/openai/deployments/deployed/chat/completions?api-version=2024-10-21"}
        assert server.keys == {SECRET}
        ask(teacher_at(server, provider=Provider.openai, api_key_env="TEST_KEY"), tmp_path / "j", 1)
        assert server.bodies[-1]["max_completion_tokens"] == 512 and "seed" not in server.bodies[-1]
        ask(teacher_at(server), tmp_path / "j", 2)
        assert server.bodies[-1]["max_tokens"] == 512
        assert server.bodies[-1]["seed"] != server.bodies[-2]["seed"]


def test_limits_are_kept(tmp_path: Path) -> None:
    with serve(requests_per_minute=600) as server:
        replies = ask(teacher_at(server, max_requests_per_minute=600, max_in_flight=32), tmp_path / "j", 30)
    assert {reply.outcome for reply in replies} == {"ok"}
    assert server.refused == 0
    seconds = server.times[-1] - server.times[0]
    assert 2.5 < seconds < 5  # 30 requests at 10 a second
    assert max(sum(begin <= moment < begin + 1 for moment in server.times) for begin in server.times) <= 14


@pytest.mark.parametrize("azure", [False, True])
def test_a_limit_that_was_told_too_high_costs_no_row(azure: bool, tmp_path: Path) -> None:
    with serve(requests_per_minute=1200, azure=azure) as server:
        replies = ask(teacher_at(server, max_requests_per_minute=6000, max_in_flight=16), tmp_path / "j", 60)
    assert {reply.outcome for reply in replies} == {"ok"}
    assert 0 < server.refused < 30


def test_limits_in_headers_are_kept_before_any_is_passed(tmp_path: Path) -> None:
    with serve(requests_per_minute=1200, tell_limits=True, latency=0.02) as server:
        replies = ask(teacher_at(server, max_requests_per_minute=2400, max_in_flight=16), tmp_path / "j", 60)
    assert {reply.outcome for reply in replies} == {"ok"}
    assert server.refused == 0 and server.times[-1] - server.times[0] > 2


def test_a_cut_reply_is_asked_for_with_twice_the_room_and_all_of_it_is_counted(tmp_path: Path) -> None:
    with serve({"row 0": ["length"], "row 1": ["length"]}) as server:
        (reply,) = ask(teacher_at(server, max_tokens=40), tmp_path / "j", 1)
        assert [body["max_tokens"] for body in server.bodies] == [40, 80]
        assert (reply.outcome, reply.attempts, reply.completion_tokens) == ("ok", 2, 10)
        assert ask(teacher_at(server, max_tokens=40), tmp_path / "j", 1) == [reply]  # found under the body that was first sent
        narrow = teacher_at(server, max_tokens=40, max_tokens_per_minute=60)  # twice the room is more than a minute allows
        with open_teacher(narrow, Governance.synthetic, 0, tmp_path / "other") as asking:
            assert [reply.outcome for reply in asking([row(1)])] == ["dropped: length"]
        assert server.asked["row 1"] == 1


def test_the_journal_says_what_was_asked_and_what_came(tmp_path: Path) -> None:
    with serve({"row 1": ["500", "filtered"]}) as server:
        ask(teacher_at(server), tmp_path / "j", 2)
    first, second = (json.loads(line) for line in (tmp_path / "j").read_text().splitlines())
    assert (first["generation_id"], first["kind"], first["task"]) == ("s0/0", "instruction", "question_answering")
    assert (first["outcome"], first["finish_reason"], first["attempts"], first["model"]) == ("ok", "stop", 1, MODEL)
    assert first["prompt_sha256"] == canonical_digest(row(0).messages) and first["request_id"].startswith("req_")
    assert abs(datetime.fromisoformat(first["started"]).timestamp() - time.time()) < 60
    assert (second["outcome"], second["finish_reason"], second["attempts"], second["text"]) == (
        "dropped: content_filter", "content_filter", 2, "",
    )  # fmt: skip


def test_replies_of_another_shape_drop_no_row_where_none_was_ever_right(tmp_path: Path) -> None:
    """Most likely the address is wrong: a rerun with the right one must ask all of them."""
    with serve({"*": repeat("tool_call")}) as server:
        assert {reply.outcome for reply in ask(teacher_at(server), tmp_path / "j", 3)} == {"failed: no usable completion"}
    with serve() as server:
        assert {reply.outcome for reply in ask(teacher_at(server), tmp_path / "j", 3)} == {"ok"}


def test_most_faults_at_once_lose_no_row(tmp_path: Path) -> None:
    rows, draw = 300, random.Random(0)
    kinds = ["500", "503", "drop", "html", "bad_json", "length", "filtered", "refusal", "azure_filter", "empty", "torn"]
    faults = {f"row {number}": [draw.choice(kinds) for _ in range(draw.choice([0, 0, 0, 1, 2, 3]))] for number in range(rows)}
    with serve(faults, requests_per_minute=12_000) as server:
        replies = ask(teacher_at(server, max_in_flight=32, max_requests_per_minute=12_000), tmp_path / "j", rows)
    assert len(replies) == rows
    assert {reply.outcome for reply in replies} <= {
        "ok", "dropped: length", "dropped: content_filter", "dropped: refusal", "dropped: empty",
    }  # fmt: skip
    for number, reply in enumerate(replies):
        assert reply.text == (f"reply to row {number}" if reply.outcome == "ok" else "")
        if not faults[f"row {number}"]:
            assert reply.outcome == "ok"


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    with serve() as server, Journal(tmp_path / "j"), pytest.raises(UserError, match="is in use by another process"):
        ask(teacher_at(server), tmp_path / "j", 1)


def test_ctrl_c_ends_cleanly_and_a_rerun_continues(tmp_path: Path) -> None:
    with serve(latency=0.01) as server:
        teacher = teacher_at(server)
        threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            ask(teacher, tmp_path / "j", 100_000)
        assert not [thread for thread in threading.enumerate() if thread.name == "teacher"]
        with Journal(tmp_path / "j") as journal:  # unlocked, whole
            done = len(journal)
        assert done > 10
        ask(teacher, tmp_path / "j", done)
        assert server.answered.total() <= done + 3 * teacher.max_in_flight


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_asking import ask, teacher_at
from fake_openai import FakeOpenAI
ask(teacher_at(FakeOpenAI({url!r})), Path({journal!r}), 300)
"""


@pytest.mark.slow
def test_killed_thrice_with_torn_lines_nothing_is_lost_and_little_is_paid_twice(tmp_path: Path) -> None:
    here = Path(__file__)
    journal = tmp_path / "journal.jsonl"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(here.parents[2]), str(here.parents[1])])}
    with serve(latency=0.05) as server:
        script = KILLED.format(tests=str(here.parent), url=server.base_url, journal=str(journal))
        for share in (50, 120, 200):
            process = subprocess.Popen([sys.executable, "-c", script], env=environment)
            deadline = time.monotonic() + 60
            while not journal.exists() or journal.read_bytes().count(b"\n") < share:
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.01)
            process.kill()
            process.wait()
            with open(journal, "ab") as file:
                file.write(b'{"key":"00')
        replies = ask(teacher_at(server), journal, 300)
        assert [reply.text for reply in replies] == [f"reply to row {number}" for number in range(300)]
        rows = [json.loads(line) for line in journal.read_text().splitlines()]
        assert len(rows) == len({row["key"] for row in rows}) == 300
        assert server.answered.total() <= 300 + 3 * 8  # at most what was under way at each kill
