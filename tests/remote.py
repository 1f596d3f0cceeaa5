"""Backends behind the fake endpoint."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

from fake_openai import FakeOpenAI

from radgpt.config import Backend, Decoding, Governance, Model, Provider
from radgpt.inference.backend import Message, NamedModel, Reply
from radgpt.inference.endpoint.remote import RemoteBackend

GREEDY = Decoding(max_new_tokens=32, do_sample=False, repetition_penalty=1.0)


def backend_at(server: FakeOpenAI, **settings: Any) -> Backend:
    """The settings of a backend at this server, in no need to be patient."""
    fast: dict[str, Any] = {"max_requests_per_minute": 1e6, "max_tokens_per_minute": 1e9, "timeout": 10.0}
    return Backend(**{"provider": Provider.local, "model": "any", "base_url": server.base_url, **fast, **settings})


@contextmanager
def remote(server: FakeOpenAI, governance: Governance = Governance.synthetic, **settings: Any) -> Iterator[RemoteBackend]:
    """A backend at this server, closed at the end."""
    backend = RemoteBackend(NamedModel("this", Model(), backend_at(server, **settings), GREEDY, None), governance)
    try:
        yield backend
    finally:
        backend.close()


def say(text: str) -> list[Message]:
    """A conversation of one message."""
    return [{"role": "user", "content": text}]


def whole(backend: RemoteBackend, text: str, decoding: Decoding = GREEDY, stop: Event | None = None) -> tuple[list[str], Reply]:
    """The pieces that a message is answered with, and the reply."""
    stream, pieces = backend.stream(say(text), decoding, 0, stop or Event()), []
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            return pieces, end.value
