"""Caps are never passed, what is under way counts, and a run that is stopped by one says how to go on."""

import random
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from fake_openai import serve

from radgpt import config
from radgpt.config import Governance, Provider, Teacher
from radgpt.errors import UserError
from radgpt.records import Report
from radgpt.teacher.ask import Reply, Request, open_teacher
from radgpt.teacher.budget import Budget, BudgetSpentError, Spent
from radgpt.teacher.journal import Journal
from radgpt.teacher.prices import Price

PRICE = Price(1.0, 4.0)


@pytest.mark.parametrize(("name", "cap"), [("usd", 0.01), ("tokens", 5000), ("requests", 20)])
def test_a_cap_is_never_passed_whatever_is_under_way(name: str, cap: float) -> None:
    draw = random.Random(0)
    budget = Budget(config.Budget(**{name: cap}), PRICE, Spent(requests=2, tokens=300, usd=0.001))
    under_way = []
    refused = 0
    for _ in range(1000):
        if under_way and draw.random() < 0.5:
            reserved, prompt = under_way.pop(draw.randrange(len(under_way)))
            if draw.random() < 0.2:
                budget.release(reserved)
            else:
                completion = draw.randint(0, 100)
                assert budget.settle(reserved, prompt, completion) == PRICE.usd(prompt, completion)
        else:
            prompt = draw.randint(50, 200)
            try:
                under_way.append((budget.reserve(prompt, 100), prompt))
            except BudgetSpentError as error:
                assert f"teacher.budget.{name}={cap} is reached" in str(error)
                refused += 1
        worst = {
            "usd": budget.spent.usd + sum(reserved.usd for reserved, _ in under_way),
            "tokens": budget.spent.tokens + sum(reserved.tokens for reserved, _ in under_way),
            "requests": budget.spent.requests + len(under_way),
        }
        assert worst[name] <= cap * (1 + 1e-9)
    assert refused


def test_what_is_released_or_unused_may_be_spent() -> None:
    budget = Budget(config.Budget(tokens=200), None, Spent())
    first = budget.reserve(50, 100)
    with pytest.raises(BudgetSpentError):
        budget.reserve(50, 100)
    budget.release(first)
    second = budget.reserve(50, 100)
    assert budget.settle(second, 40, 10) == 0.0  # no price is known
    budget.reserve(50, 100)
    assert (budget.spent.requests, budget.spent.tokens) == (1, 50)


def test_a_cap_reached_to_the_cent_is_not_passed() -> None:
    budget = Budget(config.Budget(usd=0.3), Price(1.0, 1.0), Spent())
    for _ in range(3):
        budget.settle(budget.reserve(50_000, 50_000), 50_000, 50_000)
    with pytest.raises(BudgetSpentError):
        budget.reserve(1, 1)


def test_no_cap_never_stops() -> None:
    budget = Budget(config.Budget(), PRICE, Spent(usd=1e9))
    for _ in range(100):
        budget.reserve(1e9, 10**9)


def row(number: int) -> Request:
    messages = [{"role": "user", "content": f"row {number}"}]
    return Request(f"s{number}/0", "answer", "paraphrasing", messages, Report(f"s{number}", f"p{number}", "Clear.", {}))


def ask(url: str, journal: Path, rows: int, **budget: Any) -> list[Reply]:
    teacher = Teacher(
        provider=Provider.openai,
        model="gpt-4o-mini",
        base_url=url,
        api_key_env="TEST_KEY",
        max_tokens=100,
        max_in_flight=4,
        max_requests_per_minute=60_000,
        max_tokens_per_minute=1e8,
        budget=config.Budget(**budget),
    )
    with open_teacher(teacher, Governance.open, 0, journal) as asking:
        return list(asking(row(number) for number in range(rows)))


def test_a_run_stops_at_its_cap_and_goes_on_with_a_higher_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-test")
    journal = tmp_path / "journal.jsonl"
    with serve(latency=0.01) as server:
        with pytest.raises(UserError, match=r"teacher.budget.requests=12 is reached .*raise teacher.budget.requests and give the same"):
            ask(server.base_url, journal, 30, requests=12)
        assert server.answered.total() == 12
        with Journal(journal) as kept:
            assert len(kept) == 12 and kept.spent.requests == 12  # what was under way was waited for
        with pytest.raises(UserError, match="is reached"):
            ask(server.base_url, journal, 30, requests=12)
        assert server.answered.total() == 12  # what the journal spent counts
        replies = ask(server.base_url, journal, 30, requests=30)
    assert [reply.text for reply in replies] == [f"reply to row {number}" for number in range(30)]
    assert set(server.answered.values()) == {1}


def test_a_cap_in_dollars_counts_refused_requests_as_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-test")
    with serve({"row 0": ["429-ms", "500"], "row 1": repeat("length")}) as server:
        replies = ask(server.base_url, tmp_path / "j", 3, usd=0.01)
    assert replies[0].usd == pytest.approx((1 * 0.15 + 5 * 0.60) / 1e6)
    assert replies[1].usd == pytest.approx(2 * replies[0].usd)  # asked twice, the second time with more room
