"""A network of one's own: names lead to public addresses, and whatever connects there reaches a TLS listener on loopback that counts."""

import contextlib
import json
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fake_openai import completion

from radgpt.config import Governance, Provider, Teacher
from radgpt.records import Report
from radgpt.teacher.ask import Reply, Request, open_teacher

PUBLIC = "93.184.216.34"
ATTESTED = "llm.example.org"
BEDROCK = "bedrock-runtime.us-east-1.amazonaws.com"
VERTEX = "europe-west4-aiplatform.googleapis.com"
NAMES = (ATTESTED, "api.openai.com", "mine.openai.azure.com", BEDROCK, VERTEX)

REQUEST = Request("s1/0", "answer", "paraphrasing", [{"role": "user", "content": "row"}], Report("s1", "p1", "Clear.", {}))


@dataclass
class Wire:
    """What went over it."""

    connected: list[str] = field(default_factory=list)
    """Addresses that a connection was begun to, before any packet."""
    accepted: int = 0
    received: bytes = b""
    """What the listener got, after TLS."""
    location: str | None = None
    """Where the listener redirects to, instead of answering."""

    @property
    def silent(self) -> bool:
        """Whether nothing at all was tried."""
        return not self.connected and not self.accepted and not self.received


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let every name resolve to the first answer, then the second, …, then the last; returns the names asked for."""
    asked: list[str] = []
    script: Iterator[list[str]] = iter(answers)
    latest: list[str] = []

    def getaddrinfo(host: str, port: int | None = None, *rest: Any, **more: Any) -> list[Any]:
        nonlocal latest
        asked.append(str(host))
        latest = next(script, latest)
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in latest]
        return [(family, socket.SOCK_STREAM, 6, "", (address, port or 0)) for family, address in zip(families, latest, strict=True)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def certificate(folder: Path) -> Path:
    """A certificate for NAMES with its key, in one file; made on the spot, as no key belongs into a repository."""
    path = folder / "certificate.pem"
    names = ",".join(f"DNS:{name}" for name in NAMES)
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test", "-addext"]
    subprocess.run([*command, f"subjectAltName={names}", "-keyout", str(path), "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@contextlib.contextmanager
def wired(monkeypatch: pytest.MonkeyPatch, pem: Path, *answers: list[str]) -> Iterator[Wire]:
    """Resolve names to `answers` and lead every connection to a listener that speaks for all of NAMES."""
    wire = Wire()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    plain_connect = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        wire.connected.append(str(address[0]))
        plain_connect(self, ("127.0.0.1", port))

    def listen() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            wire.accepted += 1
            with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                answer(secured, wire)

    resolve_to(monkeypatch, *answers)
    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        # Closing alone does not wake `accept` on Linux.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=5)


def answer(secured: ssl.SSLSocket, wire: Wire) -> None:
    """Read one request and send a completion, or the redirect."""
    request = b""
    while b"\r\n\r\n" not in request:
        piece = secured.recv(65536)
        if not piece:
            return
        request += piece
    head, _, body = request.partition(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += secured.recv(65536)
    wire.received += head + b"\r\n\r\n" + body
    text = json.dumps(completion("Clear lungs.")).encode()
    status, more = ("307 Temporary Redirect", f"Location: {wire.location}\r\n") if wire.location else ("200 OK", "")
    start = f"HTTP/1.1 {status}\r\n{more}Content-Type: application/json\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
    secured.sendall(start.encode() + text)


def attest(folder: Path, day: str, **changes: Any) -> str:
    """Write an attestation for ATTESTED; a change to None leaves the key out."""
    claim = {
        "provider": "Example LLM",
        "host": ATTESTED,
        "zero_retention": True,
        "no_training": True,
        "no_human_review": True,
        "evidence": "https://llm.example.org/terms",
        "who": "A. Researcher",
        "date": day,
    } | changes
    path = folder / "attestation.yaml"
    path.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in claim.items() if value is not None))
    return os.fspath(path)


def local(url: str) -> Teacher:
    return Teacher(provider=Provider.local, base_url=url)


def by_sdk(url: str) -> Teacher:
    """The same place, asked through OpenAI's own client."""
    return Teacher(provider=Provider.openai, model="m", base_url=url)


def replies(teacher: Teacher, folder: Path, attestation: str | None) -> list[Reply]:
    """What comes of asking for credentialed data; no patience, as nothing should be worth waiting for."""
    with open_teacher(teacher, Governance.credentialed, 0, folder / "j", attestation=attestation, patience=1.0) as asking:
        return list(asking([REQUEST]))
