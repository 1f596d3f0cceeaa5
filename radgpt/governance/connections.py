"""Hold every connection and every request of credentialed data to what the gate allowed, whatever happens after its check."""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from radgpt.errors import UserError
from radgpt.governance.endpoints import Endpoint, is_private, refusal

PORTS = {"http": 80, "https": 443}


class ForbiddenAddressError(UserError, OSError):
    """A connection was refused on our side; an OSError, so that what opens sockets hands it on."""


class PrivateNetworkLoop(asyncio.SelectorEventLoop):
    """An event loop that opens no TCP connection to a public address.

    The host was resolved once by the gate, but it's resolved again for each connection: a name whose
    answer changes, a redirect or a proxy would get past that check, and doesn't get past this one.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__()
        self._group = endpoint.group

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect, or raise ForbiddenAddressError before the first packet."""
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not is_private(str(address[0])):
            host = f"a public address that the name of {self._group}.base_url leads to by now"
            raise ForbiddenAddressError(str(refusal(host, self._group)))
        await super().sock_connect(sock, address)


class AttestedHostLoop(asyncio.SelectorEventLoop):
    """An event loop that knows one name, with the addresses that it had when the gate let it pass, and connects nowhere else."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__()
        self._host = urlsplit(endpoint.url).hostname
        self._addresses = endpoint.addresses

    async def getaddrinfo(
        self, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[tuple[Any, Any, int, str, Any]]:
        """The addresses of the one host, without asking again."""
        if host != self._host:
            raise ForbiddenAddressError(f"governance.attestation covers {self._host} alone; a connection to another host was refused")
        found: list[tuple[Any, Any, int, str, Any]] = []
        for address in self._addresses:
            of_family = socket.AF_INET6 if ":" in address else socket.AF_INET
            if family in (0, of_family):
                end = (address, port, 0, 0) if ":" in address else (address, port)
                found.append((of_family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", end))
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, f"{self._host} has no address of this family")
        return found

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect, or raise ForbiddenAddressError before the first packet."""
        if sock.family in (socket.AF_INET, socket.AF_INET6) and str(address[0]) not in self._addresses:
            raise ForbiddenAddressError(
                f"{self._host} leads to another address than when it was checked; give the same command again, replies so far are kept"
            )
        await super().sock_connect(sock, address)


def loop_for(endpoint: Endpoint) -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the event loop that connections to an endpoint are opened in."""
    if not endpoint.credentialed:
        return asyncio.new_event_loop
    return partial(PrivateNetworkLoop if endpoint.private_only else AttestedHostLoop, endpoint)


def request_guard(endpoint: Endpoint) -> Callable[[Any], Awaitable[None]]:
    """A hook of the HTTP client that is called with each request before it connects; raises UserError as `refuse_request` does."""

    async def guard(request: Any) -> None:
        refuse_request(endpoint, str(request.url), request.headers.get("content-type", ""))

    return guard


def refuse_request(endpoint: Endpoint, url: str, content_type: str) -> None:
    """Refuse what credentialed data may not be sent as: services that keep what they are given, and any host but the endpoint's.

    Raises:
        UserError: the request is one of those.
    """
    asked = urlsplit(url)
    if origin(asked) != origin(urlsplit(endpoint.url)):
        raise UserError(f"a request to {asked.hostname} was refused: credentialed reports go to {endpoint.url} alone")
    for word in re.split(r"[/:]", unquote(asked.path).lower()):
        if word in ("file", "files") or word.startswith(("batch", "upload")):
            raise UserError(
                f"a request to /{word} of {endpoint.url} was refused: file and batch services keep what they are sent, and credentialed "
                "reports may not be kept, attested or not; ask row by row, through chat completions"
            )
    if content_type.lower().startswith("multipart/"):
        raise UserError(f"an upload of a file to {endpoint.url} was refused: credentialed reports are sent row by row, never as files")


def origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    """(scheme, host, port) of an address, the scheme's own port filled in."""
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)
