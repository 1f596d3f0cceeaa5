"""Batches end in the same outcomes as calls, and nothing is submitted twice wherever a run is cut off."""

import json
import os
import ssl
from collections.abc import Callable
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from conftest import composed
from fake_batch import FakeBatch, serve_batches
from fake_openai import MODEL, serve

from radgpt.config import Budget, Governance, Provider, Teacher, TeacherMode
from radgpt.errors import UserError
from radgpt.governance.endpoints import endpoint_of
from radgpt.mistakes import explain
from radgpt.records import Report
from radgpt.teacher.ask import QUESTION, Reply, Request, open_teacher
from radgpt.teacher.batch import service, session
from radgpt.teacher.batch.parts import Limits, Parts, Row
from radgpt.teacher.batch.service import BatchService
from radgpt.teacher.budget import BudgetSpentError
from radgpt.teacher.journal import Journal

CERTIFICATES = ssl.create_default_context()
"""Read once: each reading takes as long as the test of a whole batch."""


class Killed(BaseException):
    """Stands for a kill -9: nothing that runs afterwards may be relied on."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-test-4b1d")
    monkeypatch.setattr(session, "FIRST_LOOK", 0.005)
    monkeypatch.setattr(service, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(service, "trusted", lambda endpoint: CERTIFICATES)


def teacher_at(server: FakeBatch, **settings: Any) -> Teacher:
    chosen: dict[str, Any] = {"provider": Provider.openai, "model": "gpt-4o-mini", "base_url": server.base_url, "api_key_env": "TEST_KEY"}
    return Teacher(**chosen | {"mode": TeacherMode.batch, "max_tokens": 100} | settings)


def row(number: int) -> Request:
    report = Report(f"s{number}", f"p{number}", "Lungs clear.", {"findings": "Lungs clear."})
    return Request(f"s{number}/0", "answer", "paraphrasing", [{"role": "user", "content": f"row {number}"}], report, prompt_version="1")


def ask(teacher: Teacher, folder: Path, rows: int, **more: Any) -> list[Reply]:
    with open_teacher(teacher, Governance.open, 0, folder / "journal.jsonl", **more) as asking:
        return list(asking(row(number) for number in range(rows)))


def limit(monkeypatch: pytest.MonkeyPatch, rows: int, size: int = 1 << 20) -> None:
    monkeypatch.setitem(service.LIMITS, Provider.openai, Limits(rows, size))


def test_replies_come_in_order_at_half_the_price_and_a_rerun_submits_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, 4)
    with serve_batches(reply=lambda messages: f"reply to\u2028{messages[-1]['content']}") as server:
        first = ask(teacher_at(server), tmp_path, 10)
        again = ask(teacher_at(server), tmp_path, 10)
    assert [reply.text for reply in first] == [f"reply to\u2028row {number}" for number in range(10)]
    half = (len("row 0") // 4 * 0.15 + 5 * 0.60) / 2 / 1e6
    assert first[0] == Reply("ok", "reply to\u2028row 0", MODEL, 1, 5, pytest.approx(half), "req-row 0", finish_reason="stop")
    assert again == first and server.charged == {f"row {number}": 1 for number in range(10)}
    assert server.sizes == [4, 4, 2] and server.urls == {"/v1/chat/completions"}
    assert server.files == {}  # nothing is left at the provider, and nothing but the list of parts here
    assert [path.name for path in (tmp_path / "batches").iterdir()] == ["state.jsonl"]
    with Journal(tmp_path / "journal.jsonl") as journal:
        assert journal.spent.tokens == 60 and journal.spent.usd == pytest.approx(10 * half)


def test_a_file_never_exceeds_the_provider_s_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, 100, 900)
    with serve_batches() as server:
        assert len(ask(teacher_at(server), tmp_path, 8)) == 8
    assert len(server.sizes) > 2 and max(server.sizes) <= 3


def test_azure_is_spoken_to_in_its_own_words(tmp_path: Path) -> None:
    with serve_batches() as server:
        teacher = teacher_at(server, provider=Provider.azure, base_url=server.root, api_version="2024-10-21")
        assert [reply.outcome for reply in ask(teacher, tmp_path, 2)] == ["ok", "ok"]
    assert server.urls == {"/chat/completions"} == {found["endpoint"] for found in server.batches.values()}
    assert all(path.startswith("/openai/") and "api-version=2024-10-21" in path for path in server.paths)


def test_every_row_ends_in_the_outcome_that_a_call_would_have(tmp_path: Path) -> None:
    faults = {
        "row 1": ["length"],
        "row 2": repeat("length"),
        "row 3": ["empty", "empty"],
        "row 4": repeat("empty"),
        "row 5": ["filtered"],
        "row 6": ["400-context"],
        "row 7": ["500", "429", "missing"],
        "row 8": repeat("503"),
        "row 9": repeat("missing"),
    }
    with serve_batches(faults) as server:
        replies = ask(teacher_at(server, max_attempts=4), tmp_path, 10)
        assert [reply.outcome for reply in replies] == [
            "ok", "ok", "dropped: length", "ok", "dropped: empty", "dropped: content_filter", "dropped: length", "ok",
            "failed: HTTP 503", "failed: no answer in the batch",
        ]  # fmt: skip
        assert [reply.attempts for reply in replies] == [1, 2, 2, 3, 3, 1, 1, 4, 4, 4]
        assert replies[4].completion_tokens == 15  # all three are paid for
        assert server.sizes == [10, 7, 5, 3]
        before = server.charged.copy()
        again = ask(teacher_at(server, max_attempts=1), tmp_path, 10)
        assert [one.outcome for one in again] == [one.outcome for one in replies]
        assert server.charged == before and server.sizes[4:] == [2]  # only what failed


@pytest.mark.parametrize(("ending", "charged"), [("expired", 1), ("cancelled", 1), ("failed", 1)])
def test_what_a_batch_left_open_is_asked_in_the_next(ending: str, charged: int, tmp_path: Path) -> None:
    with serve_batches(endings=[ending]) as server:
        assert [reply.outcome for reply in ask(teacher_at(server), tmp_path, 6)] == ["ok"] * 6
    assert len(server.batches) == 2
    assert set(server.charged.values()) == {charged}


def test_a_batch_that_never_ends_well_fails_its_rows(tmp_path: Path) -> None:
    with serve_batches(endings=repeat("cancelled")) as server:
        assert {reply.outcome for reply in ask(teacher_at(server, max_attempts=2), tmp_path, 3)} == {"failed: batch_cancelled"}
    assert len(server.batches) == 2


def test_a_refused_batch_stops_the_run_with_advice_and_is_submitted_anew(tmp_path: Path) -> None:
    with serve_batches(endings=["failed:model_not_found"]) as server:
        with pytest.raises(UserError, match=r"refuses the batch \(model_not_found\): check that teacher.model=gpt-4o-mini") as stopped:
            ask(teacher_at(server), tmp_path, 3)
        assert "SECRET" not in str(stopped.value)
        assert [reply.outcome for reply in ask(teacher_at(server), tmp_path, 3)] == ["ok"] * 3


def test_a_full_queue_holds_batches_back_and_one_too_small_halves_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "SMALLEST_PART", 2)
    limit(monkeypatch, 8)
    with serve_batches(queue=8) as server:
        ask(teacher_at(server), tmp_path / "held", 16)
        assert server.sizes == [8, 8]
    with serve_batches(queue=5) as server:
        assert len(ask(teacher_at(server), tmp_path / "halved", 16)) == 16
        assert sum(server.sizes) == 16 and max(server.sizes) <= 5 and set(server.charged.values()) == {1}
    with serve_batches(queue=1) as server, pytest.raises(UserError, match="does not take even"):
        ask(teacher_at(server), tmp_path / "hopeless", 16)


def test_a_lost_answer_to_a_creation_makes_no_second_batch(tmp_path: Path) -> None:
    with serve_batches(lose_creations=1) as server:
        ask(teacher_at(server), tmp_path, 3)
    assert len(server.batches) == 1


def steps(monkeypatch: pytest.MonkeyPatch, fatal: int | None) -> list[str]:
    """Count what a pass does to the world, and be killed just before the step `fatal`; gives the steps done."""
    done: list[str] = []

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **more: Any) -> Any:
            if fatal == len(done):
                raise Killed
            done.append(name)
            return real(*arguments, **more)

        return step

    for owner, names in ((BatchService, ("upload", "create", "look", "download", "delete")), (Parts, ("commit",)), (Journal, ("put",))):
        for name in names:
            monkeypatch.setattr(owner, name, counted(name, getattr(owner, name)))
    return done


def test_a_run_that_is_killed_anywhere_goes_on_and_submits_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, 3)
    monkeypatch.setattr(os, "fsync", lambda file: None)  # guards against power cuts, not kills, and takes most of the time
    faults = {"row 1": ["500"], "row 4": ["empty"]}
    with monkeypatch.context() as patch, serve_batches(faults) as server:
        whole = steps(patch, None)
        wanted = ask(teacher_at(server), tmp_path / "whole", 5)
        charged, sizes = server.charged.copy(), server.sizes
    assert {"upload", "create", "look", "download", "delete", "commit", "put"} <= set(whole)
    for fatal in range(len(whole)):
        folder = tmp_path / str(fatal)
        with serve_batches(faults) as server:
            with monkeypatch.context() as patch, pytest.raises(Killed):
                steps(patch, fatal)
                ask(teacher_at(server), folder, 5)
            place = f"killed before step {fatal}, {whole[fatal]}"
            assert ask(teacher_at(server), folder, 5) == wanted, place
            assert server.charged == charged and sorted(server.sizes) == sorted(sizes), place
        lines = (folder / "journal.jsonl").read_text().splitlines()
        assert len({json.loads(line)["key"] for line in lines}) == len(lines) == 5, place


def test_ctrl_c_leaves_the_batch_there_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with serve_batches() as server:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(BatchService, "look", interrupt)
            ask(teacher_at(server), tmp_path, 3)
        assert "batches left running at the provider: 1; the same command picks them up" in capsys.readouterr().err
        with pytest.raises(UserError, match=r"batches of this run are under way: set teacher.mode=batch"):
            ask(teacher_at(server, mode=TeacherMode.live), tmp_path, 3)
        assert len(ask(teacher_at(server), tmp_path, 3)) == 3
    assert len(server.batches) == 1


def die(*_: Any) -> None:
    raise Killed


@pytest.mark.parametrize(("step", "unknown"), [("create", "file file-1"), ("look", "batch batch_1")])
def test_what_the_provider_does_not_know_is_never_submitted_anew_unasked(
    step: str, unknown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_batches() as server, monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(BatchService, step, die)
        ask(teacher_at(server), tmp_path, 3)
    with serve_batches() as other, pytest.raises(UserError, match=f"does not know the {unknown}: .* another key or address"):
        ask(teacher_at(other), tmp_path, 3)
    assert not other.batches


def test_a_provider_that_cannot_be_reached_stops_the_run_and_not_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_batches() as server, monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(BatchService, "look", die)
        ask(teacher_at(server), tmp_path, 3)
    with pytest.raises(UserError, match=r"has answered no call for 0 seconds: .*batches under way go on there"):
        ask(teacher_at(server), tmp_path, 3, patience=0.05)


def test_what_fits_a_budget_is_asked_and_kept_before_the_run_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_batches() as server:
        # Each row may take 1 token of prompt and 100 of reply; what it takes is 1 and 5.
        with pytest.raises(BudgetSpentError, match=r"teacher.budget.tokens=310 is reached \(3 replies, 18 tokens"):
            ask(teacher_at(server, budget=Budget(tokens=310)), tmp_path, 30)
        assert server.sizes == [3]
        monkeypatch.setattr(session, "SMALLEST_PART", 2)
        with pytest.raises(BudgetSpentError, match=r"\(6 replies, 36 tokens"):
            ask(teacher_at(server, budget=Budget(tokens=230)), tmp_path, 30)
        assert server.sizes == [3, 2, 1]
        assert len(ask(teacher_at(server, budget=Budget(tokens=4000)), tmp_path, 30)) == 30
    assert server.charged == {f"row {number}": 1 for number in range(30)}


def test_rounds_are_told_before_anything_is_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve_batches() as server, open_teacher(teacher_at(server), Governance.open, 0, tmp_path / "j", rounds=3):
        assert not server.paths
    assert "takes up to 3 rounds of batches" in capsys.readouterr().err


def test_a_damaged_list_of_parts_is_refused_rather_than_paid_for_again(tmp_path: Path) -> None:
    with serve_batches() as server:
        ask(teacher_at(server), tmp_path, 3)
        state = tmp_path / "batches" / "state.jsonl"
        whole = state.read_bytes()
        state.write_bytes(whole + b'[{"number": 7, ')  # torn: what it was about to tell did not happen yet
        assert len(ask(teacher_at(server), tmp_path, 3)) == 3
        assert state.read_bytes() == whole
        state.write_bytes(b"\0\n" + whole)
        with pytest.raises(UserError, match=r"state.jsonl, line 1 is damaged"):
            ask(teacher_at(server), tmp_path, 3)


@pytest.mark.parametrize("file", ["rows-00001.jsonl", "requests-00001.jsonl"])
def test_rows_of_a_batch_under_way_that_are_gone_or_cut_are_told(file: str, tmp_path: Path) -> None:
    parts = Parts(tmp_path, "/v1/chat/completions", Limits(100, 10_000))
    told = {"generation_id": "s1/0", "kind": "answer", "task": "paraphrasing", "prompt_sha256": "", "prompt_version": "", "started": ""}
    parts.commit(*parts.write([Row("ab", {"model": "m"}, told, 5.0, 10)], attempt=1))
    assert len(Parts(tmp_path, "/v1/chat/completions", Limits(100, 10_000)).open()) == 1
    for spoil in (lambda path: path.write_bytes(b""), Path.unlink):
        spoil(tmp_path / file)
        with pytest.raises(UserError, match=rf"{file} is damaged: see on the provider's page"):
            Parts(tmp_path, "/v1/chat/completions", Limits(100, 10_000))


def test_batches_of_credentialed_reports_are_refused_before_anything_else(tmp_path: Path) -> None:
    teacher = Teacher(provider=Provider.openai, model="gpt-4o-mini", api_key_env="UNSET_VARIABLE_X", mode=TeacherMode.batch)
    for attestation in (None, str(tmp_path / "attestation.yaml")):
        with pytest.raises(UserError, match=r"teacher.mode=batch stores requests .* attested or not.*set teacher.mode=live"):
            endpoint_of(teacher, Governance.credentialed, attestation)
        with (
            pytest.raises(UserError, match=r"teacher.mode=batch stores"),
            open_teacher(teacher, Governance.credentialed, 0, tmp_path / "j", attestation=attestation),
        ):
            pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("provider", ["local", "rules"])
def test_other_teachers_have_no_batches(provider: str) -> None:
    with pytest.raises(Exception) as raised:
        composed(f"teacher={provider}", "teacher.mode=batch")
    assert explain(raised.value) == (
        f"teacher.mode=batch has no meaning with teacher={provider}, only with openai and azure; set teacher.mode=live"
    )


def test_calls_and_batches_share_one_journal(tmp_path: Path) -> None:
    with serve() as live:
        settings: dict[str, Any] = {"provider": Provider.openai, "model": "gpt-4o-mini", "api_key_env": "TEST_KEY", "max_tokens": 100}
        called = ask(Teacher(base_url=live.base_url, **settings), tmp_path, 3)
    with serve_batches() as server:
        assert ask(teacher_at(server), tmp_path, 4)[:3] == called
    assert server.sizes == [1]


def test_a_model_that_answers_by_itself_keeps_its_cut_answers(tmp_path: Path) -> None:
    question = Request("q", QUESTION, "", [{"role": "user", "content": "row 0"}])
    with serve_batches({"row 0": ["length"]}) as server, open_teacher(teacher_at(server), Governance.open, 0, tmp_path / "j") as asking:
        (reply,) = asking([question])
    assert (reply.outcome, reply.text, reply.finish_reason) == ("ok", "half a sen", "length")
