"""Serve a page on this machine to the one browser that was given its address, and to nobody else."""

import asyncio
import hmac
import json
import logging
import re
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgpt.errors import UserError

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler, Middleware

ADDRESS = "127.0.0.1"
LARGEST_BODY = 1 << 20
"""Bytes that a page may send at once."""
OWN_HOST = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?", re.IGNORECASE)
"""What a browser calls this machine; another name that leads here is DNS rebinding. Any port, as a tunnel may have its own."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Texts of reports are in the page: nothing may be loaded from elsewhere, sent there, read from there, or kept by the browser."""

COMMON = Path(__file__).parent / "local"
"""What all such pages have in common."""
COMMON_FILES = {
    "/base.css": (COMMON / "base.css", "text/css"),
    "/talk.js": (COMMON / "talk.js", "text/javascript"),
    "/texts.js": (COMMON / "texts.js", "text/javascript"),
}

SILENT = logging.Logger("radgpt.pages", logging.CRITICAL + 1)
"""Errors that aiohttp would log come with tracebacks, which may quote a text."""


class NoSuchThingError(LookupError):
    """Something asked for that is not there."""


class RefusedDecisionError(ValueError):
    """A decision that cannot stand; the message is for who made it and holds nothing of any text."""


@dataclass(frozen=True)
class Page:
    """A page and what it is called."""

    stage: str
    """The stage that serves it; names its cookie too, so that pages of two stages can be open at once."""
    files: Mapping[str, tuple[Path, str]]
    """Path in the address to file and content type; `/` is the page itself. COMMON_FILES come on their own."""


def application(page: Page, token: str) -> "web.Application":
    """The page's files; each request needs the cookie that the address with the token gives. What else it asks for is added to it."""
    from aiohttp import web

    app = web.Application(middlewares=[guard(page.stage, token)], client_max_size=LARGEST_BODY)
    for path, (place, kind) in {**COMMON_FILES, **page.files}.items():
        app.router.add_get(path, sending(place, kind))
    return app


def sending(place: Path, kind: str) -> "Handler":
    """Sends a file."""
    from aiohttp import web

    async def send(request: web.Request) -> web.StreamResponse:
        return web.Response(body=place.read_bytes(), content_type=kind, charset="utf-8")

    return send


def guard(stage: str, token: str) -> "Middleware":
    """Let requests of the one browser through that came with the token, and word every error without a text."""
    from aiohttp import web

    cookie = f"radgpt_{stage}"
    session = secrets.token_urlsafe(32)

    @web.middleware
    async def with_headers(request: web.Request, handler: "Handler") -> web.StreamResponse:
        response = await admitted(request, handler)
        response.headers.update(HEADERS)
        return response

    async def admitted(request: web.Request, handler: "Handler") -> web.StreamResponse:
        if not OWN_HOST.fullmatch(request.headers.get("Host", "")):
            return refused(403, "This page is served to this machine under its own name only.")
        if request.method not in ("GET", "POST"):
            return refused(405, "Only GET and POST are known here.")
        if request.method == "POST" and request.headers.get("Origin", "").lower() != f"http://{request.headers['Host']}".lower():
            return refused(403, "Only the page itself may send decisions.")
        if request.path == "/" and same(request.query.get("token", ""), token):
            welcome = web.Response(status=303, headers={"Location": "/"})
            welcome.set_cookie(cookie, session, httponly=True, samesite="Strict", path="/")
            return welcome
        if not same(request.cookies.get(cookie, ""), session):
            return refused(403, f"Open the address that stage={stage} printed; each start has a new one.")
        try:
            return await handler(request)
        except NoSuchThingError:
            return refused(404, "That is not there.")
        except RefusedDecisionError as error:
            return refused(409, str(error))
        except web.HTTPException as error:
            return refused(error.status, error.reason)
        except (ValueError, TypeError, KeyError):
            return refused(400, "That request could not be read.")
        except Exception as error:
            # Neither the message nor the traceback: they may quote a text.
            print(f"radgpt: the page of stage={stage} met a {type(error).__name__}", file=sys.stderr, flush=True)
            return refused(500, f"The server met a {type(error).__name__}; what was decided before is kept.")

    return with_headers


def refused(status: int, message: str) -> "web.Response":
    """An answer that says why there is no other."""
    from aiohttp import web

    return web.json_response({"message": message}, status=status)


async def fields(request: "web.Request", **kinds: Any) -> dict[str, Any]:
    """The fields of a JSON body, all there and of their types; raises ValueError."""
    if request.content_type != "application/json":
        raise ValueError
    body = json.loads(await request.text())
    if not isinstance(body, dict) or body.keys() != kinds.keys():
        raise ValueError
    if not all(isinstance(body[name], kind) for name, kind in kinds.items()):
        raise ValueError
    return body


def same(given: str, wanted: str) -> bool:
    """Compare secrets without telling by the time it takes where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())


def new_token() -> str:
    """What the address of a page is told apart by."""
    return secrets.token_urlsafe(24)


async def served(
    app: "web.Application", token: str, port: int, setting: str, opened: Callable[[str], None], ended: Callable[[], bool]
) -> None:
    """Serve until `ended` says so or the task is cancelled.

    Args:
        port: on 127.0.0.1; 0 takes a free one.
        setting: the port's, such as `review.port`, for messages.
        opened: called with the address to open, token included, once it can be.
        ended: asked now and then.

    Raises:
        UserError: the port cannot be used.
    """
    from aiohttp import web

    runner = web.AppRunner(app, access_log=None, logger=SILENT, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, ADDRESS, port, shutdown_timeout=1)
        try:
            await site.start()
        except OSError as error:
            raise UserError(f"{setting}={port} cannot be used ({error.strerror}); choose another, or 0 for a free one") from None
        opened(f"http://{ADDRESS}:{runner.addresses[0][1]}/?token={token}")
        while not ended():
            await asyncio.sleep(0.05)
    finally:
        await runner.cleanup()
