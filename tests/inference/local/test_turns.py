"""Threads compute in the order in which they came, and one that gives up waiting holds nobody up."""

import threading
import time

import pytest

from radgpt.inference.local import turns as module
from radgpt.inference.local.turns import Turns


def test_turns_alternate_between_threads_that_want_them_again_and_again() -> None:
    turns, order = Turns(), []
    ready = threading.Barrier(3)

    def work(name: str) -> None:
        ready.wait()
        for _ in range(30):
            with turns:
                order.append(name)
                time.sleep(0.0005)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(order) == 90
    # Once all have come, each gets every third turn.
    assert all(set(order[place : place + 3]) == set("abc") for place in range(9, 75, 3))


def test_a_turn_ends_with_an_error_too() -> None:
    turns = Turns()
    with pytest.raises(ValueError), turns:
        raise ValueError
    with turns:
        pass


def test_one_that_gives_up_waiting_leaves_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns()

    class Interrupted:
        """A lock whose second acquisition, the waiting, ends in Ctrl-C."""

        def __init__(self) -> None:
            self.acquired = 0

        def acquire(self) -> None:
            self.acquired += 1
            if self.acquired > 1:
                raise KeyboardInterrupt

        def release(self) -> None:
            pass

    with turns, monkeypatch.context() as patch:
        patch.setattr(module, "Lock", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            turns.__enter__()
    with turns:
        pass
