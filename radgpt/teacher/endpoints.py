"""Say where a teacher's requests go, and keep credentialed reports on this machine or a private network."""

import asyncio
import socket
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from radgpt.config import Governance, Provider, Teacher
from radgpt.errors import UserError

OPENAI_URL = "https://api.openai.com/v1"
"""Named here, so that OPENAI_BASE_URL in the environment can't send reports elsewhere."""

PRIVATE_NETWORKS = tuple(
    ip_network(network) for network in ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
"""Loopback (RFC 1122, RFC 4291) and private use (RFC 1918, RFC 4193)."""

THIRD_PARTIES = ("openai.com", "azure.com", "azure-api.net", "amazonaws.com", "googleapis.com", "anthropic.com", "mistral.ai")
"""Domains that stay third parties even where a private link lends them a private address."""


@dataclass(frozen=True)
class Endpoint:
    """The place that requests are sent to."""

    url: str
    private_only: bool
    """Every connection must end on this machine or a private network."""
    proxied: bool
    """Proxies named in the environment may be used."""


def endpoint_of(teacher: Teacher, governance: Governance) -> Endpoint:
    """The endpoint of a teacher, after checking that reports of this governance may go there; sends nothing.

    Raises:
        UserError: the data are credentialed and the host is, or resolves to, anything but a loopback or private address.
    """
    url = teacher.base_url or OPENAI_URL
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    if governance is not Governance.credentialed:
        return Endpoint(url, private_only=False, proxied=not (host == "localhost" or is_private(host)))
    if teacher.provider is Provider.azure or any(host == domain or host.endswith(f".{domain}") for domain in THIRD_PARTIES):
        raise refusal(host)
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UserError(f"teacher.base_url: the host {host} cannot be resolved; name a server on this machine or network") from None
    if not all(is_private(str(address[0])) for *_, address in found):
        raise refusal(host)
    return Endpoint(url, private_only=True, proxied=False)


def is_private(address: str) -> bool:
    """Whether this is the literal of a loopback or private-use IP address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in PRIVATE_NETWORKS)


def refusal(host: str) -> UserError:
    """Why credentialed data may not go to this host, and what to do."""
    return UserError(
        f"data.governance=credentialed keeps reports from {host}: PhysioNet's notice of 24 September 2025 forbids sharing them with "
        "third parties; use teacher=local with teacher.base_url on your own machine or private network, such as http://127.0.0.1:8000/v1"
    )


class PublicAddressError(UserError, OSError):
    """A connection to a public address was refused on our side; an OSError, so that what opens sockets hands it on."""


class PrivateNetworkLoop(asyncio.SelectorEventLoop):
    """An event loop that opens no TCP connection to a public address.

    The host was resolved once by `endpoint_of`, but it's resolved again for each connection: a name whose
    answer changes, a redirect or a proxy would get past that check, and doesn't get past this one.
    """

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect, or raise PublicAddressError before the first packet."""
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not is_private(str(address[0])):
            raise PublicAddressError(str(refusal("a public address that the name of teacher.base_url leads to by now")))
        await super().sock_connect(sock, address)
