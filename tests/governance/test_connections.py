"""What the gate let pass stays where it let it pass: changed names, redirects, uploads and other hosts get no byte."""

import asyncio
import io
import logging
from collections.abc import Callable, Coroutine
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fake_openai import serve
from wire import ATTESTED, PUBLIC, REQUEST, attest, by_sdk, local, replies, wired

from radgpt.config import Governance, Teacher
from radgpt.errors import UserError
from radgpt.governance.connections import AttestedHostLoop, ForbiddenAddressError, loop_for, refuse_request
from radgpt.governance.endpoints import Endpoint, endpoint_of
from radgpt.teacher.ask import open_teacher
from radgpt.teacher.transports.sdk import connect

TODAY = date.today().isoformat()
OTHER = "93.184.216.99"
PRIVATE = Endpoint("http://127.0.0.1:8000/v1", private_only=True)


@pytest.mark.parametrize("teacher_at", [local, by_sdk])
@pytest.mark.parametrize("later", [[PUBLIC], [PUBLIC, OTHER]])
def test_a_private_name_that_turns_public_gets_no_byte(
    later: list[str], teacher_at: Callable[[str], Teacher], tmp_path: Path, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wired(monkeypatch, pem, ["10.0.0.4"], later) as wire:
        with pytest.raises(UserError, match="third parties"):
            replies(teacher_at("http://gpu-box:8000/v1"), tmp_path, None)
        assert wire.silent


@pytest.mark.parametrize("teacher_at", [local, by_sdk])
def test_an_attested_name_is_resolved_once_and_reached_where_it_was(
    teacher_at: Callable[[str], Teacher], tmp_path: Path, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the name leads to later, connections go to the address that was checked."""
    with wired(monkeypatch, pem, [PUBLIC], [OTHER]) as wire:
        (reply,) = replies(teacher_at(f"https://{ATTESTED}/v1"), tmp_path, attest(tmp_path, TODAY))
    assert reply.outcome == "ok" and set(wire.connected) == {PUBLIC}


@pytest.mark.parametrize("teacher_at", [local, by_sdk])
def test_an_attested_host_that_another_one_answers_for_gets_no_request(
    teacher_at: Callable[[str], Teacher], tmp_path: Path, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its certificate is for other names: TLS ends before the first byte of a request."""
    host = "stranger.example.org"
    with wired(monkeypatch, pem, [PUBLIC]) as wire:
        teacher = teacher_at(f"https://{host}/v1")
        teacher.max_attempts = 1
        with pytest.raises(UserError):
            replies(teacher, tmp_path, attest(tmp_path, TODAY, host=host))
    assert wire.accepted and not wire.received


@pytest.mark.parametrize("teacher_at", [local, by_sdk])
def test_a_redirect_of_an_attested_host_is_not_followed(
    teacher_at: Callable[[str], Teacher], tmp_path: Path, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wired(monkeypatch, pem, [PUBLIC]) as wire:
        wire.location = "https://api.openai.com/v1/chat/completions"
        with pytest.raises(UserError, match="redirects, which is not followed"):
            replies(teacher_at(f"https://{ATTESTED}/v1"), tmp_path, attest(tmp_path, TODAY))
    assert wire.accepted == 1 and wire.received.count(b"POST ") == 1


@pytest.mark.parametrize(("host", "address"), [("other.example.org", PUBLIC), (None, OTHER), (None, "127.0.0.1")])
def test_the_loop_of_an_attested_host_knows_no_other(host: str | None, address: str, pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = Endpoint(f"https://{ATTESTED}/v1", attestation_sha256="0" * 64, addresses=(PUBLIC,))

    async def go() -> None:
        await asyncio.open_connection(host or address, 443)

    with wired(monkeypatch, pem, [address]) as wire, asyncio.Runner(loop_factory=loop_for(endpoint)) as runner:
        assert isinstance(runner.get_loop(), AttestedHostLoop)
        with pytest.raises(ForbiddenAddressError):
            runner.run(go())
        assert wire.silent


Call = Callable[[Any], Coroutine[Any, Any, Any]]
UPLOADS: dict[str, Call] = {
    "files": lambda client: client.files.create(file=io.BytesIO(b"FINDINGS: Clear."), purpose="batch"),
    "batches": lambda client: client.batches.create(input_file_id="f", endpoint="/v1/chat/completions", completion_window="24h"),
    "uploads": lambda client: client.uploads.create(bytes=1, filename="f", mime_type="text/plain", purpose="batch"),
    "multipart": lambda client: client.audio.transcriptions.create(file=("f", b"FINDINGS: Clear."), model="m"),
    "escaped": lambda client: client.post("/%66iles", cast_to=object, body={"text": "FINDINGS: Clear."}),
    "anthropic": lambda client: client.post("/messages/batches", cast_to=object, body={}),
    "google": lambda client: client.post("/models/m:batchGenerateContent", cast_to=object, body={}),
    "another host": lambda client: client.post("https://api.openai.com/v1/chat/completions", cast_to=object, body={}),
}


@pytest.mark.parametrize("call", UPLOADS.values(), ids=UPLOADS)
@pytest.mark.parametrize("attested", [True, False])
def test_file_and_batch_services_get_no_byte(
    call: Call, attested: bool, tmp_path: Path, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"https://{ATTESTED}/v1" if attested else "https://gpu-box/v1"
    with wired(monkeypatch, pem, [PUBLIC if attested else "10.0.0.4"]) as wire:
        teacher = local(url)
        endpoint = endpoint_of(teacher, Governance.credentialed, attest(tmp_path, TODAY))
        assert (endpoint.attestation_sha256 is not None) is attested

        async def go() -> None:
            async with connect(teacher, endpoint, "none") as client:
                await call(client)

        with asyncio.Runner(loop_factory=loop_for(endpoint)) as runner, pytest.raises(UserError, match="was refused"):
            runner.run(go())
        assert wire.silent


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/models", "/profiles/v1/chat/completions", "/openai/deployments/m/chat/completions"]
)
def test_ordinary_requests_pass(path: str) -> None:
    refuse_request(PRIVATE, f"http://127.0.0.1:8000{path}", "application/json")


def test_other_data_may_use_what_they_like(tmp_path: Path) -> None:
    endpoint = endpoint_of(local("http://127.0.0.1:8000/v1"), Governance.open)
    assert not endpoint.credentialed and loop_for(endpoint) is asyncio.new_event_loop


@pytest.mark.parametrize("teacher_at", [local, by_sdk])
def test_a_client_told_to_log_everything_logs_no_prompt(
    teacher_at: Callable[[str], Teacher], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """OPENAI_LOG=debug sets this level while the client is imported, and request bodies are in its lines."""
    for name in ("openai", "aiohttp", "httpx2"):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    with serve() as server, open_teacher(teacher_at(server.base_url), Governance.credentialed, 0, tmp_path / "j") as asking:
        assert [reply.outcome for reply in asking([REQUEST])] == ["ok"]
    assert "'content': 'row'" not in caplog.text and '"content"' not in caplog.text
