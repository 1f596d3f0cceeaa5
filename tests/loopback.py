"""Serve an aiohttp application on this machine from a thread of its own, beside the test that asks it."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web


@contextmanager
def on_loopback(application: web.Application, stop: asyncio.Event) -> Iterator[str]:
    """Give the root of its API, ending in /v1. `stop` is set, in the server's loop, when the context ends: handlers may wait for it."""
    root = ""

    async def run() -> None:
        nonlocal root
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        root = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        started.set()
        await stop.wait()
        await runner.cleanup()

    loop = asyncio.new_event_loop()
    started = threading.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield root
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
