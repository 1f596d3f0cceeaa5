"""Credentialed reports reach only this machine and private networks; any other host gets no connection at all."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_openai import serve

from radgpt.config import Governance, Provider, Teacher
from radgpt.errors import UserError
from radgpt.records import Report
from radgpt.teacher.ask import Request, open_teacher
from radgpt.teacher.endpoints import OPENAI_URL, endpoint_of, is_private

REQUEST = Request("s1/0", "answer", "paraphrasing", [{"role": "user", "content": "row"}], Report("s1", "p1", "Clear.", {}))


def local(url: str) -> Teacher:
    return Teacher(provider=Provider.local, base_url=url)


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
        Teacher(provider=Provider.local, model="m", base_url="https://mine.openai.azure.com./openai/v1"),
        Teacher(provider=Provider.local, model="m", base_url="https://API.OpenAI.com/v1"),
    ],
)
def test_third_parties_are_refused_even_behind_a_private_link(teacher: Teacher, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolve_to(monkeypatch, ["10.0.0.4"])
    with pytest.raises(UserError, match="third parties"):
        endpoint_of(teacher, Governance.credentialed)
    assert asked == []


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
def test_a_name_that_turns_public_after_the_check_gets_no_connection(
    later: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: connected.append(address))
    resolve_to(monkeypatch, ["10.0.0.4"], later)
    with (
        pytest.raises(UserError, match="third parties"),
        open_teacher(local("http://gpu-box:8000/v1"), Governance.credentialed, 0, tmp_path / "j") as asking,
    ):
        list(asking([REQUEST]))
    assert connected == []


def test_proxies_and_addresses_in_the_environment_are_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    with serve() as server, open_teacher(local(server.base_url), Governance.credentialed, 0, tmp_path / "j") as asking:
        assert [reply.outcome for reply in asking([REQUEST])] == ["ok"]
