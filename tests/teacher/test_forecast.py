"""A dry run counts calls, tokens, cost and hours, asks nobody, and leaves nothing behind."""

from pathlib import Path
from typing import Any

import pytest
from conftest import composed
from fake_openai import serve

from radgpt.cli import run
from radgpt.config import Budget, Governance, Provider, Teacher, TeacherMode
from radgpt.errors import DryRunEnd, UserError
from radgpt.records import Report
from radgpt.teacher.ask import Request, open_teacher

GENERATE = ("stage=generate_instructions", "data.synthetic_reports=30", "wandb=disabled")


def row(number: int, kind: str = "answer") -> Request:
    """A prompt of 400 characters, 100 tokens, about a report of 200 characters."""
    messages = [{"role": "user", "content": f"row {number}".ljust(400, ".")}]
    return Request(f"s{number}/0", kind, "paraphrasing", messages, Report(f"s{number}", f"p{number}", "x" * 200, {}))


def told(folder: Path, rows: int, kind: str = "answer", **settings: Any) -> dict[str, str]:
    """The lines of a dry run by their first word."""
    chosen = {"provider": Provider.openai, "model": "gpt-4o-mini", "api_key_env": "UNSET_VARIABLE_X", "max_tokens": 500}
    with (
        pytest.raises(DryRunEnd) as end,
        open_teacher(Teacher(**chosen | settings), Governance.open, 0, folder / "journal.jsonl", dry_run=True) as asking,  # type: ignore[arg-type]
    ):
        replies = list(asking(row(number, kind) for number in range(rows)))
        assert len(replies) == rows
    lines = [line.split(maxsplit=1) for line in str(end.value).splitlines()]
    return dict(lines)


def test_calls_tokens_cost_and_hours_are_told_without_key_or_server(tmp_path: Path) -> None:
    lines = told(tmp_path, 1000, max_requests_per_minute=100, max_tokens_per_minute=10_000)
    assert lines["calls"] == "1,000: 0 answered in the journal already, 1,000 to ask"
    assert lines["tokens"] == "about 100,000 of prompts, 150,000 of replies (at most 500,000)"
    # 0.1 of prompts at 0.15 and 0.15 of replies at 0.60 USD a million; at most 0.5 of replies.
    assert lines["cost"].startswith("about 0.1050 USD (at most 0.3150; price of 2026-05-07 from https://")
    # An endpoint charges 600 tokens a call as it admits it: 600,000 at 10,000 a minute.
    assert lines["time"] == "60.0 minutes at the least; teacher.max_tokens_per_minute=10000 binds"
    assert lines["budget"].startswith("no cap is set")
    lines = told(tmp_path, 1000, max_requests_per_minute=2, max_tokens_per_minute=10_000)
    assert lines["time"] == "8.3 hours at the least; teacher.max_requests_per_minute=2 binds"


def test_what_the_journal_holds_is_not_asked_and_teaches_the_estimate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-test")
    with serve() as server:
        settings: dict[str, Any] = {"provider": Provider.openai, "model": "gpt-4o-mini", "max_tokens": 500, "base_url": server.base_url}
        fast: dict[str, Any] = {"api_key_env": "TEST_KEY", "max_requests_per_minute": 1e5, "max_tokens_per_minute": 1e8}
        with open_teacher(Teacher(**settings, **fast), Governance.open, 0, tmp_path / "journal.jsonl") as asking:
            assert len(list(asking(row(number) for number in range(40)))) == 40
        asked = server.asked.total()
        lines = told(tmp_path, 100, base_url=server.base_url)
        assert server.asked.total() == asked == 40
    assert lines["calls"] == "100: 40 answered in the journal already, 60 to ask"
    assert lines["tokens"] == "about 6,000 of prompts, 300 of replies (at most 30,000)"  # its replies had 5 tokens


def test_instructions_tell_of_the_answers_to_follow_and_batches_of_their_price(tmp_path: Path) -> None:
    lines = told(tmp_path, 100, "instruction", mode=TeacherMode.batch)
    # 100 prompts of 50 tokens of report, 120 around it and 40 of question; 150 of answer.
    assert lines["answers"] == "at most 100 calls to follow, about 36,000 tokens, about 0.0061 USD, up to 24 hours a round of batches"
    assert "at the batch price" in lines["cost"] and lines["time"] == "up to 24 hours a round of batches"


