"""Keep an event loop beside the caller, who hands in requests lazily and takes replies in order."""

import asyncio
import hashlib
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, Future, wait
from contextlib import suppress
from typing import Any

from radgpt.config import Teacher
from radgpt.governance.connections import loop_for
from radgpt.governance.endpoints import Endpoint
from radgpt.records import canonical_json
from radgpt.teacher.ask import Reply, Request
from radgpt.teacher.client import connect, request_body
from radgpt.teacher.journal import Journal
from radgpt.teacher.sending import Sender

WINDOW = 8
"""Rows taken in at once, for each request that may be under way: one row that is tried again mustn't hold up the rest."""

SYNC_EVERY = 0.5
"""Seconds between two syncs of the journal: what a power cut may cost."""


class Session:
    """One teacher's connections, pace and journal, from `start` to `end`."""

    def __init__(self, teacher: Teacher, endpoint: Endpoint, key: str, seed: int, journal: Journal, patience: float) -> None:
        self._teacher = teacher
        self._endpoint = endpoint
        self._key = key
        self._seed = seed
        self._journal = journal
        self._patience = patience
        self._error: BaseException | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="teacher", daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._sender: Sender

    def start(self) -> None:
        """Start the loop; sends nothing yet."""
        self._thread.start()
        self._ready.wait()
        if self._error:
            raise self._error

    def end(self) -> None:
        """Drop what is under way and wait for the loop to end."""
        if self._thread.is_alive():
            self._ready.wait()
            with suppress(RuntimeError):  # the loop has ended by itself meanwhile
                self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    @property
    def refused(self) -> int:
        """Requests that the endpoint refused for coming too fast."""
        return self._sender.pacer.refused

    def ask(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """Yield a reply for each request, in order, taking in only a bounded window of them.

        Raises:
            UserError: see `Sender.answer`.
        """
        source = iter(requests)
        window: deque[Reply | Future[Reply]] = deque()
        try:
            while True:
                while len(window) < WINDOW * self._teacher.max_in_flight and (request := next(source, None)) is not None:
                    window.append(self._begin(request))
                if not window:
                    return
                yield self._wait(window[0])
                window.popleft()
        finally:
            for reply in window:
                if isinstance(reply, Future):
                    reply.cancel()

    def _begin(self, request: Request) -> Reply | Future[Reply]:
        """The journal's reply, or the promise of one."""
        # A server that draws by seed should not draw alike for alike prompts, so each row has its own.
        row = canonical_json([self._seed, request.kind, request.generation_id])
        body = request_body(self._teacher, request, int(hashlib.sha256(row.encode()).hexdigest()[:8], 16) >> 1)
        key = hashlib.sha256(canonical_json([body, row]).encode()).hexdigest()
        if known := self._journal.get(key):
            return Reply(**{name: known[name] for name in Reply.__dataclass_fields__ if name in known})
        if self._error or not self._thread.is_alive():
            raise self._error or RuntimeError("the teacher's session is over")
        return asyncio.run_coroutine_threadsafe(self._answer(key, body, request), self._loop)

    def _wait(self, reply: Reply | Future[Reply]) -> Reply:
        if isinstance(reply, Reply):
            return reply
        while not wait([reply], timeout=1.0).done:
            if not self._thread.is_alive() and not reply.done():  # handed in as the loop ended: nobody will answer
                raise self._error or RuntimeError("the teacher's session is over")
        try:
            return reply.result()
        except CancelledError:
            raise self._error or RuntimeError("the teacher's session is over") from None

    async def _answer(self, key: str, body: dict[str, Any], request: Request) -> Reply:
        """Answer one row; its error ends the session at once, however many rows stand before it."""
        try:
            return await self._sender.answer(key, body, request)
        except Exception as error:
            self._error = self._error or error
            self._stop.set()
            raise

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
        """Hold the client open, and the journal synced, until told to stop."""
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with connect(self._teacher, self._endpoint, self._key) as client:
            self._sender = Sender(client, self._teacher, self._endpoint, self._journal, self._seed, self._patience)
            self._ready.set()
            try:
                while not self._stop.is_set():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._stop.wait(), SYNC_EVERY)
                    await asyncio.to_thread(self._journal.sync)
            finally:
                rest = asyncio.all_tasks() - {asyncio.current_task()}
                for task in rest:
                    task.cancel()
                await asyncio.gather(*rest, return_exceptions=True)  # before the client closes under them
