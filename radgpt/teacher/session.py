"""Keep an event loop beside the caller, who hands in requests lazily and takes replies in order."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from radgpt.config import Teacher
from radgpt.governance.connections import loop_for
from radgpt.governance.endpoints import Endpoint
from radgpt.teacher.ask import Reply, Request, reply_of
from radgpt.teacher.budget import Budget, BudgetSpentError
from radgpt.teacher.journal import Journal
from radgpt.teacher.row_keys import keyed_body
from radgpt.teacher.sending import Sender
from radgpt.teacher.transports import transport_to

log = logging.getLogger(__name__)

WINDOW = 8
"""Rows taken in at once, for each request that may be under way: one row that is tried again mustn't hold up the rest."""

SYNC_EVERY = 0.5
"""Seconds between two syncs of the journal: what a power cut may cost."""

GRACE = 5.0
"""Seconds that requests under way may still take when a run is stopped: they are paid for, so their replies are kept."""


@dataclass(frozen=True)
class Figures:
    """How a session is doing."""

    refused: int
    """Requests that the endpoint refused for coming too fast."""
    in_flight: int
    """Requests under way."""
    accepted: int
    """Requests that were answered, those among them that brought no usable text."""
    share: float | None
    """What was accepted in the last minute, as a share of the configured limit that binds; None before there is anything to say."""


@dataclass(slots=True, eq=False)
class Promise:
    """A reply that is on its way."""

    key: str
    body: dict[str, Any]
    request: Request
    reply: "Future[Reply]"


