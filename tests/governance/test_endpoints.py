"""Credentialed reports reach this machine, private networks and attested hosts; any other host gets no connection at all."""

import hashlib
import json
import socket
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_openai import serve
from wire import ATTESTED, BEDROCK, PUBLIC, REQUEST, VERTEX, attest, by_sdk, local, replies, resolve_to, wired

from radgpt.config import Governance, Provider, Teacher
from radgpt.errors import UserError
from radgpt.governance.endpoints import OPENAI_URL, endpoint_of, gate, is_private, url_of
from radgpt.teacher.ask import open_teacher

TODAY = date.today().isoformat()
"""Read once, so that midnight makes no test fail that compares."""


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("10.0.0.7", True), ("172.16.0.1", True), ("172.31.255.255", True), ("192.168.1.1", True),
        ("::1", True), ("fd00::1", True), ("::ffff:10.0.0.1", True),
        ("172.32.0.1", False), ("8.8.8.8", False), ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False), ("::", False),
        ("2606:4700::1", False), ("::ffff:8.8.8.8", False), ("fe80::1", False), ("localhost", False), ("", False),
    ],
)  # fmt: skip
def test_private_addresses(address: str, private: bool) -> None:
    assert is_private(address) is private


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "http://[::1]:8000/v1", "http://10.1.2.3/v1", "http://localhost:8000/v1"])
def test_credentialed_data_may_go_to_hosts_of_ones_own(url: str) -> None:
    endpoint = endpoint_of(local(url), Governance.credentialed)
    assert endpoint.private_only and not endpoint.proxied


@pytest.mark.parametrize(
    "addresses", [["93.184.216.34"], ["10.0.0.1", "93.184.216.34"], ["fd00::1", "2606:4700::1"], ["::ffff:93.184.216.34"]]
)
def test_a_name_with_any_public_address_is_refused(addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, addresses)
    with pytest.raises(UserError) as refused:
        endpoint_of(local("https://llm.example.org/v1"), Governance.credentialed)
    line = str(refused.value)
    assert "24 September 2025" in line and "teacher=local" in line and "llm.example.org" in line and "\n" not in line


