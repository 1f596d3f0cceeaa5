"""When a run stops, what is under way is waited for and kept, as it is paid for; nothing more is sent."""

import os
import signal
import threading
import time
from itertools import count, repeat
from pathlib import Path
from typing import Any

import pytest
from fake_openai import FakeOpenAI, serve

from radgpt import config
from radgpt.config import Governance, Provider, Teacher
from radgpt.errors import UserError
from radgpt.records import Report
from radgpt.teacher import sending, session
from radgpt.teacher.ask import Request, open_teacher
from radgpt.teacher.budget import BudgetSpentError
from radgpt.teacher.journal import Journal


def teacher_at(server: FakeOpenAI, **settings: Any) -> Teacher:
    fast: dict[str, Any] = {"max_requests_per_minute": 1e6, "max_tokens_per_minute": 1e9, "max_in_flight": 8, "timeout": 10.0}
    return Teacher(**{"provider": Provider.local, "model": "any", "base_url": server.base_url, "max_tokens": 20, **fast, **settings})


def row(number: int) -> Request:
    return Request(
        f"s{number}/0", "answer", "paraphrasing", [{"role": "user", "content": f"row {number}"}], Report(f"s{number}", "p", "", {})
    )


def kept(journal: Path) -> int:
    with Journal(journal) as rows:
        return len(rows)


@pytest.mark.parametrize(("caps", "replies"), [({"requests": 20}, 20), ({"tokens": 200}, 30)])
def test_a_spent_budget_lets_what_is_under_way_come_in(caps: dict[str, int], replies: int, tmp_path: Path) -> None:
    """A row takes 6 tokens, one of them its prompt's, and at least 21 are set aside for it while it is under way."""
    with serve(latency=0.1) as server:
        teacher = teacher_at(server, budget=config.Budget(**caps))
        with (
            pytest.raises(BudgetSpentError, match=f"teacher.budget.{next(iter(caps))}="),
            open_teacher(teacher, Governance.synthetic, 0, tmp_path / "j") as asking,
        ):
            for _ in asking(map(row, count())):
                pass
        assert server.asked.total() == server.answered.total() == kept(tmp_path / "j")
        assert server.answered.total() == replies

        more = teacher_at(server, budget=config.Budget(requests=30))
        with pytest.raises(BudgetSpentError), open_teacher(more, Governance.synthetic, 0, tmp_path / "j") as asking:
            list(asking(map(row, count())))
        assert server.asked.total() == server.answered.total() == 30  # what was spent before counts


def test_a_reply_that_never_came_counts_against_the_budget_in_full(tmp_path: Path) -> None:
    """Whether the endpoint charges for it is unknown, and a cap must hold all the same."""
    with serve({"row 0": repeat("hang")}) as server:
        teacher = teacher_at(server, timeout=0.1, max_attempts=6, budget=config.Budget(tokens=50))
        with pytest.raises(BudgetSpentError), open_teacher(teacher, Governance.synthetic, 0, tmp_path / "j") as asking:
            list(asking([row(0)]))
    assert server.asked.total() == 2


def test_what_fails_while_the_run_stops_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_BACKOFF", "LONGEST_BACKOFF"):
        monkeypatch.setattr(sending, name, 1000.0)
    with serve({"row 0": repeat("500")}, latency=0.75) as server:
        begun = time.monotonic()
        threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt), open_teacher(teacher_at(server), Governance.synthetic, 0, tmp_path / "j") as asking:
            list(asking([row(0)]))
        assert time.monotonic() - begun < session.GRACE / 2
    assert server.asked.total() == 1


def test_ctrl_c_keeps_what_was_under_way(tmp_path: Path) -> None:
    with serve(latency=0.3) as server:
        teacher = teacher_at(server)
        threading.Timer(0.75, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt), open_teacher(teacher, Governance.synthetic, 0, tmp_path / "j") as asking:
            list(asking(map(row, count())))
    assert server.asked.total() == kept(tmp_path / "j") > 8


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    with serve({"*": repeat("hang")}) as server:
        for seconds in (0.3, 0.8):
            threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt), open_teacher(teacher_at(server), Governance.synthetic, 0, tmp_path / "j") as asking:
            list(asking(map(row, count())))
        assert time.monotonic() - begun < session.GRACE - 1
    assert not [thread for thread in threading.enumerate() if thread.name == "teacher" and thread.is_alive()]


def test_a_refused_key_loses_no_reply_that_was_under_way(tmp_path: Path) -> None:
    with serve({"row 3": ["401"]}, latency=0.2) as server:
        with (
            pytest.raises(UserError, match="HTTP 401"),
            open_teacher(teacher_at(server), Governance.synthetic, 0, tmp_path / "j") as asking,
        ):
            list(asking(map(row, count())))
        assert server.asked.total() == kept(tmp_path / "j") + 1 < 16


def test_replies_that_nobody_waits_for_any_more_are_kept(tmp_path: Path) -> None:
    with serve(latency=0.1) as server, open_teacher(teacher_at(server), Governance.synthetic, 0, tmp_path / "j") as asking:
        replies = asking(map(row, count()))
        next(replies)
        replies.close()  # type: ignore[attr-defined]
    assert 9 <= server.asked.total() <= 16 and server.asked.total() == kept(tmp_path / "j")
