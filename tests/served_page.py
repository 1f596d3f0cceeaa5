"""A served page over models that answer from a script, and a browser to look at it with."""

import asyncio
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from fake_backend import FakeBackend

from radgpt.config import ChatPrompt, Decoding
from radgpt.serving import server
from radgpt.serving.conversations import Conversations
from radgpt.serving.desk import Desk
from radgpt.serving.feedback import Feedback

PROMPT = ChatPrompt(system="You answer questions.", first_turn="{report}\n\n{instruction}")

REPORT = (
    "FINAL REPORT\nINDICATION: Cough.\nFINDINGS: There is a small left pleural effusion. The heart is mildly enlarged. "
    "No pneumothorax is seen.\nIMPRESSION: Small left effusion."
)


@dataclass(frozen=True)
class FakeModels:
    """Models by name, all there."""

    named: Mapping[str, FakeBackend]

    @property
    def names(self) -> list[str]:
        return list(self.named)

    def open(self, name: str) -> FakeBackend:
        return self.named[name]


@dataclass(frozen=True)
class ServedPage:
    """A page that can be opened."""

    address: str
    desk: Desk
    models: Mapping[str, FakeBackend]
    feedback: Path

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return int(self.address.rstrip("/").rpartition(":")[2])

    def ratings(self) -> list[dict[str, Any]]:
        """What was rated so far."""
        return [orjson.loads(line) for line in self.feedback.read_bytes().splitlines()]


@contextmanager
def desk_of(folder: Path, *models: FakeBackend) -> Iterator[Desk]:
    """A desk of these models, rated in feedback.jsonl of the folder."""
    named = {model.name: model for model in models}
    with Feedback(folder / "feedback.jsonl") as feedback:
        yield Desk(FakeModels(named), {name: Decoding() for name in named}, PROMPT.system, Conversations(PROMPT, 0), feedback)


@contextmanager
def page_served(
    folder: Path, *models: FakeBackend, samples: Mapping[str, str] | None = None, credentials: tuple[str, str] | None = None
) -> Iterator[ServedPage]:
    """Serve the page of these models on a free port, from a thread of its own."""
    os.environ.update(server.QUIET)
    from radgpt.serving.page import build

    address: list[str] = []
    opened = threading.Event()
    loop = asyncio.new_event_loop()
    ending = asyncio.Event()

    def tell(told: str) -> None:
        address.append(told)
        opened.set()

    with desk_of(folder, *models) as desk, server.listening(0) as socket:
        page = build(desk, samples or {}, "")
        serving = server.serve(desk, page, socket, credentials, tell, ending)
        thread = threading.Thread(target=loop.run_until_complete, args=(serving,), daemon=True)
        thread.start()
        try:
            assert opened.wait(30)
            yield ServedPage(address[0], desk, {model.name: model for model in models}, folder / "feedback.jsonl")
        finally:
            loop.call_soon_threadsafe(ending.set)
            thread.join(20)
            assert not thread.is_alive()
            loop.close()
