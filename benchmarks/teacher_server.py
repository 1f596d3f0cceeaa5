"""A fast chat-completions endpoint on loopback for `teacher.py`, with strict limits, planned faults and accounts for each row."""

import asyncio
import math
import multiprocessing
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import orjson

ROW = re.compile(rb"#(\d+)")
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
REPLY = "The lungs are clear and the heart is of normal size. " * 4

FAULTS = {
    "500": 0.03, "503": 0.02, "drop": 0.02, "html": 0.01, "bad_json": 0.01, "hang": 0.002,
    "length": 0.02, "filter": 0.005, "refusal": 0.005, "filter400": 0.005, "empty": 0.005,
}  # fmt: skip
"""Share of the requests that meet each fault, 13 % in all; drawn by row and attempt, so that every client meets the same."""


@dataclass(frozen=True)
class Terms:
    """What the endpoint allows, and how it speaks."""

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    """Both with one second's worth at once; a request is charged its prompt and the longest reply when it comes, as Azure does."""
    latency: float = 0.2
    """Seconds."""
    headers: bool = False
    """Whether answers tell the limits."""
    azure: bool = False
    """Whether errors are worded as Azure's, which ask to wait whole seconds; else as OpenAI's."""
    counting: float = 1.0
    """Tokens that the endpoint counts for each four characters of a prompt."""
    faults: bool = False
    seconds: float = math.inf
    """How long from the first request on it keeps count for `accepted`, `refused` and `tokens`."""


@dataclass
class Accounts:
    """What it was asked and what it gave."""

    accepted: int = 0
    refused: int = 0
    tokens: float = 0.0
    """Tokens charged."""
    asked: int = 0
    paid: Counter[int] = field(default_factory=Counter)
    """Replies for each row."""


