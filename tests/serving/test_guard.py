"""Only this machine's own page is answered, only for what it needs, and the browser is told to load nothing from elsewhere."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from radgpt.serving.guard import LARGEST_BODY, guarded

OWN = {"host": "127.0.0.1:7860"}


def answered(path: str = "/", method: str = "GET", **headers: str) -> tuple[int, dict[str, str]]:
    """Status and headers of what a browser gets; the application behind the guard says 200 to everything."""
    sent: list[MutableMapping[str, Any]] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=1"), (b"x-own", b"1")]})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        return {}

    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in (OWN | headers).items()]
    scope = {"type": "http", "method": method, "path": path, "headers": given}
    asyncio.run(guarded(application)(scope, receive, send))
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "127.0.0.1", "localhost:9000", "LOCALHOST:1"])
def test_own_names_are_answered(host: str) -> None:
    assert answered(host=host)[0] == 200


@pytest.mark.parametrize("host", ["", "evil.example", "evil.example:7860", "127.0.0.1.evil.example", "localhost.evil:1", "[::1]:1"])
def test_other_names_are_dns_rebinding(host: str) -> None:
    assert answered(host=host)[0] == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:7860", "http://127.0.0.1:1"])
def test_other_pages_may_not_ask(origin: str) -> None:
    asking = {"content_length": "2"}
    assert answered("/gradio_api/queue/join", "POST", origin=origin, **asking)[0] == 403
    assert answered("/gradio_api/queue/join", "POST", origin="http://127.0.0.1:7860", **asking)[0] == 200


def test_other_sites_may_link_here_but_not_read() -> None:
    assert answered(sec_fetch_site="cross-site", sec_fetch_mode="navigate")[0] == 200
    assert answered("/theme.css", sec_fetch_site="cross-site", sec_fetch_mode="no-cors")[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/upload", "/gradio_api/file=/etc/passwd", "/gradio_api/proxy=http://x", "/gradio_api/info", "/gradio_api/openapi.json",
        "/monitoring", "/gradio_api/runs", "/gradio_api/vibe-code", "/gradio_api/call/ask", "/gradio_api/deep_link", "/config",
        "/gradio_api/queue/../upload", "/docs",
    ],
)  # fmt: skip
def test_what_the_page_does_not_need_is_not_there(path: str) -> None:
    assert answered(path)[0] == 404


def test_methods_and_sizes_are_bounded() -> None:
    assert answered(method="DELETE")[0] == 405
    assert answered("/gradio_api/queue/join", "POST")[0] == 411
    assert answered("/gradio_api/queue/join", "POST", content_length=str(LARGEST_BODY + 1))[0] == 413


def test_browsers_are_told_to_load_nothing_else_and_to_keep_nothing() -> None:
    for path in ("/", "/gradio_api/upload"):
        headers = answered(path)[1]
        assert "default-src 'none'" in headers["content-security-policy"] and "http" not in headers["content-security-policy"]
        assert (headers["cache-control"], headers["referrer-policy"], headers["x-frame-options"]) == ("no-store", "no-referrer", "DENY")
    assert answered("/assets/index.js")[1]["cache-control"] == "max-age=1"
    assert answered("/")[1]["x-own"] == "1"