class Session:
    """One teacher's connections, pace, journal and budget, from `start` to `end`."""

    def __init__(
        self, teacher: Teacher, endpoint: Endpoint, key: str, seed: int, journal: Journal, budget: Budget, patience: float
    ) -> None:
        self._teacher = teacher
        self._endpoint = endpoint
        self._key = key
        self._seed = seed
        self._journal = journal
        self._budget = budget
        self._patience = patience
        self._error: BaseException | None = None
        self._inbox: deque[Promise] = deque()
        self._called = False
        self._promises: dict[asyncio.Task[None], Promise] = {}
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="teacher", daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._drop: asyncio.Event
        self._sender: Sender

    def start(self) -> None:
        """Start the loop; sends nothing yet."""
        self._thread.start()
        self._ready.wait()
        if self._error:
            raise self._error

    def end(self) -> None:
        """Let what is under way come in for a moment, drop the rest, and wait for the loop to end. Ctrl-C cuts the moment short."""
        if not self._thread.is_alive():
            return
        self._ready.wait()
        self._tell(lambda: self._stop.set())
        try:
            self._thread.join()
        except KeyboardInterrupt:
            self._tell(lambda: self._drop.set())
            self._thread.join()
            raise

    def figures(self) -> Figures:
        """How it is doing; may be asked from any thread."""
        sender = self._sender
        share = sender.lately.share(self._teacher.max_requests_per_minute, self._teacher.max_tokens_per_minute)
        return Figures(sender.pacer.refused, len(sender.under_way), sender.accepted, share)

    def ask(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """Yield a reply for each request, in order, taking in only a bounded window of them.

        Raises:
            UserError: see `Sender.answer`.
        """
        source = iter(requests)
        window: deque[Reply | Promise] = deque()
        try:
            while True:
                while len(window) < WINDOW * self._teacher.max_in_flight and (request := next(source, None)) is not None:
                    window.append(self._begin(request))
                if not window:
                    return
                yield self._wait(window[0])
                window.popleft()
        finally:
            if any([promise.reply.cancel() for promise in window if isinstance(promise, Promise)]):
                self._tell(self._forget)

    def _begin(self, request: Request) -> Reply | Promise:
        """The journal's reply, or the promise of one."""
        key, body = keyed_body(self._teacher, request, self._seed)
        if known := self._journal.get(key):
            return reply_of(known)
        self._refuse_if_over()
        promise = Promise(key, body, request, Future())
        self._inbox.append(promise)
        if not self._called:
            self._called = True
            self._tell(self._take_in)
        return promise

    def _wait(self, reply: Reply | Promise) -> Reply:
        """The reply, once it is there."""
        if isinstance(reply, Reply):
            return reply
        while True:
            try:
                return reply.reply.result(timeout=1.0)
            except TimeoutError:
                if reply.reply.done():
                    return reply.reply.result()
                if not self._thread.is_alive():  # handed in as the loop ended: nobody will answer
                    self._refuse_if_over()

    def _refuse_if_over(self) -> None:
        if self._error or not self._thread.is_alive():
            raise self._error or RuntimeError("the teacher's session is over")

    def _tell(self, action: Callable[[], object]) -> None:
        """Have the loop do something, if it still runs."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(action)

    def _take_in(self) -> None:
        """Begin what was handed in."""
        self._called = False
        while self._inbox:
            promise = self._inbox.popleft()
            task = self._loop.create_task(self._keep(promise))
            self._promises[task] = promise
            task.add_done_callback(self._promises.pop)

    async def _keep(self, promise: Promise) -> None:
        """Answer one row; its error ends the session at once, however many rows stand before it."""
        try:
            reply = await self._sender.answer(promise.key, promise.body, promise.request)
        except Exception as error:
            self._error = self._error or error
            self._stop.set()
            self._break(promise)
        else:
            if promise.reply.set_running_or_notify_cancel():
                promise.reply.set_result(reply)

    def _break(self, promise: Promise) -> None:
        """Tell whoever waits for it that no reply will come."""
        if not promise.reply.done() and promise.reply.set_running_or_notify_cancel():
            promise.reply.set_exception(self._error or RuntimeError("the teacher's session is over"))

    def _forget(self) -> None:
        """Drop the rows that nobody waits for any more, but for those under way: they are paid for, and go to the journal."""
        for task, promise in self._promises.items():
            if promise.reply.cancelled() and task not in self._sender.under_way:
                task.cancel()

    def _run(self) -> None:
        """The thread: loop from start to end."""
        try:
            with asyncio.Runner(loop_factory=loop_for(self._endpoint)) as runner:
                runner.run(self._serve())
        except BaseException as error:
            self._error = self._error or error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        """Hold the connections open, and the journal synced, until told to stop; then let in what is under way."""
        self._loop = asyncio.get_running_loop()
        self._stop, self._drop = asyncio.Event(), asyncio.Event()
        transport = transport_to(self._teacher, self._endpoint, self._key)
        try:
            self._sender = Sender(transport, self._teacher, self._endpoint, self._journal, self._budget, self._seed, self._patience)
            self._ready.set()
            syncing = asyncio.create_task(self._sync())
            try:
                await self._stop.wait()
                await self._drain()
            finally:
                syncing.cancel()
                await self._end_all([*self._promises, syncing])  # before the connections close under them
        finally:
            await transport.close()

    async def _sync(self) -> None:
        """Sync the journal every now and then."""
        while True:
            await asyncio.sleep(SYNC_EVERY)
            await asyncio.to_thread(self._journal.sync)

    async def _drain(self) -> None:
        """Send nothing more, and wait for what is sent."""
        self._sender.closed = self._sender.closed or self._error or RuntimeError("the teacher's session is over")
        under_way = set(self._sender.under_way)
        await self._end_all([task for task in self._promises if task not in under_way])
        # A budget is spent in peace, and what it paid for is worth waiting for; other stops are emergencies.
        grace = self._teacher.timeout if isinstance(self._error, BudgetSpentError) else min(GRACE, self._teacher.timeout)
        if under_way:
            log.info("waiting for %d requests under way, which are paid for (%.0f s at most; Ctrl-C drops them)", len(under_way), grace)
            ends = [asyncio.create_task(asyncio.wait(under_way)), asyncio.create_task(self._drop.wait())]
            await asyncio.wait(ends, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                end.cancel()

    async def _end_all(self, tasks: list[asyncio.Task[Any]]) -> None:
        """Cancel tasks, wait for their end, and tell those who wait for their replies."""
        promises = [self._promises[task] for task in tasks if task in self._promises]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for promise in promises:
            self._break(promise)