class Endpoint:
    """Limits and accounts of all connections."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.accounts = Accounts()
        self.attempts: Counter[int] = Counter()
        self.begun: float | None = None
        self.filled = 0.0
        self.limits = {"requests": terms.requests_per_minute, "tokens": terms.tokens_per_minute}
        self.levels = {name: limit / 60 for name, limit in self.limits.items() if limit}

    def admit(self, tokens: float) -> float:
        """Seconds that a request comes too early; 0 lets it in."""
        now = time.monotonic()
        self.begun = self.begun or now
        counted = now < self.begun + self.terms.seconds
        costs = {"requests": 1.0, "tokens": tokens}
        early = 0.0
        for name in self.levels:
            rate = (self.limits[name] or 0.0) / 60
            self.levels[name] = min(rate, self.levels[name] + (now - self.filled) * rate)
            early = max(early, (min(costs[name], rate) - self.levels[name]) / rate)
        self.filled = now
        self.accounts.asked += 1
        if early > 1e-9:
            self.accounts.refused += counted
            return early
        for name in self.levels:
            self.levels[name] -= costs[name]
        self.accounts.accepted += counted
        self.accounts.tokens += counted * tokens
        return 0.0

    def fault(self, row: int) -> str | None:
        """The fault planned for this attempt at a row."""
        if not self.terms.faults:
            return None
        self.attempts[row] += 1
        draw = random.Random(f"{row}:{self.attempts[row]}").random()
        for name, share in FAULTS.items():
            if draw < share:
                return name
            draw -= share
        return None

    def answer(self, body: bytes) -> tuple[float, int, bytes, dict[str, str]] | None:
        """(seconds to wait, status, body, headers) of an answer; None for a connection that breaks."""
        asked = orjson.loads(body)
        found = ROW.search(body)
        row = int(found.group(1)) if found else -1
        characters = sum(len(message["content"]) for message in asked["messages"])
        longest = asked.get("max_completion_tokens") or asked["max_tokens"]
        prompt = max(1, round(characters / 4 * self.terms.counting))
        early = self.admit(prompt + longest)
        headers = self.told() if self.terms.headers else {}
        if early:
            seconds = math.ceil(early)
            if self.terms.azure:
                error: dict[str, Any] = {
                    "code": "429",
                    "message": f"Requests have exceeded call rate limit. Retry after {seconds} seconds.",
                }
            else:
                error = {"message": "Rate limit reached.", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
            return 0.0, 429, orjson.dumps({"error": error}), headers | {"retry-after": str(seconds)}
        fault = self.fault(row)
        if fault == "drop":
            return None
        if fault in ("500", "503", "filter400"):
            error = {"message": "fault", "code": "content_filter" if fault == "filter400" else None}
            return self.terms.latency, 400 if fault == "filter400" else int(fault), orjson.dumps({"error": error}), headers
        if fault in ("html", "bad_json"):
            return self.terms.latency, 200, b"<html>" if fault == "html" else b'{"choices": [', headers
        message = {"role": "assistant", "content": {"empty": "", "filter": None, "refusal": None}.get(fault or "", f"{REPLY}#{row}")}
        if fault == "refusal":
            message["refusal"] = "I cannot help with that."
        finish = {"length": "length", "filter": "content_filter"}.get(fault or "", "stop")
        self.accounts.paid[row] += 1
        completion = {
            "id": f"chatcmpl-{row}",
            "object": "chat.completion",
            "created": 0,
            "model": "fake",
            "choices": [{"index": 0, "finish_reason": finish, "message": message}],
            "usage": {"prompt_tokens": prompt, "completion_tokens": 50, "total_tokens": prompt + 50},
        }
        return 3600.0 if fault == "hang" else self.terms.latency, 200, orjson.dumps(completion), headers

    def told(self) -> dict[str, str]:
        """The limits, as headers."""
        headers = {}
        for name, level in self.levels.items():
            limit = self.limits[name] or 0.0
            headers[f"x-ratelimit-limit-{name}"] = str(int(limit))
            headers[f"x-ratelimit-remaining-{name}"] = str(max(0, int(level)))
            headers[f"x-ratelimit-reset-{name}"] = f"{math.ceil(1000 * max(0.0, 1 - level / (limit / 60)))}ms"
        return headers


class Wire(asyncio.Protocol):
    """One connection: HTTP/1.1, one request after the other."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._received = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not end or (length and len(body) < int(length.group(1))):
            return
        self._received = b""
        answer = self._endpoint.answer(body)
        if answer is None:
            self._transport.close()
        elif answer[0] <= 0:
            self._send(answer)
        else:
            asyncio.get_running_loop().call_later(answer[0], self._send, answer)

    def _send(self, answer: tuple[float, int, bytes, dict[str, str]]) -> None:
        _, status, body, headers = answer
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        start = f"HTTP/1.1 {status} x\r\n{lines}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self._transport.write(start.encode() + body)


def serve(pipe: Connection, terms: Terms) -> None:
    """Send the address through the pipe, then the accounts whenever something comes through it; `stop` ends it."""

    async def run() -> None:
        endpoint = Endpoint(terms)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Wire(endpoint), "127.0.0.1", 0)
        stopped = asyncio.Event()

        def told() -> None:
            word = pipe.recv()
            pipe.send(endpoint.accounts)
            if word == "stop":
                stopped.set()

        loop.add_reader(pipe.fileno(), told)
        pipe.send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
        await stopped.wait()

    asyncio.run(run())


class Server:
    """The endpoint in a process of its own."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.url: str = pipe.recv()

    def accounts(self, word: str = "accounts") -> Accounts:
        """What it was asked and gave so far."""
        self._pipe.send(word)
        accounts: Accounts = self._pipe.recv()
        return accounts


@contextmanager
def serving(terms: Terms) -> Iterator[Server]:
    """Run the endpoint until the block ends."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(there, terms), daemon=True)
    process.start()
    server = Server(here)
    try:
        yield server
    finally:
        server.accounts("stop")
        process.join()
