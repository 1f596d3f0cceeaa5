"""Give answers of one or two models at once, each from a thread of its own, and tell a page how they grow."""

import asyncio
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from dataclasses import dataclass, field

from radgpt.errors import UserError
from radgpt.inference.chat.transcript import Turn

TICK = 0.05
"""Seconds between two looks at answers that grow, at least: a page redraws no faster, whatever the model does."""

Reply = Generator[str, None, Turn]
"""What `ChatSession.reply` gives."""


@dataclass
class Growing:
    """An answer as far as it has come."""

    pieces: list[str] = field(default_factory=list)
    turn: Turn | None = None
    """Once it is whole."""
    failure: str | None = None
    """What a user may be told of why there is none."""

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self.turn is not None or self.failure is not None

    @property
    def text(self) -> str:
        """What there is of it."""
        return "".join(self.pieces)


async def growing(replies: Sequence[Reply], stop: threading.Event) -> AsyncGenerator[list[Growing], None]:
    """Yield the answers whenever one has grown, the first piece at once, until all have ended.

    Whoever stops listening stops the answers; `stop` ends them too, and then their ends are still told.
    """
    answers = [Growing() for _ in replies]
    grown = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wake() -> None:
        try:
            loop.call_soon_threadsafe(grown.set)
        except RuntimeError:  # the page's loop has ended before the answer
            stop.set()

    for reply, answer in zip(replies, answers, strict=True):
        threading.Thread(target=give, args=(reply, answer, wake), daemon=True, name="radgpt-answer").start()
    try:
        while True:
            await grown.wait()
            grown.clear()
            ended = all(answer.ended for answer in answers)
            began = loop.time()
            yield answers
            if ended:
                return
            # A server that is busy with many pages redraws each of them less often.
            await asyncio.sleep(max(TICK, loop.time() - began))
    finally:
        stop.set()


def give(reply: Reply, answer: Growing, wake: Callable[[], None]) -> None:
    """Take an answer piece by piece to its end."""
    try:
        while True:
            answer.pieces.append(next(reply))
            wake()
    except StopIteration as end:
        answer.turn = end.value
    except UserError as error:
        answer.failure = str(error)
    except BaseException as error:
        answer.failure = unexpected(error)
    finally:
        wake()


def unexpected(error: BaseException) -> str:
    """What may be told of an error that is not the user's: neither its message nor a traceback, which may quote a text."""
    print(f"radgpt: the page met a {type(error).__name__}", file=sys.stderr, flush=True)
    return f"The server met a {type(error).__name__}; the conversation is as before."
