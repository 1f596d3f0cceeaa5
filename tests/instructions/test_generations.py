"""Dialogues are asked turn by turn, kept busy side by side, and come out in their order."""

from collections.abc import Iterable, Iterator
from itertools import count

import pytest

from radgpt.errors import UserError
from radgpt.instructions import generations
from radgpt.instructions.generations import EARLIER_TURN, Bill, Dialogue, conduct, ready, single, unasked, why
from radgpt.records import Generation, Report
from radgpt.teacher.ask import Reply, Request

REPORT = Report("r", "p", "No effusion.", {"findings": "No effusion."})


class Teacher:
    """Takes in a window of requests ahead of its replies, and remembers what it was asked, call by call."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.calls: list[list[str]] = []

    def __call__(self, requests: Iterable[Request]) -> Iterator[Reply]:
        asked: list[str] = []
        self.calls.append(asked)
        waiting: list[str] = []
        source = iter(requests)
        while True:
            while len(waiting) < self.window and (request := next(source, None)) is not None:
                asked.append(request.generation_id)
                waiting.append(request.generation_id)
            if not waiting:
                return
            yield Reply("ok", f"re {waiting.pop(0)}", "m", usd=0.1)


def request(name: str) -> Request:
    return Request(name, "answer", "own", [{"role": "user", "content": name}], REPORT, prompt_version="v1")


def talk(name: str, turns: int) -> Dialogue:
    rows = []
    for turn in range(1, turns + 1):
        row = yield request(f"{name}.{turn}")
        assert row.text == f"re {name}.{turn}"
        rows.append(row)
    return rows


def given(name: str) -> Generation:
    return unasked(name, REPORT, "own", "v1", outcome="ok", text="No effusion.")


def ids(rows: Iterable[list[Generation]]) -> list[list[str]]:
    return [[row.generation_id for row in dialogue] for dialogue in rows]


def test_a_next_turn_goes_ahead_of_new_dialogues_and_all_come_out_in_order() -> None:
    teacher = Teacher(window=2)
    rows = list(conduct(teacher, (talk(name, turns) for name, turns in (("a", 3), ("b", 1), ("c", 2), ("d", 1)))))
    assert ids(rows) == [["a.1", "a.2", "a.3"], ["b.1"], ["c.1", "c.2"], ["d.1"]]
    assert teacher.calls == [["a.1", "b.1", "a.2", "c.1", "a.3", "c.2", "d.1"]]


def test_dialogues_that_end_late_are_asked_on_when_no_new_one_is_left() -> None:
    teacher = Teacher(window=10)
    assert ids(conduct(teacher, [talk("a", 3), talk("b", 2)])) == [["a.1", "a.2", "a.3"], ["b.1", "b.2"]]
    assert teacher.calls == [["a.1", "b.1"], ["a.2", "b.2"], ["a.3"]]


def test_rows_that_are_there_already_keep_their_place_and_are_never_asked() -> None:
    teacher = Teacher(window=2)
    rows = conduct(teacher, [ready(given("x")), single(request("a")), ready(given("y")), single(request("b")), ready(given("z"))])
    assert ids(rows) == [["x"], ["a"], ["y"], ["b"], ["z"]]
    assert teacher.calls == [["a", "b"]]
    nobody = Teacher(window=2)
    assert ids(conduct(nobody, [ready(given("x"))])) == [["x"]] and nobody.calls == []


def test_no_more_is_held_than_is_asked_ahead() -> None:
    held = count()
    started = 0

    def source() -> Iterator[Dialogue]:
        nonlocal started
        for number in range(500):
            started = next(held)
            yield talk(f"t{number}", 2) if number % 3 else ready(given(f"t{number}"))

    for finished, _ in enumerate(conduct(Teacher(window=4), source())):
        assert started - finished < 4 * 3 * 2
    assert finished == 499


def test_many_ready_rows_are_handed_on_before_the_next_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generations, "READY_AT_ONCE", 3)
    teacher = Teacher(window=9)
    taken = 0

    def source() -> Iterator[Dialogue]:
        nonlocal taken
        for taken in range(8):
            yield ready(given(str(taken)))
        yield single(request("a"))

    rows = conduct(teacher, source())
    assert ids([next(rows)]) == [["0"]] and taken == 2
    assert len(list(rows)) == 8 and teacher.calls == [["a"]]


def test_a_bill_tells_the_teachers_rows_from_others_and_sums_what_they_cost() -> None:
    (rows,) = conduct(Teacher(window=1), [talk("a", 2)])
    bill = Bill()
    for row in (
        *rows,
        given("x"),
        unasked("y", REPORT, "own", "v1", outcome=EARLIER_TURN),
        unasked("z", REPORT, "own", "v1", outcome="failed: timed out"),
    ):
        bill.add(row)
    assert bill.metrics() == {
        "asked": 3,
        "ok": 3,
        "from_report": 1,
        "dropped_earlier_turn": 1,
        "failed": 1,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "usd": 0.2,
    }
    bill.refuse_utter_failure()
    alone = Bill()
    alone.refuse_utter_failure()
    alone.add(unasked("z", REPORT, "own", "v1", outcome="failed: HTTP 500"))
    alone.add(given("x"))
    with pytest.raises(UserError, match=r"none of 1 rows \(failed: HTTP 500\): check the server"):
        alone.refuse_utter_failure()
    assert [why(unasked("x", REPORT, "own", "v", outcome=outcome)) for outcome in ("ok", "dropped: length", "failed: x: y")] == [
        "ok",
        "length",
        "failed",
    ]
