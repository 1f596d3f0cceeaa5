"""A stream means the same however the network tears it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from radgpt.teacher.transports import LostError, events
from radgpt.teacher.transports.events import events_in

STREAM = (
    ': hello\r\n\r\ndata: {"choices": [{"delta": {"content": "Kl\u00e4r\u2028\x85"}}]}\r\n\r\n'
    'event: x\ndata:{"choices": []}\n\ndata: [1]\n\ndata: {half\n\ndata: [DONE]\n\ndata: {"choices": ["after"]}\n\n'
).encode()


def read(stream: bytes, size: int) -> list[Any]:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(stream), size):
            yield stream[start : start + size]

    async def run() -> list[Any]:
        return [event async for event in events_in(pieces())]

    return asyncio.run(run())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_lines_are_put_together_and_what_is_no_object_is_passed_over(size: int) -> None:
    assert read(STREAM, size) == [{"choices": [{"delta": {"content": "Kl\u00e4r\u2028\x85"}}]}, {"choices": []}]


@pytest.mark.parametrize("end", [b'data: {"choices": [{"finish_reason": "stop"}]}\n\n', b"data: [DONE]\n\n"])
def test_a_stream_has_an_end(end: bytes) -> None:
    begun = b'data: {"choices": [{"finish_reason": null}]}\n\n'
    assert read(begun + end, 10)
    with pytest.raises(LostError, match="broke off"):
        read(begun, 10)


def test_a_line_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LONGEST_BODY", 100)
    with pytest.raises(LostError, match="too long"):
        read(b"data: " + b"x" * 1000, 50)
