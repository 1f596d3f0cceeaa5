"""As many calls are under way as rate and latency need, fewer under overload, and never so few that all stands still."""

import asyncio

from radgpt.teacher.window import FLOOR, Window


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_window_follows_rate_times_latency() -> None:
    window = Window(64)
    assert window.size == 64  # until the first reply tells a latency
    for _ in range(50):
        window.answered(0.2, rate=50)
    assert 10 + FLOOR <= window.size <= 30
    for _ in range(50):
        window.answered(0.9, rate=50)
    assert window.size >= 45
    for _ in range(50):
        window.answered(30.0, rate=50)
    assert window.size == 64


def test_the_window_shrinks_under_overload_once_in_the_time_of_a_call_and_grows_again() -> None:
    clock = Clock()
    window = Window(100, clock)
    window.answered(2.0, rate=1000)
    window.under_way = 100
    for _ in range(10):
        window.overloaded()
    assert window.size == 70
    for _ in range(20):
        clock.now += 2
        window.overloaded()
    assert window.size == 25  # a quarter of what the user allows
    for _ in range(6000):
        window.answered(2.0, rate=1000)
    assert window.size == 100


def test_the_user_has_the_last_word() -> None:
    window = Window(2)
    for _ in range(10):
        window.answered(10.0, rate=1000)
        window.overloaded()
    assert window.size == 2


def test_rooms_are_taken_and_given_back() -> None:
    async def run() -> None:
        window = Window(2)
        await window.enter()
        await window.enter()
        waiting = asyncio.create_task(window.enter())
        await asyncio.sleep(0)
        assert not waiting.done() and window.under_way == 2
        window.leave()
        await asyncio.wait_for(waiting, 1)
        assert window.under_way == 2

    asyncio.run(run())
