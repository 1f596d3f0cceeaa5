"""Keep connections to one endpoint in an event loop beside the callers, which connects only where the gate allows."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from radgpt.config import Service
from radgpt.governance.connections import loop_for
from radgpt.governance.endpoints import Endpoint
from radgpt.teacher.transports import quieten
from radgpt.teacher.transports.sdk import SdkTransport

FAREWELL = 5.0
"""Seconds that closing the connections may take."""

Result = TypeVar("Result")


class EndpointLoop:
    """A running event loop with one endpoint's connections, until `close`."""

    def __init__(self, service: Service, endpoint: Endpoint, key: str) -> None:
        quieten(endpoint)
        self._service = service
        self._endpoint = endpoint
        self._key = key
        self._transport: SdkTransport | None = None
        self._loop = loop_for(endpoint)()
        self._thread = threading.Thread(target=self._loop.run_forever, name="endpoint", daemon=True)
        self._thread.start()

    @property
    def transport(self) -> SdkTransport:
        """The connections; for what runs in the loop."""
        if self._transport is None:
            self._transport = SdkTransport(self._service, self._endpoint, self._key)
        return self._transport

    def begin(self, work: Coroutine[Any, Any, Result]) -> "Future[Result]":
        """Run this in the loop; cancelling the future cancels it there."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def ask(self, question: Callable[[SdkTransport], Coroutine[Any, Any, Result]], timeout: float) -> Result:
        """Wait for what a question brings; raises TimeoutError after so many seconds, and what the question does."""

        async def put() -> Result:
            return await question(self.transport)

        asked = self.begin(put())
        try:
            return asked.result(timeout)
        finally:
            asked.cancel()

    def close(self) -> None:
        """Cancel what runs and close the connections."""
        with suppress(TimeoutError):
            self.begin(self._end()).result(FAREWELL)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if self._transport is not None:
            await self._transport.close()
