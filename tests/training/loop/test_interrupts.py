"""Signals are noted while a training listens, and do what they did before and after."""

import os
import signal
import threading

import pytest

from radgpt.training.loop.interrupts import Interrupts


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_the_first_one_is_noted(first):
    interrupts = Interrupts()
    with interrupts.heeded():
        assert not interrupts.asked
        send(first)
        assert interrupts.asked
        send(signal.SIGTERM)  # a launcher passes Ctrl-C on as this
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)


def test_afterwards_signals_do_what_they_did():
    before = signal.getsignal(signal.SIGTERM)
    with Interrupts().heeded():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
    with pytest.raises(KeyboardInterrupt):
        send(signal.SIGINT)


def test_other_threads_leave_signals_alone():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def inside():
        with Interrupts().heeded():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert seen == [before]
