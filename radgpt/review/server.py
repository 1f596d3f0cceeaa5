"""Serve the review page on this machine to the one browser that was given its address, and to nobody else."""

import asyncio
import hmac
import json
import logging
import re
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgpt.errors import UserError
from radgpt.review.desk import Desk, NoSuchThingError, RefusedDecisionError
from radgpt.review.views import Filters

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler, Middleware

ADDRESS = "127.0.0.1"
COOKIE = "radgpt_review"
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

PAGE = Path(__file__).parent / "page"
FILES = {
    "/": ("index.html", "text/html"),
    "/review.css": ("review.css", "text/css"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    **{f"/{name}.js": (f"{name}.js", "text/javascript") for name in ("review", "api", "texts", "panes")},
}

SILENT = logging.Logger("radgpt.review", logging.CRITICAL + 1)
"""Errors that aiohttp would log come with tracebacks, which may quote a text."""


def application(desk: Desk, token: str) -> "web.Application":
    """The page and what it asks for; each request needs the cookie that the address with the token gives."""
    from aiohttp import web

    app = web.Application(middlewares=[guard(token)], client_max_size=LARGEST_BODY)
    for path in FILES:
        app.router.add_get(path, file)
    answers = Answering(desk)
    app.router.add_get("/api/status", answers.status)
    app.router.add_post("/api/views", answers.open_view)
    app.router.add_get("/api/views/{view}", answers.page)
    app.router.add_get("/api/answers/{number}", answers.answer)
    app.router.add_post("/api/decisions", answers.decide)
    app.router.add_post("/api/undo", answers.undo)
    return app


def guard(token: str) -> "Middleware":
    """Let requests of the one browser through that came with the token, and word every error without a text."""
    from aiohttp import web

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
            welcome.set_cookie(COOKIE, session, httponly=True, samesite="Strict", path="/")
            return welcome
        if not same(request.cookies.get(COOKIE, ""), session):
            return refused(403, "Open the address that stage=review printed; each start has a new one.")
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
            print(f"radgpt: the review page met a {type(error).__name__}", file=sys.stderr, flush=True)
            return refused(500, f"The server met a {type(error).__name__}; what was decided before is kept.")

    return with_headers


def refused(status: int, message: str) -> "web.Response":
    """An answer that says why there is no other."""
    from aiohttp import web

    return web.json_response({"message": message}, status=status)


async def file(request: "web.Request") -> "web.Response":
    """One of the page's own files."""
    from aiohttp import web

    name, kind = FILES[request.path]
    return web.Response(body=(PAGE / name).read_bytes(), content_type=kind, charset="utf-8")


class Answering:
    """What the page asks of the desk, as JSON."""

    def __init__(self, desk: Desk) -> None:
        from aiohttp import web

        self._desk = desk
        self._json = web.json_response

    async def status(self, request: "web.Request") -> "web.Response":
        """How far judging and deciding have come."""
        return self._json(self._desk.status())

    async def open_view(self, request: "web.Request") -> "web.Response":
        """Choose answers by filters."""
        asked = await fields(request, state=str, outcome=str, task=str, problems=bool, search=str)
        name = self._desk.new_view(Filters(**asked))
        view = self._desk.view(name)
        await asyncio.to_thread(view.extend)
        return self._json({"view": name, "total": len(view.numbers), "start": self._desk.start(view)})

    async def page(self, request: "web.Request") -> "web.Response":
        """Rows of a view, `size` of them from `start` on."""
        view = self._desk.view(request.match_info["view"])
        await asyncio.to_thread(view.extend)
        start, size = int(request.query["start"]), int(request.query["size"])
        if start < 0 or size < 0:
            raise ValueError
        return self._json({"total": len(view.numbers), "rows": self._desk.page(view, start, size)})

    async def answer(self, request: "web.Request") -> "web.Response":
        """An answer beside its report."""
        return self._json(self._desk.answer(int(request.match_info["number"])))

    async def decide(self, request: "web.Request") -> "web.Response":
        """Keep a decision, and tell where to go on."""
        asked = await fields(
            request,
            view=str,
            position=int,
            number=int,
            judged_sha256=str,
            decision=str,
            instruction=str | None,
            answer=str | None,
            note=str,
        )
        view = self._desk.view(asked["view"])
        self._desk.decide(
            asked["number"], asked["judged_sha256"], asked["decision"], asked["instruction"], asked["answer"], asked["note"].strip()
        )
        return self._json({"next": view.next_undecided(asked["position"]), "status": self._desk.status()})

    async def undo(self, request: "web.Request") -> "web.Response":
        """Take back the last decision."""
        asked = await fields(request, view=str)
        view = self._desk.view(asked["view"])
        number = self._desk.undo()
        place = None if number is None or number not in view.numbers else view.place_of(number)
        return self._json({"number": number, "place": place, "status": self._desk.status()})


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


async def serve(desk: Desk, port: int, opened: Callable[[str], None], ended: Callable[[], bool]) -> None:
    """Serve until `ended` says so or the task is cancelled.

    Args:
        desk: what the page works on.
        port: on 127.0.0.1; 0 takes a free one.
        opened: called with the address to open, token included, once it can be.
        ended: asked now and then.

    Raises:
        UserError: the port cannot be used.
    """
    from aiohttp import web

    token = secrets.token_urlsafe(24)
    runner = web.AppRunner(application(desk, token), access_log=None, logger=SILENT, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, ADDRESS, port, shutdown_timeout=1)
        try:
            await site.start()
        except OSError as error:
            raise UserError(f"review.port={port} cannot be used ({error.strerror}); choose another, or 0 for a free one") from None
        opened(f"http://{ADDRESS}:{runner.addresses[0][1]}/?token={token}")
        while not ended():
            await asyncio.sleep(0.05)
    finally:
        await runner.cleanup()
