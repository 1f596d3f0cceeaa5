"""Serve the review page: its files, and what it asks of the desk."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from radgpt.pages.local_server import Page, application, fields, new_token, served
from radgpt.review.desk import Desk
from radgpt.review.views import Filters

if TYPE_CHECKING:
    from aiohttp import web

FOLDER = Path(__file__).parent / "page"
PAGE = Page(
    "review",
    {
        "/": (FOLDER / "index.html", "text/html"),
        "/review.css": (FOLDER / "review.css", "text/css"),
        "/icon.svg": (FOLDER / "icon.svg", "image/svg+xml"),
        **{f"/{name}.js": (FOLDER / f"{name}.js", "text/javascript") for name in ("review", "api", "report", "panes")},
    },
)


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


async def serve(desk: Desk, port: int, opened: Callable[[str], None], ended: Callable[[], bool]) -> None:
    """Serve until `ended` says so or the task is cancelled; `opened` and errors are those of `local_server.served`."""
    token = new_token()
    app = application(PAGE, token)
    answers = Answering(desk)
    app.router.add_get("/api/status", answers.status)
    app.router.add_post("/api/views", answers.open_view)
    app.router.add_get("/api/views/{view}", answers.page)
    app.router.add_get("/api/answers/{number}", answers.answer)
    app.router.add_post("/api/decisions", answers.decide)
    app.router.add_post("/api/undo", answers.undo)
    await served(app, token, port, "review.port", opened, ended)
