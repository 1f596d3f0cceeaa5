"""Carry one chat completion to an endpoint and back, by whichever client suits its provider."""

import logging
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from radgpt.config import Provider, Service
from radgpt.errors import UserError
from radgpt.governance.endpoints import Endpoint


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answered, before anything is made of it."""

    status: int
    headers: Mapping[str, str]
    """Names are looked up in any case."""
    body: Any
    """The JSON that came; None where none did."""


class LostError(Exception):
    """An attempt that brought no answer."""

    def __init__(self, reason: str, *, unsent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.unsent = unsent
        """No connection came about, so that nothing was sent and nothing is owed."""


class Transport(Protocol):
    """One endpoint's connections, opened as they are needed; made and used in one event loop."""

    async def send(self, body: dict[str, Any]) -> Answer:
        """Post one chat completion: no retry, no redirect, and no proxy unless the endpoint allows one.

        Raises:
            LostError: no answer came.
            UserError: we refuse to connect there, or no credentials can be had.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


def transport_to(service: Service, endpoint: Endpoint, key: str) -> Transport:
    """The lean transport for servers of one's own, which answer hundreds of calls a second; OpenAI's own client for all others."""
    quieten(endpoint)
    if service.provider is Provider.local:
        from radgpt.teacher.transports.lean import LeanTransport

        return LeanTransport(endpoint, key)
    from radgpt.teacher.transports.sdk import SdkTransport

    return SdkTransport(service, endpoint, key)


def quieten(endpoint: Endpoint) -> None:
    """Keep clients from logging what is sent of credentialed data: OPENAI_LOG=debug would write whole prompts to the console."""
    if endpoint.credentialed:
        for client in ("openai", "aiohttp", "httpx2"):
            logging.getLogger(client).setLevel(logging.WARNING)


def trusted(endpoint: Endpoint) -> ssl.SSLContext | bool:
    """What certificates are checked against: on a private network the machine's own, so that an internal authority can be trusted."""
    return True if endpoint.proxied else ssl.create_default_context()


def lost(error: Exception, endpoint: Endpoint) -> LostError:
    """What went wrong with a connection; clients wrap aiohttp's errors, whose own names tell most.

    Raises:
        UserError: we refused to connect, or the certificate is not trusted, which no retry can mend.
        Exception: `error` itself, where it is no connection's.
    """
    import aiohttp

    chain = [error, *causes_of(error)]
    for cause in chain:
        if isinstance(cause, UserError):
            raise cause
    for cause in chain:
        if isinstance(cause, aiohttp.ClientConnectorCertificateError):
            raise UserError(
                f"{endpoint.url} shows a certificate that this machine does not trust: check {endpoint.group}.base_url, or point "
                "SSL_CERT_FILE at the certificate of the authority that signed it"
            ) from None
        if isinstance(cause, aiohttp.ClientConnectorError):
            return LostError("no connection", unsent=True)
        if isinstance(cause, TimeoutError):
            return LostError("timeout")
        if isinstance(cause, (aiohttp.ClientError, OSError)):
            return LostError("connection lost")
    raise error


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """What an error was raised from, nearest first."""
    while error.__cause__ is not None:
        error = error.__cause__
        yield error
