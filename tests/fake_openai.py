"""An OpenAI-compatible server on this machine that streams, fails on demand, and counts what it is asked."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from loopback import on_loopback

MODEL = "fake-model-2026"


@dataclass
class FakeOpenAI:
    """The server, as a test sees it. Rows are told apart by the text of their last message."""

    base_url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    """Requests for each row."""
    answered: Counter[str] = field(default_factory=Counter)
    """Requests for each row that ended well: what a real endpoint would charge."""
    times: list[float] = field(default_factory=list)
    """Moments at which requests came in (time.monotonic)."""
    refused: int = 0
    """Requests beyond the limits."""
    paths: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    """Authorization headers that came in."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """The latest ten request bodies."""
    most_in_flight: int = 0
    tell_limits: bool = False
    """Answers carry `x-ratelimit-*`."""
    azure: bool = False
    """Errors are worded as Azure's."""
    left: dict[str, float] = field(default_factory=dict)
    """Row to the moment (time.monotonic) at which the client was found gone amid its stream."""
    streaming: int = 0
    """Streams open now."""

    @property
    def root(self) -> str:
        """The address without /v1, as Azure's endpoints are given."""
        return self.base_url.removesuffix("/v1")


def completion(text: str | None, *, finish: str = "stop", refusal: str | None = None, characters: int = 0) -> dict[str, Any]:
    """A chat completion as OpenAI writes it."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, "refusal": refusal}}],
        "usage": {"prompt_tokens": characters // 4, "completion_tokens": 5, "total_tokens": characters // 4 + 5},
    }


def azure_error(seconds: int) -> web.Response:
    """A refusal as Azure writes it: the code is the status, and seconds are whole."""
    message = f"Requests have exceeded call rate limit of your current OpenAI S0 pricing tier. Please retry after {seconds} seconds."
    return web.json_response({"error": {"code": "429", "message": message}}, status=429, headers={"retry-after": str(seconds)})


def error(status: int, code: str, headers: dict[str, str] | None = None, **more: Any) -> web.Response:
    """An error as OpenAI writes it; the message quotes the prompt, as some servers do."""
    body = {"error": {"message": "SECRET PROMPT was refused", "type": "some_error", "param": None, "code": code} | more}
    return web.json_response(body, status=status, headers=headers)


def event(choice: dict[str, Any]) -> bytes:
    """One event of a stream, as OpenAI writes it; signs that are no line ends to JSON stay as they are."""
    chunk = {"object": "chat.completion.chunk", "model": MODEL, "choices": [{"index": 0, "finish_reason": None} | choice]}
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


@contextmanager
def serve(
    faults: Mapping[str, Iterable[str]] | None = None,
    *,
    reply: Callable[[list[dict[str, str]]], str] = lambda messages: f"reply to {messages[-1]['content']}",
    latency: float = 0.0,
    requests_per_minute: float | None = None,
    tokens_per_minute: float | None = None,
    retry_after: bool = True,
    tell_limits: bool = False,
    azure: bool = False,
    pace: float = 0.0,
    unknown_fields: Collection[str] = (),
    models: Mapping[str, Any] | None = None,
) -> Iterator[FakeOpenAI]:
    """Serve chat completions on loopback, from a thread of its own.

    `faults` maps a row (the text of its last message) to what its first, second, … request gets; the key `*` is for all other
    rows together; used-up rows are answered well. What a request may get: `ok`; any HTTP status, such as `500`; `429-after` (asks
    for a second), `429-ms` (for 50 milliseconds), `400-context`, `insufficient_quota`, `azure_filter`; `hang`, `drop`, `torn`,
    `trickle`, `html`, `bad_json`, `no_choices`, `two_choices`, `tool_call`; and completions `length`, `filtered`, `refusal`, `empty`.
    Replies that are to be streamed come word by word, `pace` seconds apart; a stream may also get `cut` (the connection is closed after
    two words), `unended` (it ends properly, but the reply doesn't), `stall` (nothing comes after the first word), `stream_error`,
    `unstreamed` (the whole reply at once), and, as its completions end, `length` or `filtered`.
    Requests with one of `unknown_fields` are refused with 422. `models` is what `GET /models` answers; None: 404.
    Limits are strict: one second's worth may come at once; `tell_limits` puts them into headers, `azure` words refusals as Azure does.
    """
    server = FakeOpenAI(tell_limits=tell_limits, azure=azure)
    scripts = {row: iter(names) for row, names in (faults or {}).items()}
    waiting = 0
    rooms = {"requests": requests_per_minute, "tokens": tokens_per_minute}
    levels = {name: (limit or 0) / 60 for name, limit in rooms.items()}
    filled = time.monotonic()

    def admit(cost: dict[str, float]) -> float:
        """Seconds that a request comes too early; 0 lets it in."""
        nonlocal filled
        now = time.monotonic()
        for name, limit in rooms.items():
            if limit:
                levels[name] = min(limit / 60, levels[name] + (now - filled) * limit / 60)
        filled = now
        early = max((cost[name] - levels[name]) / (limit / 60) for name, limit in rooms.items() if limit) if any(rooms.values()) else 0.0
        if early > 0:
            return early
        for name, limit in rooms.items():
            levels[name] -= cost[name] if limit else 0
        return 0.0

    def told() -> dict[str, str]:
        """The limits, as headers."""
        limits = {name: limit for name, limit in rooms.items() if limit}
        return {
            header: text
            for name, limit in limits.items()
            for header, text in {
                f"x-ratelimit-limit-{name}": str(int(limit)),
                f"x-ratelimit-remaining-{name}": str(max(0, int(levels[name]))),
                f"x-ratelimit-reset-{name}": f"{int(1000 - 1000 * levels[name] / (limit / 60))}ms",
            }.items()
        }

    async def chat(request: web.Request) -> web.StreamResponse:
        nonlocal waiting
        waiting += 1
        server.most_in_flight = max(server.most_in_flight, waiting)
        try:
            answer = await respond(request)
            if not answer.prepared:
                answer.headers["x-request-id"] = f"req_{server.asked.total()}"
                if tell_limits:
                    answer.headers.update(told())
            return answer
        finally:
            waiting -= 1

    async def respond(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        row = body["messages"][-1]["content"]
        characters = sum(len(message["content"]) for message in body["messages"])
        server.times.append(time.monotonic())
        server.paths.add(str(request.path_qs))
        server.keys.add(request.headers.get("authorization") or request.headers.get("api-key") or "")
        server.bodies = [*server.bodies[-9:], body]
        server.asked[row] += 1
        early = admit({"requests": 1, "tokens": characters / 4 + (body.get("max_completion_tokens") or body["max_tokens"])})
        if early > 0:
            server.refused += 1
            if azure:
                return azure_error(int(early) + 1)
            return error(429, "rate_limit_exceeded", {"retry-after-ms": str(int(early * 1000) + 1)} if retry_after else None)
        if refused := sorted(set(unknown_fields) & body.keys()):
            return web.json_response({"detail": f"Unsupported fields in the request: {refused}. SECRET PROMPT"}, status=422)
        name = next(scripts[row] if row in scripts else scripts.get("*", iter(())), "ok")
        await asyncio.sleep(latency)
        if body.get("stream") and name in ("ok", "cut", "unended", "stall", "stream_error", "length", "filtered"):
            return await stream(name, request, body, row)
        if name == "unstreamed":
            name = "ok"
        if name == "ok":
            server.answered[row] += 1
            return web.json_response(completion(reply(body["messages"]), characters=characters))
        return await fail(name, request, characters)

    async def stream(name: str, request: web.Request, body: dict[str, Any], row: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        characters = sum(len(message["content"]) for message in body["messages"])
        words = reply(body["messages"]).split(" ")
        counts = bool((body.get("stream_options") or {}).get("include_usage"))
        finish = {"length": "length", "filtered": "content_filter"}.get(name, "stop")
        server.streaming += 1
        try:
            await response.write(b": the connection is alive\r\n\r\n" + event({"delta": {"role": "assistant", "content": None}}))
            for number, word in enumerate(words):
                await response.write(event({"delta": {"content": word if not number else f" {word}"}}))
                if number == 1 and name == "cut":
                    assert request.transport is not None
                    request.transport.close()
                    return response
                if number == 1 and name == "stream_error":
                    await response.write(b'data: {"error": {"message": "SECRET PROMPT failed", "code": 500}}\n\n')
                    return response
                waiting_for = time.monotonic() + (1e9 if name == "stall" else pace)
                while time.monotonic() < waiting_for and not stop.is_set():
                    if request.transport is None or request.transport.is_closing():
                        raise ConnectionResetError
                    await asyncio.sleep(0.005)
            if name == "unended":
                return response
            await response.write(event({"delta": {}, "finish_reason": finish}))
            if counts:
                usage = {
                    "prompt_tokens": characters // 4,
                    "completion_tokens": len(words) + 1,
                    "prompt_tokens_details": {"cached_tokens": 3},
                }
                await response.write(b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n")
            await response.write(b"data: [DONE]\n\n")
            server.answered[row] += 1
        except ConnectionResetError:
            server.left[row] = time.monotonic()
        finally:
            server.streaming -= 1
        return response

    async def fail(name: str, request: web.Request, characters: int) -> web.StreamResponse:
        if name == "hang":
            await stop.wait()
            return web.Response()
        if name == "trickle":
            response = web.StreamResponse(headers={"content-type": "application/json", "content-length": "1000"})
            await response.prepare(request)
            while not stop.is_set():
                await response.write(b" ")
                await asyncio.sleep(0.02)
            return response
        if name in ("drop", "torn"):
            assert request.transport is not None
            if name == "torn":
                request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{")
            request.transport.close()
            return web.Response()
        kinds: dict[str, Callable[[], web.StreamResponse]] = {
            "429": lambda: error(429, "rate_limit_exceeded"),
            "429-after": lambda: error(429, "rate_limit_exceeded", {"retry-after": "1"}),
            "429-ms": lambda: error(429, "rate_limit_exceeded", {"retry-after-ms": "50"}),
            "400": lambda: error(400, "unsupported_value", param="temperature"),
            "400-context": lambda: error(400, "context_length_exceeded", param="messages"),
            "insufficient_quota": lambda: error(429, "insufficient_quota", type="insufficient_quota"),
            "azure_filter": lambda: error(400, "content_filter", param="prompt", innererror={"code": "ResponsibleAIPolicyViolation"}),
            "302": lambda: web.Response(status=302, headers={"location": f"{server.base_url}/elsewhere"}),
            "html": lambda: web.Response(text="<html>welcome</html>", content_type="text/html"),
            "bad_json": lambda: web.Response(text='{"choices": [', content_type="application/json"),
            "no_choices": lambda: web.json_response({"object": "chat.completion", "choices": None}),
            "two_choices": lambda: web.json_response(completion("a") | {"choices": 2 * completion("a")["choices"]}),
            "tool_call": lambda: web.json_response(
                completion(None) | {"choices": [{"finish_reason": "tool_calls", "message": {"content": None, "tool_calls": [{}]}}]}
            ),
            "length": lambda: web.json_response(completion("half a sen", finish="length", characters=characters)),
            "filtered": lambda: web.json_response(completion(None, finish="content_filter", characters=characters)),
            "refusal": lambda: web.json_response(completion(None, refusal="I cannot help with that.", characters=characters)),
            "empty": lambda: web.json_response(completion(" \n", characters=characters)),
        }
        return kinds[name]() if name in kinds else error(int(name), "some_code")

    async def tell_models(request: web.Request) -> web.Response:
        return web.json_response(models) if models is not None else error(404, "not_found")

    stop = asyncio.Event()
    application = web.Application()
    application.router.add_get("/v1/models", tell_models)
    application.router.add_post("/{path:.*}", chat)
    with on_loopback(application, stop) as server.base_url:
        yield server
