"""Let Ctrl-C stop an answer instead of the program, and keep what is typed meanwhile out of it."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Event
from types import FrameType


class BrokenOffError(KeyboardInterrupt):
    """Ctrl-C broke off what the program was doing; the chat goes on."""


@contextmanager
def stopped_by_ctrl_c(stop: Event) -> Iterator[None]:
    """In the block, the first Ctrl-C sets `stop`; a second one, while that has not helped, raises BrokenOffError wherever the program is.

    SIGTERM is left as it is. Outside of the main thread, where Python allows no handlers, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def received(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise BrokenOffError
        stop.set()

    before = signal.signal(signal.SIGINT, received)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def broken_off_by_ctrl_c() -> AbstractContextManager[None]:
    """In the block, Ctrl-C raises BrokenOffError, as where a model is loaded."""
    stop = Event()
    stop.set()
    return stopped_by_ctrl_c(stop)


@contextmanager
def unechoed() -> Iterator[None]:
    """In the block, keys that are pressed leave no trace on the terminal; the next prompt gets them."""
    if not sys.stdin.isatty():
        yield
        return
    import termios

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    quiet = termios.tcgetattr(terminal)
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(terminal, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)
