"""Post chat completions with bare aiohttp, for servers of one's own: a fifth of the processor time of a full client."""

import json
from typing import Any

import aiohttp
import orjson

from radgpt.governance.connections import refuse_request
from radgpt.governance.endpoints import Endpoint
from radgpt.teacher.transports import Answer, LostError, lost, trusted

JSON = "application/json"

LONGEST_BODY = 8 << 20
"""Bytes; thousands of times what `teacher.max_tokens` commonly allows, and little enough for all requests under way together."""


class LeanTransport:
    """See `Transport`."""

    def __init__(self, endpoint: Endpoint, key: str) -> None:
        self._endpoint = endpoint
        self._url = f"{endpoint.url.rstrip('/')}/chat/completions"
        self._session = aiohttp.ClientSession(
            # The session's own resolver asks the event loop, which holds credentialed data to where the gate let them go.
            connector=aiohttp.TCPConnector(limit=0, ssl=trusted(endpoint), resolver=aiohttp.ThreadedResolver()),
            headers={"Authorization": f"Bearer {key}", "Content-Type": JSON, "Accept": JSON},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=endpoint.proxied,
            timeout=aiohttp.ClientTimeout(total=None),  # the caller's clock covers the whole attempt
        )

    async def send(self, body: dict[str, Any]) -> Answer:
        """See `Transport`."""
        if self._endpoint.credentialed:
            refuse_request(self._endpoint, self._url, JSON)
        try:
            async with self._session.post(self._url, data=orjson.dumps(body), allow_redirects=False) as response:
                return Answer(response.status, response.headers, read_json(await whole_body(response)))
        except (aiohttp.ClientError, OSError) as error:
            raise lost(error, self._endpoint) from None

    async def close(self) -> None:
        """See `Transport`."""
        await self._session.close()


async def whole_body(response: aiohttp.ClientResponse) -> bytes:
    """What came, unpacked; raises LostError where it is longer than any answer is."""
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > LONGEST_BODY:
            raise LostError("answer too long")
    return b"".join(pieces)


def read_json(content: bytes) -> Any:
    """The value of a JSON text; None where it is none."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        try:
            return json.loads(content)  # takes lone surrogates and NaN, which some servers write
        except (ValueError, RecursionError):  # the latter of lists in lists in lists …
            return None