@pytest.mark.parametrize(
    "teacher",
    [
        Teacher(provider=Provider.openai, model="m", api_key_env="TEST_KEY"),
        Teacher(provider=Provider.azure, model="m", base_url="https://mine.openai.azure.com", api_version="v", api_key_env="TEST_KEY"),
        Teacher(provider=Provider.azure, model="m", base_url="https://llm.hospital.example", api_version="v"),
        Teacher(provider=Provider.bedrock, model="m", region="cn-north-1"),
        Teacher(provider=Provider.bedrock, model="m", region="us-east-1", base_url="https://bedrock-mantle.us-east-1.api.aws/v1"),
        Teacher(provider=Provider.bedrock, model="m", region="us-east-1", base_url="https://llm.hospital.example/v1"),
        Teacher(provider=Provider.vertex, model="m", region="global", project="p"),
        Teacher(provider=Provider.vertex, model="m", base_url="https://llm.hospital.example/v1"),
        Teacher(provider=Provider.local, model="m", base_url="https://bedrock-mantle.us-east-1.api.aws/v1"),
        Teacher(provider=Provider.local, model="m", base_url="https://mine.openai.azure.com./openai/v1"),
        Teacher(provider=Provider.local, model="m", base_url="https://API.OpenAI.com/v1"),
    ],
)
def test_third_parties_are_refused_even_behind_a_private_link(teacher: Teacher, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolve_to(monkeypatch, ["10.0.0.4"])
    with pytest.raises(UserError, match="third parties"):
        endpoint_of(teacher, Governance.credentialed)
    assert asked == []


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"provider": Provider.openai, "api_key_env": "TEST_KEY"}, "https://api.openai.com/v1"),
        ({"provider": Provider.bedrock, "region": "us-east-1"}, "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1"),
        ({"provider": Provider.bedrock, "region": "cn-north-1"}, "https://bedrock-runtime.cn-north-1.amazonaws.com.cn/openai/v1"),
        (
            {"provider": Provider.vertex, "region": "europe-west4", "project": "p-1"},
            "https://europe-west4-aiplatform.googleapis.com/v1/projects/p-1/locations/europe-west4/endpoints/openapi",
        ),
        (
            {"provider": Provider.vertex, "region": "global", "project": "p-1"},
            "https://aiplatform.googleapis.com/v1/projects/p-1/locations/global/endpoints/openapi",
        ),
        ({"provider": Provider.vertex, "base_url": "https://llm.example.org/v1"}, "https://llm.example.org/v1"),
    ],
)
def test_the_address_is_known_before_anything_is_sent(settings: dict[str, Any], url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_BEDROCK_BASE_URL", "OPENAI_BASE_URL", "AWS_REGION", "GOOGLE_CLOUD_LOCATION"):
        monkeypatch.setenv(name, "https://elsewhere.example.org")
    assert url_of(Teacher(model="m", **settings)) == url


def test_a_name_that_cannot_be_resolved_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    with pytest.raises(UserError, match="cannot be resolved"):
        endpoint_of(local("http://gpu-box:8000/v1"), Governance.credentialed)


@pytest.mark.parametrize("governance", [Governance.restricted, Governance.open, Governance.synthetic])
def test_other_data_may_go_anywhere_without_a_look_up(governance: Governance, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolve_to(monkeypatch, ["93.184.216.34"])
    assert endpoint_of(Teacher(provider=Provider.openai, api_key_env="TEST_KEY"), governance).url == OPENAI_URL
    assert endpoint_of(local("https://llm.example.org/v1"), governance).proxied
    assert not endpoint_of(local("http://127.0.0.1:1/v1"), governance).proxied
    assert asked == []


def test_a_refused_host_gets_no_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    resolve_to(monkeypatch, ["93.184.216.34"])
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{listening.getsockname()[1]}")
    with (
        pytest.raises(UserError, match="third parties"),
        open_teacher(local("http://llm.example.org/v1"), Governance.credentialed, 0, tmp_path / "j"),
    ):
        pass
    with pytest.raises(BlockingIOError):
        listening.accept()
    listening.close()
    assert not (tmp_path / "j").exists()


@pytest.mark.parametrize("later", [["93.184.216.34"], ["93.184.216.34", "93.184.216.35"]])
@pytest.mark.parametrize("teacher_at", [local, by_sdk])
def test_a_name_that_turns_public_after_the_check_gets_no_connection(
    later: list[str], teacher_at: Callable[[str], Teacher], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: connected.append(address))
    resolve_to(monkeypatch, ["10.0.0.4"], later)
    with (
        pytest.raises(UserError, match="third parties"),
        open_teacher(teacher_at("http://gpu-box:8000/v1"), Governance.credentialed, 0, tmp_path / "j") as asking,
    ):
        list(asking([REQUEST]))
    assert connected == []


@pytest.mark.parametrize("teacher_at", [local, by_sdk])
def test_proxies_and_addresses_in_the_environment_are_not_followed(
    teacher_at: Callable[[str], Teacher], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    with serve() as server, open_teacher(teacher_at(server.base_url), Governance.credentialed, 0, tmp_path / "j") as asking:
        assert [reply.outcome for reply in asking([REQUEST])] == ["ok"]


def days_ago(days: int) -> str:
    return (date.today() - timedelta(days=days)).isoformat()


@pytest.mark.parametrize("teacher_at", [local, by_sdk])
def test_an_attested_host_gets_the_request_and_the_row_says_under_what(
    teacher_at: Callable[[str], Teacher], tmp_path: Path, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The positive control: the same wire that stays silent in the tests below."""
    attestation = attest(tmp_path, TODAY)
    digest = hashlib.sha256(Path(attestation).read_bytes()).hexdigest()
    with wired(monkeypatch, pem, [PUBLIC]) as wire:
        (reply,) = replies(teacher_at(f"https://{ATTESTED}/v1"), tmp_path, attestation)
    assert (reply.outcome, reply.text, reply.attestation_sha256) == ("ok", "Clear lungs.", digest)
    assert wire.connected == [PUBLIC] and wire.accepted == 1
    assert b"POST /v1/chat/completions" in wire.received and b'"content":"row"' in wire.received
    assert json.loads((tmp_path / "j").read_text())["attestation_sha256"] == digest
    with wired(monkeypatch, pem, [PUBLIC]) as wire:
        assert replies(teacher_at(f"https://{ATTESTED}/v1"), tmp_path, attestation) == [reply]
    assert wire.silent, "the journal has it"


@pytest.mark.parametrize("age", [0, 90])
def test_an_attestation_holds_for_ninety_days(age: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, [PUBLIC])
    endpoint = endpoint_of(local(f"https://{ATTESTED}:8443/v1"), Governance.credentialed, attest(tmp_path, days_ago(age)))
    assert endpoint.credentialed and not endpoint.private_only and not endpoint.proxied and endpoint.addresses == (PUBLIC,)


@pytest.mark.parametrize(
    ("url", "day", "changes", "says"),
    [
        (f"https://{ATTESTED}/v1", None, {}, "24 September 2025"),
        (f"https://{ATTESTED}/v1", days_ago(91), {}, f"it was made on {days_ago(91)} and expired on {days_ago(1)}"),
        (f"https://{ATTESTED}/v1", days_ago(-1), {}, "lies in the future"),
        ("https://other.example.org/v1", TODAY, {}, "covers llm.example.org, not other.example.org"),
        ("https://sub.llm.example.org/v1", TODAY, {}, "covers llm.example.org, not sub.llm.example.org"),
        ("https://llm.example.org./v1", TODAY, {}, "covers llm.example.org, not llm.example.org."),
        ("https://llm.example.org.evil.example/v1", TODAY, {}, "covers llm.example.org, not"),
        (f"http://{ATTESTED}/v1", TODAY, {}, "over https only"),
        (f"https://{ATTESTED}/v1", TODAY, {"host": f"{ATTESTED}:443"}, "host must be one host's name"),
        (f"https://{ATTESTED}/v1", TODAY, {"host": "*.example.org"}, "host must be one host's name"),
        (f"https://{ATTESTED}/v1", TODAY, {"host": "LLM.example.org"}, "host must be one host's name"),
        (f"https://{ATTESTED}/v1", TODAY, {"zero_retention": False}, "zero_retention must be true"),
        (f"https://{ATTESTED}/v1", TODAY, {"no_training": False}, "no_training must be true"),
        (f"https://{ATTESTED}/v1", TODAY, {"no_human_review": False}, "no_human_review must be true"),
        (f"https://{ATTESTED}/v1", TODAY, {"zero_retention": "yes"}, "zero_retention must be true"),
        (f"https://{ATTESTED}/v1", TODAY, {"zero_retention": 1}, "zero_retention must be true"),
        (f"https://{ATTESTED}/v1", TODAY, {"who": None}, "who is missing"),
        (f"https://{ATTESTED}/v1", TODAY, {"approved": True}, "approved is no key"),
    ],
)
def test_a_refused_host_gets_no_byte(
    url: str, day: str | None, changes: dict[str, Any], says: str, tmp_path: Path, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attestation = attest(tmp_path, day, **changes) if day else None
    with wired(monkeypatch, pem, [PUBLIC]) as wire:
        with pytest.raises(UserError) as refused:
            replies(local(url), tmp_path, attestation)
        # On the same wire a connection that nobody refuses does arrive.
        assert wire.silent
        with socket.socket() as control:
            control.connect((PUBLIC, 443))
        assert wire.connected == [PUBLIC]
    assert says in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("teacher", "host"),
    [
        (Teacher(provider=Provider.openai, model="m", api_key_env="TEST_KEY"), "api.openai.com"),
        (
            Teacher(provider=Provider.azure, model="m", base_url="https://mine.openai.azure.com", api_version="v", api_key_env="TEST_KEY"),
            "mine.openai.azure.com",
        ),
        (Teacher(provider=Provider.bedrock, model="m", region="us-east-1", api_key_env="TEST_KEY"), BEDROCK),
        (Teacher(provider=Provider.vertex, model="m", region="europe-west4", project="p", api_key_env="TEST_KEY"), VERTEX),
    ],
)
def test_a_third_party_needs_an_attestation_of_its_own(
    teacher: Teacher, host: str, tmp_path: Path, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", "key")
    with wired(monkeypatch, pem, [PUBLIC]) as wire:
        with pytest.raises(UserError, match=f"not {host}"):
            replies(teacher, tmp_path, attest(tmp_path, TODAY))
        assert wire.silent
        (reply,) = replies(teacher, tmp_path, attest(tmp_path, TODAY, host=host))
        assert reply.outcome == "ok" and wire.accepted == 1


def test_the_refusal_says_why_what_to_do_and_what_we_cannot_know(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, [PUBLIC])
    with pytest.raises(UserError) as refused:
        gate("https://judge.example.org/v1", Governance.credentialed, None, group="judge")
    line = str(refused.value)
    assert line.index("PhysioNet's notice of 24 September 2025") < line.index("judge=local") < line.index("governance.attestation")
    assert "zero_retention, no_training, no_human_review, evidence, who, date" in line and "cannot verify" in line
    assert "teacher" not in line


def test_hosts_of_ones_own_need_no_attestation(tmp_path: Path) -> None:
    with serve() as server:
        (reply,) = replies(local(server.base_url), tmp_path, str(tmp_path / "there is none"))
    assert reply.outcome == "ok" and reply.attestation_sha256 is None
