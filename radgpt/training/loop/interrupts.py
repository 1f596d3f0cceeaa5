"""Let a signal end a training between two steps, with a checkpoint, rather than in the middle of one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Interrupts:
    """Whether this process was asked to stop."""

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Note SIGTERM (which schedulers send before they take a node away) and the first Ctrl-C; the second one ends at once.

        Only the main thread can do so; in another one signals do what they did.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: Any) -> None:
        # A launcher that was told to stop by Ctrl-C sends its ranks a SIGTERM as well: that one is no second wish.
        if number == signal.SIGINT and self.asked:
            raise KeyboardInterrupt
        self.asked = True
