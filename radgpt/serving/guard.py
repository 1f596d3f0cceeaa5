"""Let only this machine's own browser pages ask the page's server, and only for what the page needs."""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
"""What uvicorn calls, as in the ASGI specification."""

OWN_HOST = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?", re.IGNORECASE)
"""What a browser calls this machine; another name that leads here is DNS rebinding. Any port, as a tunnel may have its own."""

NEEDED = re.compile(
    r"/|/log(in|out)/?|/theme\.css|/favicon\.ico|/(assets|static)/.*"
    r"|/gradio_api/(run/predict|queue/join|queue/data|cancel|heartbeat/[^/]+)/?"
)
"""Of all that gradio answers: not uploads, files, proxies, recordings, other people's runs, its monitor and its API's description."""

LARGEST_BODY = 4 << 20
"""Bytes that a page may send at once: a long conversation with its report."""

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; img-src 'self' data:; font-src 'self' data:; manifest-src 'self'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Reports are in the page, and answers are shown as Markdown: nothing that they name may be loaded, and nothing sent elsewhere."""


def guarded(application: Application) -> Application:
    """The application behind checks of host, origin, path and size; every answer of it with HEADERS."""

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await application(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # the page needs no web sockets
        if refusal := why_refused(scope):
            await refuse(send, *refusal)
            return

        async def with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = {name.encode() for name in HEADERS}
                if scope["path"].startswith(("/assets/", "/static/")):
                    own.discard(b"cache-control")  # gradio's own files, which hold no text
                kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in own]
                message["headers"] = kept + [(name, HEADERS[name.decode()].encode()) for name in own]
            await send(message)

        await application(scope, receive, with_headers)

    return guard


def why_refused(scope: Scope) -> tuple[int, str] | None:
    """Status and words for a request that is not answered; None where it is."""
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    host, origin = headers.get(b"host", ""), headers.get(b"origin")
    if not OWN_HOST.fullmatch(host):
        return 403, "This page is served to this machine under its own name only."
    if scope["method"] not in ("GET", "HEAD", "POST"):
        return 405, "Only GET and POST are known here."
    if origin is not None and origin.lower() != f"http://{host}".lower():
        return 403, "Only the page itself may ask."
    if headers.get(b"sec-fetch-site", "none") not in ("none", "same-origin") and headers.get(b"sec-fetch-mode") != "navigate":
        return 403, "Only the page itself may ask."
    if not NEEDED.fullmatch(scope["path"]):
        return 404, "That is not here."
    if scope["method"] == "POST" and not headers.get(b"content-length", "").isdecimal():
        return 411, "How much is sent must be said."
    if int(headers.get(b"content-length", "0") or 0) > LARGEST_BODY:
        return 413, "That is too long."
    return None


async def refuse(send: Send, status: int, message: str) -> None:
    """Answer with a status and a line."""
    body = message.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
