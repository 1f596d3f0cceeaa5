"""Serve the page to this machine until it is told to end, and let no answer outlive it."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any

from radgpt.config import Serve
from radgpt.errors import UserError
from radgpt.serving.conversations import MOST
from radgpt.serving.desk import Desk
from radgpt.serving.guard import guarded

ADDRESS = "127.0.0.1"
QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "GRADIO_MCP_SERVER": "False",
    "GRADIO_SSR_MODE": "False",
    "GRADIO_SHARE": "False",
    "HF_HUB_OFFLINE": "1",
}
"""Environment of a gradio that asks nobody anything and keeps nothing; its own settings say so too."""

LAST_WORDS = 10.0
"""Seconds that running answers have to end, once all are told to: a token's time is enough for most models."""
FAREWELL = 2
"""Seconds for open connections after that."""


def require_gradio() -> None:
    """Raise UserError where the page cannot be drawn."""
    if find_spec("gradio") is None or find_spec("uvicorn") is None:
        raise UserError("stage=serve needs gradio: pip install 'radgpt[web]'; or serve.api=true for an API without a page")


def credentials_of(serve: Serve, environment: Mapping[str, str] = os.environ) -> tuple[str, str] | None:
    """User and password; None where none is asked for.

    Raises:
        UserError: the user's name is empty, or there is no password.
    """
    if serve.user is None:
        return None
    if not serve.user:
        raise UserError("serve.user= is empty; give a name, or serve.user=null to ask for none")
    password = environment.get(serve.password_env, "")
    if not password:
        raise UserError(f"serve.user={serve.user} needs a password: set the environment variable {serve.password_env} (serve.password_env)")
    return serve.user, password


def listening(port: int) -> socket.socket:
    """A socket of this machine alone; raises UserError where the port cannot be used."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((ADDRESS, port))
        made.listen(128)
    except OSError as error:
        made.close()
        raise UserError(f"serve.port={port} cannot be used ({error.strerror}); choose another, or 0 for a free one") from None
    return made


def application(page: Any, credentials: tuple[str, str] | None) -> Any:
    """What uvicorn runs: gradio's application with all of it switched off that keeps, shows or sends more than the page needs."""
    import gradio as gr
    from fastapi import FastAPI

    from radgpt.serving.page import STYLE

    page.queue(default_concurrency_limit=None, api_open=False)
    page.state_session_capacity = 2 * MOST  # what gradio remembers of closed pages
    font = ["system-ui", "sans-serif"]
    return gr.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        page,
        path="/",
        server_name=ADDRESS,
        auth=credentials,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        show_error=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        theme=gr.themes.Base(font=font, font_mono=["ui-monospace", "monospace"], primary_hue="blue", neutral_hue="slate"),
        css_paths=[STYLE],
    )


async def serve_until_told(
    desk: Desk, page: Any, socket: socket.socket, credentials: tuple[str, str] | None, opened: Callable[[str], None]
) -> None:
    """`serve` until Ctrl-C or SIGTERM; a second one does not wait for running answers."""
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told() -> None:
        ending.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told)
    await serve(desk, page, socket, credentials, opened, ending)


async def serve(
    desk: Desk,
    page: Any,
    socket: socket.socket,
    credentials: tuple[str, str] | None,
    opened: Callable[[str], None],
    ending: asyncio.Event,
) -> None:
    """Serve until `ending` is set, and then until running answers have ended, which they are told to.

    Args:
        desk: whose answers they are.
        page: as `page.build` gives it.
        socket: that listens already.
        credentials: user and password, if they are asked for.
        opened: called with the address once the page can be opened.
        ending: set by whoever wants an end.
    """
    import uvicorn

    class Server(uvicorn.Server):
        """uvicorn, which leaves signals to us."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio"):
        # Errors that they would log come with tracebacks, which may quote a text.
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    app = guarded(application(page, credentials))
    server = Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=FAREWELL, lifespan="on"))
    running = asyncio.create_task(server.serve(sockets=[socket]))
    while not server.started and not running.done():
        await asyncio.sleep(0.01)
    if server.started:
        opened(f"http://{ADDRESS}:{socket.getsockname()[1]}/")
        told = asyncio.create_task(ending.wait())
        await asyncio.wait([running, told], return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        await last_words(desk)
        page.app.stop_event.set()  # lets go of the connections that tell whether pages are open
    server.should_exit = True
    await running


async def last_words(desk: Desk) -> None:
    """Tell all answers to end, and give them and their pages a while to."""
    desk.conversations.stop_all()
    with suppress(TimeoutError):
        async with asyncio.timeout(LAST_WORDS):
            while desk.conversations.answering:
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.1)
