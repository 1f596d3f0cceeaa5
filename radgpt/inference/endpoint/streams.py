"""Stream replies of one endpoint to callers in any thread: in pace, within the budget, asked again while nothing of a reply has come."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Generator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any

from radgpt.config import Backend
from radgpt.errors import UserError
from radgpt.governance.endpoints import Endpoint
from radgpt.inference.backend import INTERRUPTED, Reply
from radgpt.inference.endpoint.asker import Asker
from radgpt.inference.endpoint.endpoint_loop import EndpointLoop
from radgpt.inference.endpoint.pieces import FILTERED, Pieces
from radgpt.teacher.budget import Budget, Spent
from radgpt.teacher.completions import Completion, Failure, Wait, no_server, read_answer
from radgpt.teacher.estimates import TokenEstimate
from radgpt.teacher.limits import limits_of
from radgpt.teacher.pacing import Pacer
from radgpt.teacher.prices import price_of
from radgpt.teacher.transports import Answer, LostError

log = logging.getLogger(__name__)

LOOK_EVERY = 0.02
"""Seconds after which a stop is noticed at the latest, while nothing comes."""

PATIENCE = 120.0
"""Seconds that a person may be kept waiting for an endpoint that is busy."""

FIRST_BACKOFF, LONGEST_BACKOFF = 0.5, 8.0
"""Seconds; the bound doubles with each failure, the wait is drawn evenly below it."""

USAGE = {"stream_options": {"include_usage": True}}
"""Asks for the counts of tokens at a stream's end."""


@dataclass(frozen=True)
class Call:
    """One reply that is asked for."""

    asker: Asker
    body: dict[str, Any]
    size: int
    """Tokens of its prompt, as estimated."""
    pieces: Pieces
    hand_on: Callable[[str | Reply | BaseException], None]
    """Takes each piece as it comes, then the reply, or what kept it from coming."""