@pytest.mark.parametrize(
    ("budget", "line"),
    [
        ({"usd": 1}, "teacher.budget.usd=1 is enough: 0.0000 spent, about 0.1050 needed"),
        ({"tokens": 50_000}, "teacher.budget.tokens=50000 would stop the run at about 20% of it: 0 spent, about 250,000 needed"),
        ({"requests": 500}, "teacher.budget.requests=500 would stop the run at about 50% of it: 0 spent, about 1,000 needed"),
    ],
)
def test_caps_are_foretold(budget: dict[str, Any], line: str, tmp_path: Path) -> None:
    assert told(tmp_path, 1000, budget=Budget(**budget))["budget"] == line


def test_without_a_known_price_that_is_said(tmp_path: Path) -> None:
    assert told(tmp_path, 10, model="mine")["cost"].startswith("no known price for teacher.model=mine; teacher.prices=FILE")
    local = told(tmp_path, 10, provider=Provider.local, base_url="http://127.0.0.1:1/v1", api_key_env=None)
    assert local["cost"] == "nothing"


def settings(outputs: Path, *more: str) -> list[str]:
    return [*GENERATE, f"outputs={outputs}", *more]


def test_a_stage_s_dry_run_makes_no_run_and_the_run_after_it_is_as_without(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(composed(*settings(tmp_path), "stage=preprocess"), [])
    capsys.readouterr()
    assert run(composed(*settings(tmp_path), "teacher=openai", "dry_run=true"), []) is None
    printed = capsys.readouterr().out
    assert printed.startswith("dry run of instructions with teacher=openai, gpt-4o-mini: nothing was sent\n  calls ")
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["preprocess"]
    run(composed(*settings(tmp_path)), [])
    assert "generate_instructions: done in" in capsys.readouterr().out
    run(composed(*settings(tmp_path), "dry_run=true"), [])
    assert "generate_instructions: done already, skipped" in capsys.readouterr().out


def test_a_cut_off_run_lends_its_journal_and_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-test")
    with serve() as server:
        typed = settings(
            tmp_path, "teacher=local", f"teacher.base_url={server.base_url}", "teacher.api_key_env=TEST_KEY", "data.governance=credentialed"
        )
        run(composed(*typed, "stage=preprocess"), [])
        with pytest.raises(UserError, match="is reached"):
            run(composed(*typed, "teacher.budget.requests=7"), [])
        (folder,) = (tmp_path / "demo" / "generate_instructions").iterdir()
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        capsys.readouterr()
        run(composed(*typed, "dry_run=true"), [])
        assert ": 7 answered in the journal already, " in capsys.readouterr().out
        assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
        assert server.answered.total() == 7


def test_a_pipeline_tells_of_its_teacher_stages_what_can_be_told_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = "pipeline=[preprocess,generate_instructions,postprocess_instructions]"
    run(composed(*settings(tmp_path), "stage=pipeline", data, "dry_run=true"), [])
    printed = capsys.readouterr().out
    assert "preprocess: would run\n" in printed and "generate_instructions: would run after preprocess\n" in printed
    run(composed(*settings(tmp_path), "stage=preprocess"), [])
    capsys.readouterr()
    run(composed(*settings(tmp_path), "stage=pipeline", data, "dry_run=true"), [])
    printed = capsys.readouterr().out
    assert "dry run of instructions with teacher=rules" in printed
    assert printed.rstrip().endswith("postprocess_instructions: would run after generate_instructions")


def test_a_dry_run_tells_that_the_run_would_be_refused(tmp_path: Path) -> None:
    credentialed = settings(tmp_path, "teacher=openai", "data.governance=credentialed")
    run(composed(*credentialed, "stage=preprocess"), [])
    typed = [*credentialed, "dry_run=true"]
    with pytest.raises(UserError, match=r"data.governance=credentialed keeps reports from api.openai.com"):
        run(composed(*typed), [])
    with pytest.raises(UserError, match=r"teacher.mode=batch stores requests"):
        run(composed(*typed, "teacher.mode=batch"), [])
