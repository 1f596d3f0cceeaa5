"""Serve the rating page: its files, and what it asks of the desk."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgpt.pages.local_server import Page, application, fields, new_token, served
from radgpt.rating.desk import Desk

if TYPE_CHECKING:
    from aiohttp import web

FOLDER = Path(__file__).parent / "page"
PAGE = Page(
    "rate",
    {
        "/": (FOLDER / "index.html", "text/html"),
        "/rate.css": (FOLDER / "rate.css", "text/css"),
        "/icon.svg": (FOLDER / "icon.svg", "image/svg+xml"),
        **{f"/{name}.js": (FOLDER / f"{name}.js", "text/javascript") for name in ("rate", "api", "panes")},
    },
)


class Answering:
    """What the page asks of the desk, as JSON."""

    def __init__(self, desk: Desk) -> None:
        from aiohttp import web

        self._desk = desk
        self._json = web.json_response

    async def opened(self, request: "web.Request") -> "web.Response":
        """The rubric, how far rating has come, and where to begin."""
        return self._json({"rubric": self._desk.rubric(), "status": self._desk.status(), "start": self._desk.start()})

    async def question(self, request: "web.Request") -> "web.Response":
        """A question with its answers."""
        return self._json(self._desk.question(int(request.match_info["number"])))

    async def grade(self, request: "web.Request") -> "web.Response":
        """Keep a score."""
        asked = await fields(request, number=int, sha256=str, answer=int, criterion=str, score=int | None)
        self._desk.grade(asked["number"], asked["sha256"], asked["answer"], asked["criterion"], asked["score"])
        return self._json(self._after(asked["number"]))

    async def prefer(self, request: "web.Request") -> "web.Response":
        """Keep a preference."""
        asked = await fields(request, number=int, sha256=str, answer=int | None)
        self._desk.prefer(asked["number"], asked["sha256"], asked["answer"])
        return self._json(self._after(asked["number"]))

    async def undo(self, request: "web.Request") -> "web.Response":
        """Take back the last click."""
        await fields(request)
        number = self._desk.undo()
        return self._json({"number": None, "status": self._desk.status()} if number is None else self._after(number))

    def _after(self, number: int) -> dict[str, Any]:
        return {"number": number, "question": self._desk.question(number), "status": self._desk.status()}


async def serve(desk: Desk, port: int, opened: Callable[[str], None], ended: Callable[[], bool]) -> None:
    """Serve until `ended` says so or the task is cancelled; `opened` and errors are those of `local_server.served`."""
    token = new_token()
    app = application(PAGE, token)
    answers = Answering(desk)
    app.router.add_get("/api/opened", answers.opened)
    app.router.add_get("/api/questions/{number}", answers.question)
    app.router.add_post("/api/grades", answers.grade)
    app.router.add_post("/api/preferences", answers.prefer)
    app.router.add_post("/api/undo", answers.undo)
    await served(app, token, port, "rate.port", opened, ended)
