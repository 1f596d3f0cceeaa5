"""Progress is told on one line and drawn as curves, at the rate at which the endpoint answers and not the journal."""

import io
import sys
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from radgpt import config
from radgpt.teacher import progress
from radgpt.teacher.budget import Budget, Spent
from radgpt.teacher.prices import Price
from radgpt.teacher.progress import Progress

PRICE = Price(1.0, 1.0)


class Watched:
    """A pass whose clock and connections a test sets by hand."""

    def __init__(self, price: Price | None = PRICE, total: int | None = 1000) -> None:
        self.now = 100.0
        self.figures: Any = SimpleNamespace(refused=0, in_flight=0, accepted=0, share=None)
        self.budget = Budget(config.Budget(), price, Spent())
        self.points: list[Mapping[str, float]] = []
        self.progress = Progress(total, self.points.append, budget=self.budget, figures=lambda: self.figures, clock=lambda: self.now)

    def go_on(self, seconds: float, rows: int, *, known: int = 0) -> None:
        """So many rows come from the endpoint and from the journal in so many seconds."""
        self.now += seconds
        self.figures.accepted += rows
        for _ in range(rows):
            self.budget.settle(self.budget.reserve(900, 100), 900, 100)
        for _ in range(rows + known):
            self.progress.add()


def test_all_figures_stand_on_one_line() -> None:
    watched = Watched()
    watched.go_on(20, 100, known=400)
    watched.figures.refused, watched.figures.in_flight, watched.figures.share = 3, 7, 0.975
    assert watched.progress.line() == "teacher: 500 of 1,000 replies, 5.0/s, 98% of the limit, 7 under way, 429s 3, 0.10 USD, 01:40 left"


def test_the_rate_is_that_of_the_last_minute() -> None:
    watched = Watched()
    watched.go_on(10, 100)
    watched.progress.line()
    for _ in range(7):
        watched.go_on(10, 20)
        line = watched.progress.line()
    assert ", 2.0/s, " in line


def test_without_a_price_tokens_are_told_and_without_a_total_no_end() -> None:
    watched = Watched(price=None, total=None)
    watched.go_on(1, 2)
    assert watched.progress.line() == "teacher: 2 replies, 2.0/s, 0 under way, 429s 0, 2,000 tokens"


def test_curves_hold_numbers_over_their_axis_at_most_every_ten_seconds() -> None:
    watched = Watched()
    watched.figures.share = 0.5
    for _ in range(25):
        watched.go_on(1, 4)
    assert [point["teacher/seconds"] for point in watched.points] == [10.0, 20.0]
    assert watched.points[1] == {
        "teacher/seconds": 20.0, "teacher/done": 77, "teacher/rate": pytest.approx(4.0), "teacher/refused": 0, "teacher/in_flight": 0,
        "teacher/share_of_limit": 0.5, "teacher/tokens": 80_000, "teacher/usd": pytest.approx(0.08),
    }  # fmt: skip


def test_where_nobody_watches_a_line_a_minute_is_printed_even_while_nothing_comes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "BAR_EVERY", 0.002)
    watched = Watched()
    with watched.progress:
        watched.go_on(59, 59)
        time.sleep(0.05)
        assert capsys.readouterr().err == ""
        watched.now += 2
        time.sleep(0.05)
        assert capsys.readouterr().err == "teacher: 59 of 1,000 replies, 1.0/s, 0 under way, 429s 0, 0.06 USD, 16:12 left\n"
        watched.progress.note("2 batches under way")
        watched.now += 61
        time.sleep(0.05)
        assert capsys.readouterr().err.endswith(", 2 batches under way\n")
    assert watched.points[-1]["teacher/done"] == 59  # a last point at the end


def test_on_a_terminal_it_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    watched = Watched()
    with watched.progress:
        watched.go_on(100, 250)
    drawn = terminal.getvalue().rstrip("\n").rpartition("\r")[2]
    assert drawn.startswith("teacher:  25%|") and "| 250/1000, 2.5/s, 0 under way, 429s 0, 0.25 USD, 05:00 left" in drawn
    assert "\n" not in terminal.getvalue().rstrip("\n")
