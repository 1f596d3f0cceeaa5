"""Take down when the pieces of a reply come."""

import time
from collections.abc import Generator

from radgpt.errors import UserError
from radgpt.inference.backend import INTERRUPTED, Reply


class Stopwatch:
    """When the pieces of a reply came."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.to_first: float | None = None
        """Seconds from the start to the first piece."""
        self._start = time.monotonic()

    @property
    def text(self) -> str:
        """All pieces together."""
        return "".join(self.pieces)

    def note(self, piece: str) -> None:
        """A piece came."""
        if self.to_first is None:
            self.to_first = round(time.monotonic() - self._start, 4)
        self.pieces.append(piece)

    def rate(self, tokens: int) -> float | None:
        """Tokens a second after the first one, now that the reply has ended; None where fewer than two came."""
        seconds = time.monotonic() - self._start - (self.to_first or 0.0)
        return round((tokens - 1) / seconds, 2) if tokens > 1 and self.to_first is not None and seconds > 0 else None


def drained(stream: Generator[str, None, Reply], watch: Stopwatch) -> Reply:
    """The reply of a stream that was told to stop, with whatever it still gives."""
    try:
        while True:
            watch.note(next(stream))
    except StopIteration as end:
        return end.value
    except UserError:
        return Reply(watch.text, INTERRUPTED, 0, 0, len(watch.pieces))