class Streams:
    """The streams of one endpoint, which may be open in several threads at once."""

    def __init__(self, backend: Backend, endpoint: Endpoint, loop: EndpointLoop, estimate: TokenEstimate) -> None:
        self._backend = backend
        self._endpoint = endpoint
        self._loop = loop
        self._estimate = estimate
        self._budget = Budget(backend.budget, price_of(backend), Spent())
        self._pacer = Pacer(backend.max_requests_per_minute, backend.max_tokens_per_minute, random.Random(0))
        self._jitter = random.Random(1)
        self._counts: bool | None = None
        """Whether the endpoint takes USAGE; None until it has shown."""

    def stream(self, asker: Asker, body: dict[str, Any], stop: Event) -> Generator[str, None, Reply]:
        """Yield the pieces of a reply to this body, and return it whole; see `inference.backend.Backend.stream`.

        Raises:
            UserError: the endpoint refuses, is gone, or breaks off; what came before was yielded.
        """
        arrived: SimpleQueue[str | Reply | BaseException] = SimpleQueue()
        call = Call(asker, body, round(self._estimate.tokens(self._estimate.size(body["messages"]))), Pieces(), arrived.put)
        asked = self._loop.begin(self._answer(call))
        try:
            while not stop.is_set():
                with suppress(Empty):
                    one = arrived.get(timeout=LOOK_EVERY)
                    if isinstance(one, Reply):
                        return one
                    if isinstance(one, BaseException):
                        raise one
                    yield one
            return call.pieces.reply(call.size, INTERRUPTED)
        finally:
            asked.cancel()

    async def _answer(self, call: Call) -> None:
        """Hand on a reply's pieces, then the reply or what kept it from coming."""
        try:
            call.hand_on(await self._reply(call))
        except asyncio.CancelledError:
            call.hand_on(call.pieces.reply(call.size, INTERRUPTED))  # heard only where the backend was closed, not the stream
            raise
        except Exception as error:
            call.hand_on(error)

    async def _reply(self, call: Call) -> Reply:
        """The whole reply.

        Raises:
            UserError: it does not come, or not to its end.
        """
        begun, failures, told = time.monotonic(), 0, False
        while True:
            result = await self._attempt(call)
            if isinstance(result, Reply):
                return result
            if isinstance(result, Wait):
                if time.monotonic() - begun > PATIENCE:
                    raise UserError(
                        f"{self._endpoint.url} lets nothing through for {PATIENCE:.0f} seconds (too many requests): ask later, or lower "
                        "teacher.max_requests_per_minute"
                    )
                if not told:
                    log.warning("%s is busy (too many requests); waiting for up to %.0f s", self._endpoint.url, PATIENCE)
                    told = True
                continue
            failures += 1
            if result.unsent:
                raise UserError(no_server(self._endpoint))
            if failures >= self._backend.max_attempts or result.reason == "timeout":
                silent = f"{self._endpoint.url} does not answer ({result.reason}): check the server, teacher.base_url and teacher.timeout"
                raise UserError(result.advice or silent)
            await asyncio.sleep(self._jitter.uniform(0, min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** (failures - 1))))

    async def _attempt(self, call: Call) -> Reply | Wait | Failure:
        """Ask once, in pace and within the budget."""
        while (wait := self._pacer.wait()) > 0:
            await asyncio.sleep(wait)
        reserved = self._budget.reserve(call.size, call.asker.max_tokens)
        admission = self._pacer.take(call.size + call.asker.max_tokens)
        answered = False
        try:
            result = await self._receive(call)
            answered = isinstance(result, Reply)
            if isinstance(result, Wait):
                self._pacer.limited(admission, result.seconds)
            elif answered:
                self._pacer.accepted()
            return result
        finally:
            if answered or len(call.pieces):
                came = call.pieces.reply(call.size)
                self._budget.settle(reserved, came.prompt_tokens, came.new_tokens)
            else:
                self._budget.release(reserved)

    async def _receive(self, call: Call) -> Reply | Wait | Failure:
        """Send the body, and take in what comes.

        Raises:
            UserError: the endpoint refuses, or the stream broke off after some of it had come.
        """
        sent = call.body if self._counts is False else call.body | USAGE
        try:
            async with aclosing(self._loop.transport.receive(sent)) as events:
                while True:
                    async with asyncio.timeout(self._backend.timeout):
                        event = await anext(events, None)
                    if event is None:
                        return self._whole(call)
                    if isinstance(event, Answer):
                        break
                    if text := call.pieces.take(event):
                        call.hand_on(text)
        except (TimeoutError, LostError) as error:
            lost = error if isinstance(error, LostError) else LostError("timeout")
            if len(call.pieces):
                raise UserError(
                    f"{self._endpoint.url} broke off its reply after {len(call.pieces)} pieces ({lost.reason}): ask again; if that happens "
                    "often, check the server, teacher.base_url and teacher.timeout"
                ) from None
            return Failure(lost.reason, unsent=lost.unsent)
        self._pacer.heed(*limits_of(event.headers))
        return await self._unstreamed(event, call)

    def _whole(self, call: Call) -> Reply:
        """The reply at the end of a stream."""
        if self._counts is None:
            self._counts = True
        reply = call.pieces.reply(call.size)
        if call.pieces.counted:
            self._estimate.learn(self._estimate.size(call.body["messages"]), reply.prompt_tokens)
        return reply

    async def _without_counts(self, call: Call) -> Reply | Wait | Failure:
        """Ask without USAGE, which old servers refuse; where that was not why, what comes now says so."""
        self._counts = False
        try:
            return await self._receive(call)
        except UserError:
            self._counts = None
            raise

    async def _unstreamed(self, answer: Answer, call: Call) -> Reply | Wait | Failure:
        """What an answer that is no stream means: a refusal, or a reply in one piece.

        Raises:
            UserError: a refusal, with the setting to mend.
        """
        try:
            result = read_answer(answer, call.asker, self._endpoint, proven=False, sent=call.body)
        except UserError:
            if answer.status in (400, 422) and self._counts is None:
                return await self._without_counts(call)
            raise
        if not isinstance(result, Completion):
            return result
        if result.outcome == "content_filter":
            return Reply("", FILTERED, call.size, 0, 0)
        if result.outcome == "length" and result.finish_reason is None:
            raise UserError(
                f"teacher.model={call.asker.model}: the conversation is too long for this model; shorten the report or the question, "
                "or begin anew"
            )
        if result.outcome not in ("ok", "length", "empty"):
            raise UserError(f"{self._endpoint.url} gave no usable reply: ask again, or check teacher.model={call.asker.model}")
        if text := call.pieces.take_whole(result):
            call.hand_on(text)
        return call.pieces.reply(call.size)
