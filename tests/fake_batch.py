"""A provider's Files and Batch services on this machine, which end batches as told and count what they would charge."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from fake_openai import completion
from loopback import on_loopback


@dataclass
class FakeBatch:
    """The services, as a test sees them. Rows are told apart by the text of their last message."""

    base_url: str = ""
    charged: Counter[str] = field(default_factory=Counter)
    """Completions made for each row."""
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Name and content of what is stored there now."""
    uploads: list[str] = field(default_factory=list)
    """Names of all files ever uploaded."""
    sizes: list[int] = field(default_factory=list)
    """Rows of each batch that ran."""
    paths: set[str] = field(default_factory=set)
    urls: set[str] = field(default_factory=set)
    """What the rows of the uploaded files name."""

    @property
    def root(self) -> str:
        """The address without /v1, as Azure's endpoints are given."""
        return self.base_url.removesuffix("/v1")


@contextmanager
def serve_batches(
    faults: Mapping[str, Iterable[str]] | None = None,
    *,
    endings: Iterable[str] = (),
    looks: int = 1,
    queue: int | None = None,
    lose_creations: int = 0,
    reply: Callable[[list[dict[str, str]]], str] = lambda messages: f"reply to {messages[-1]['content']}",
) -> Iterator[FakeBatch]:
    """Serve on loopback, from a thread of its own.

    `faults` maps a row to what becomes of it in its first, second, … batch: `ok`, `missing` (in no file), an HTTP status, `length`,
    `empty`, `filtered` or `400-context`. `endings` are those of the batches that run, in order: `completed`, `expired` (half of the
    rows done), `cancelled` (none), `failed` or `failed:CODE`; then all complete. A batch is under way for so many `looks`. The queue
    takes so many rows at once. The answers to the first `lose_creations` creations get lost.
    """
    server = FakeBatch()
    scripts = {row: iter(names) for row, names in (faults or {}).items()}
    scripted = iter(endings)
    lost = 0

    def add_file(name: str, content: bytes) -> str:
        number = f"file-{len(server.uploads) + 1}"
        server.uploads.append(name)
        server.files[number] = (name, content)
        return number

    def described(number: str) -> dict[str, Any]:
        name, content = server.files[number]
        return {
            "id": number, "object": "file", "bytes": len(content), "created_at": int(time.time()), "filename": name,
            "purpose": "batch", "status": "processed",
        }  # fmt: skip

    async def files(request: web.Request) -> web.StreamResponse:
        tail = request.path.partition("/files")[2].strip("/").split("/")
        if request.method == "POST":
            form = await request.post()
            upload = form["file"]
            assert isinstance(upload, web.FileField) and form["purpose"] == "batch"
            content = upload.file.read()
            server.urls |= {json.loads(line)["url"] for line in content.splitlines()}
            return web.json_response(described(add_file(upload.filename, content)))
        if tail == [""]:
            listed = [described(number) for number in reversed(server.files)]
            return web.json_response({"object": "list", "data": listed, "has_more": False})
        if tail[0] not in server.files:
            return web.json_response({"error": {"message": "SECRET", "code": "not_found"}}, status=404)
        if request.method == "DELETE":
            del server.files[tail[0]]
            return web.json_response({"id": tail[0], "object": "file", "deleted": True})
        return web.Response(body=server.files[tail[0]][1]) if tail[1:] else web.json_response(described(tail[0]))

    async def batches(request: web.Request) -> web.StreamResponse:
        nonlocal lost
        tail = request.path.partition("/batches")[2].strip("/")
        if request.method == "GET" and tail:
            if tail not in server.batches:
                return web.json_response({"error": {"message": "SECRET", "code": "not_found"}}, status=404)
            go_on(server.batches[tail])
            return web.json_response(server.batches[tail])
        if request.method == "GET":
            return web.json_response({"object": "list", "data": list(reversed(server.batches.values())), "has_more": False})
        body = await request.json()
        if body["input_file_id"] not in server.files:
            return web.json_response({"error": {"message": "SECRET", "code": "not_found"}}, status=404)
        number = f"batch_{len(server.batches) + 1}"
        server.batches[number] = {
            "id": number, "object": "batch", "endpoint": body["endpoint"], "input_file_id": body["input_file_id"],
            "completion_window": body["completion_window"], "status": "validating", "created_at": int(time.time()),
            "errors": None, "output_file_id": None, "error_file_id": None, "looks": 0,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
        }  # fmt: skip
        if lost < lose_creations:
            lost += 1
            assert request.transport is not None
            request.transport.close()
        return web.json_response(server.batches[number])

    def go_on(batch: dict[str, Any]) -> None:
        """Bring a batch one look further."""
        if batch["status"] not in ("validating", "in_progress"):
            return
        rows = server.files[batch["input_file_id"]][1].splitlines()
        busy = sum(other["request_counts"]["total"] for other in server.batches.values() if other["status"] == "in_progress")
        if batch["status"] == "validating" and queue is not None and busy + len(rows) > queue:
            end(batch, "failed:token_limit_exceeded", [])
            return
        batch["status"], batch["request_counts"]["total"] = "in_progress", len(rows)
        batch["looks"] += 1
        if batch["looks"] > looks:
            end(batch, next(scripted, "completed"), [json.loads(row) for row in rows])

    def end(batch: dict[str, Any], ending: str, rows: list[dict[str, Any]]) -> None:
        status, _, code = ending.partition(":")
        batch["status"] = status
        if status == "failed":
            batch["errors"] = {"object": "list", "data": [{"code": code, "message": "SECRET"}] if code else []}
            return
        server.sizes.append(len(rows))
        done = {"expired": len(rows) // 2, "cancelled": 0}.get(status, len(rows))
        answered: list[str] = []
        broken: list[str] = []
        for row in rows[:done]:
            line, good = outcome(row)
            if line is not None:
                (answered if good else broken).append(json.dumps(line, ensure_ascii=False))
        for row in rows[done:]:
            error = {"code": f"batch_{status}", "message": "SECRET"}
            broken.append(json.dumps({"id": "r", "custom_id": row["custom_id"], "response": None, "error": error}))
        answered.reverse()  # in no order that anyone may rely on
        for name, lines in (("output_file_id", answered), ("error_file_id", broken)):
            if lines:
                batch[name] = add_file(name, ("\n".join(lines) + "\n").encode())

    def outcome(row: dict[str, Any]) -> tuple[dict[str, Any] | None, bool]:
        messages = row["body"]["messages"]
        text = messages[-1]["content"]
        name = next(scripts.get(text, iter(())), "ok")
        characters = sum(len(message["content"]) for message in messages)
        kinds = {
            "ok": lambda: completion(reply(messages), characters=characters),
            "length": lambda: completion("half a sen", finish="length", characters=characters),
            "empty": lambda: completion(" ", characters=characters),
            "filtered": lambda: completion(None, finish="content_filter", characters=characters),
        }
        if name == "missing":
            return None, False
        status = 200 if name in kinds else int(name.partition("-")[0])
        code = "context_length_exceeded" if name == "400-context" else "some_code"
        server.charged[text] += status == 200
        body = kinds[name]() if status == 200 else {"error": {"message": "SECRET", "code": code}}
        response = {"status_code": status, "request_id": f"req-{text}", "body": body}
        return {"id": "r", "custom_id": row["custom_id"], "response": response, "error": None}, status == 200

    async def route(request: web.Request) -> web.StreamResponse:
        server.paths.add(request.path_qs)
        return await (files if "/files" in request.path else batches)(request)

    application = web.Application(client_max_size=1 << 28)
    application.router.add_route("*", "/{path:.*}", route)
    with on_loopback(application, asyncio.Event()) as server.base_url:
        yield server
