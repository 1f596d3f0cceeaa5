"""Say where requests go, and let credentialed reports reach only this machine, private networks and attested hosts."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from radgpt.config import Governance, Provider, Service, TeacherMode
from radgpt.errors import UserError, settings_of
from radgpt.governance.attestation import KEYS, read_attestation

OPENAI_URL = "https://api.openai.com/v1"
"""Named here, so that OPENAI_BASE_URL in the environment can't send reports elsewhere."""

PRIVATE_NETWORKS = tuple(
    ip_network(network) for network in ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
"""Loopback (RFC 1122, RFC 4291) and private use (RFC 1918, RFC 4193)."""

THIRD_PARTIES = (
    "openai.com",
    "azure.com",
    "azure-api.net",
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "api.aws",
    "googleapis.com",
    "anthropic.com",
    "mistral.ai",
)
"""Domains that stay third parties even where a private link lends them a private address."""

CLOUDS = (Provider.azure, Provider.bedrock, Provider.vertex)
"""Providers that are third parties whatever their host is called."""


@dataclass(frozen=True)
class Endpoint:
    """The place that requests are sent to."""

    url: str
    private_only: bool = False
    """Every connection must end on this machine or a private network."""
    proxied: bool = False
    """Proxies named in the environment may be used."""
    attestation_sha256: str | None = None
    """Digest of the attestation under which credentialed reports leave this machine; None where none was needed."""
    group: str = "teacher"
    """The config group that names it, for what the user is told."""
    addresses: tuple[str, ...] = ()
    """What an attested host's name led to when it was checked: every connection must end there."""

    @property
    def credentialed(self) -> bool:
        """Whether connections and requests are held to what the gate allowed."""
        return self.private_only or self.attestation_sha256 is not None


def endpoint_of(service: Service, governance: Governance, attestation: str | None = None) -> Endpoint:
    """The endpoint of a teacher, judge or backend, if reports of this governance may go there; raises UserError as `gate` does, and for
    batches of credentialed reports, which stand in files at the provider whatever is attested."""
    if service.mode is TeacherMode.batch and governance is Governance.credentialed:
        with settings_of(service.section, written="teacher"):
            raise UserError(
                "teacher.mode=batch stores requests and replies in files at the provider, so credentialed reports are refused there, "
                "attested or not: PhysioNet's notice of 24 September 2025 asks for zero retention; set teacher.mode=live"
            )
    return gate(url_of(service), governance, attestation, group=service.section, third_party=service.provider in CLOUDS)


def attested(services: Iterable[Service], governance: Governance, attestation: str | None = None) -> str | None:
    """Digest of the attestation that any of these is reached under; None where none needs one. Those that are not asked over HTTP pass.

    Raises:
        UserError: reports of this governance may not go to one of them, as `endpoint_of` says.
    """
    endpoints = [endpoint_of(service, governance, attestation) for service in services if service.is_endpoint]
    return next((endpoint.attestation_sha256 for endpoint in endpoints if endpoint.attestation_sha256), None)


def url_of(service: Service) -> str:
    """The root of a service's API: its `base_url`, else its provider's own, as its manual gives it for chat completions."""
    if service.base_url:
        return service.base_url
    if service.provider is Provider.bedrock:
        domain = "amazonaws.com.cn" if str(service.region).startswith("cn-") else "amazonaws.com"
        return f"https://bedrock-runtime.{service.region}.{domain}/openai/v1"
    if service.provider is Provider.vertex:
        host = "aiplatform.googleapis.com" if service.region == "global" else f"{service.region}-aiplatform.googleapis.com"
        return f"https://{host}/v1/projects/{service.project}/locations/{service.region}/endpoints/openapi"
    return OPENAI_URL


def gate(url: str, governance: Governance, attestation: str | None, *, group: str, third_party: bool = False) -> Endpoint:
    """The endpoint at `url`, after checking that reports of this governance may go there; sends nothing.

    Args:
        url: the root of the API.
        governance: the class of what will be sent.
        attestation: `governance.attestation`, read only where the host needs one.
        group: the config group whose `base_url` this is, for what the user is told.
        third_party: the host is somebody else's, wherever its name leads.

    Raises:
        UserError: the data are credentialed, and the host is or resolves to anything but a loopback or private address
            without an attestation that covers it.
    """
    parts = urlsplit(url)
    typed = parts.hostname or ""
    host = typed.rstrip(".")
    if governance is not Governance.credentialed:
        return Endpoint(url, proxied=not (host == "localhost" or is_private(host)), group=group)
    third_party = third_party or any(host == domain or host.endswith(f".{domain}") for domain in THIRD_PARTIES)
    addresses = () if third_party else resolve(host, group)
    if addresses and all(map(is_private, addresses)):
        return Endpoint(url, private_only=True, group=group)
    if attestation is None:
        raise refusal(host, group)
    claim = read_attestation(attestation, date.today())
    if claim.host != typed:
        raise UserError(
            f"governance.attestation={attestation}: host: it covers {claim.host}, not {typed} ({group}.base_url); {group}'s host needs "
            "an attestation of its own, as PhysioNet's notice of 24 September 2025 asks"
        )
    if parts.scheme != "https":
        raise UserError(f"{group}.base_url={url}: credentialed reports go to {host} over https only; write https://")
    return Endpoint(url, attestation_sha256=claim.sha256, group=group, addresses=addresses or resolve(host, group))


def resolve(host: str, group: str) -> tuple[str, ...]:
    """The addresses of a host; raises UserError where there are none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UserError(f"{group}.base_url: the host {host} cannot be resolved; name a server on this machine or network") from None
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def is_private(address: str) -> bool:
    """Whether this is the literal of a loopback or private-use IP address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in PRIVATE_NETWORKS)


def refusal(host: str, group: str) -> UserError:
    """Why credentialed data may not go to this host, and what to do."""
    return UserError(
        f"data.governance=credentialed keeps reports from {host}: PhysioNet's notice of 24 September 2025 forbids sharing them with "
        "third parties unless nothing is retained, trained on or reviewed by people. "
        f"Use {group}=local with {group}.base_url on your own machine or private network, such as http://127.0.0.1:8000/v1; "
        f"else set governance.attestation to a YAML file with {', '.join(KEYS)} (see the README): radgpt records that claim and "
        "cannot verify what the provider retains"
    )
