"""Read a streamed reply: server-sent events, each a JSON object on a line of its own (WHATWG HTML, section 9.2)."""

from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from typing import Any

from radgpt.teacher.transports import LostError
from radgpt.teacher.transports.lean import LONGEST_BODY, read_json

EVENTS = "text/event-stream"
"""The content type of a stream."""

END = b"[DONE]"
"""What ends a stream of OpenAI's."""


async def events_in(pieces: AsyncIterable[bytes]) -> AsyncGenerator[Mapping[str, Any], None]:
    """Yield the JSON objects of a stream up to its end; what is none, such as a comment that keeps the connection alive, is passed over.

    Lines are told apart as bytes: text may hold signs that `str.splitlines` takes for the end of a line, and JSON does not.

    Raises:
        LostError: the stream ended without saying so, or a line is longer than any answer is.
    """
    rest, ended = b"", False
    async for piece in pieces:
        *lines, rest = (rest + piece).replace(b"\r\n", b"\n").split(b"\n")
        if len(rest) > LONGEST_BODY:
            raise LostError("answer too long")
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            data = line.removeprefix(b"data:").strip()
            if data == END:
                return
            event = read_json(data)
            if isinstance(event, dict):
                ended = ended or finished(event)
                yield event
    if not ended:
        raise LostError("the stream broke off")


def finished(event: Mapping[str, Any]) -> bool:
    """Whether a piece of a reply says that it was the last one with text."""
    choices = event.get("choices")
    return isinstance(choices, list) and any(isinstance(choice, dict) and choice.get("finish_reason") for choice in choices)
