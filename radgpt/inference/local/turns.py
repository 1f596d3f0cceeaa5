"""A lock that lets threads in strictly in the order in which they came."""

from collections import deque
from threading import Lock
from types import TracebackType


class Turns:
    """`with turns:` is a thread's turn. Python's own lock may be taken again and again by the one that just let it go."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._taken = False
        self._waiting: deque[Lock] = deque()

    def __enter__(self) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            place = Lock()
            place.acquire()
            self._waiting.append(place)
        try:
            place.acquire()  # until the thread before gives its turn on
        except BaseException:  # Ctrl-C while waiting
            with self._guard:
                given = place not in self._waiting
                if not given:
                    self._waiting.remove(place)
            if given:
                self._give_on()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._give_on()

    def _give_on(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
