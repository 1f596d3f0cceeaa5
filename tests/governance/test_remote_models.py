"""Backends and judges are held to what the gate allows as teachers are, and messages name their own settings."""

import logging
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fake_openai import serve
from remote import GREEDY, remote, say, whole
from wire import ATTESTED, PUBLIC, attest, wired

from radgpt.config import Backend, Governance, Judge, Model, Provider, Service, Teacher, TeacherMode
from radgpt.errors import UserError
from radgpt.governance.endpoints import attested, endpoint_of
from radgpt.inference.backend import NamedModel, Question
from radgpt.inference.endpoint.remote import RemoteBackend

TODAY = date.today().isoformat()
OTHER = "93.184.216.99"


def open_backend(url: str, attestation: str | None = None, **settings: Any) -> RemoteBackend:
    backend = Backend(**{"provider": Provider.local, "model": "m", "base_url": url, "max_attempts": 1, **settings})
    return RemoteBackend(NamedModel("this", Model(), backend, GREEDY, None), Governance.credentialed, attestation)


@pytest.mark.parametrize(
    ("service", "group"),
    [
        (Backend(Provider.local, "m", base_url="http://llm.example.org/v1"), "backend"),
        (Backend(Provider.openai, "m", api_key_env="KEY"), "backend"),
        (Backend(Provider.bedrock, "m", region="us-east-1"), "backend"),
        (Judge(Provider.local, "m", base_url="http://llm.example.org/v1"), "judge"),
        (Judge(Provider.openai, "m", api_key_env="KEY"), "judge"),
    ],
)
def test_a_public_host_is_refused_before_anything_is_sent(service: Service, group: str, pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with wired(monkeypatch, pem, [PUBLIC]) as wire:
        with pytest.raises(UserError, match=f"Use {group}=local with {group}\\.base_url"):
            endpoint_of(service, Governance.credentialed)
        if isinstance(service, Backend):
            with pytest.raises(UserError, match="third parties"):
                RemoteBackend(NamedModel("this", Model(), service, GREEDY, None), Governance.credentialed)
            with pytest.raises(UserError, match="third parties"):  # nobody said what is sent
                RemoteBackend(NamedModel("this", Model(), service, GREEDY, None), None)
        assert wire.silent


def test_batches_of_credentialed_reports_are_refused_by_the_settings_own_name() -> None:
    judge = Judge(Provider.openai, "m", api_key_env="KEY", mode=TeacherMode.batch)
    with pytest.raises(UserError, match=r"^judge\.mode=batch .*set judge\.mode=live$"):
        endpoint_of(judge, Governance.credentialed)


def test_a_private_name_that_turns_public_gets_no_byte(tmp_path: Path, pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with wired(monkeypatch, pem, ["10.0.0.4"], [PUBLIC]) as wire:
        backend = open_backend("http://gpu-box:8000/v1")
        assert backend.window is None
        with pytest.raises(UserError, match=r"third parties.*backend\.base_url"):
            whole(backend, "row")
        with pytest.raises(UserError, match="third parties"):
            list(backend.answer([Question("q", say("row"))], GREEDY, 0, tmp_path / "j", lambda answer: None))
        backend.close()
        assert wire.silent


def test_an_attested_host_is_streamed_from_where_it_was_checked(tmp_path: Path, pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with wired(monkeypatch, pem, [PUBLIC], [OTHER]) as wire:
        backend = open_backend(f"https://{ATTESTED}/v1", attest(tmp_path, TODAY))
        assert whole(backend, "row")[1].text == "Clear lungs."
        backend.close()
    assert set(wire.connected) == {PUBLIC}


def test_a_redirect_is_not_followed(tmp_path: Path, pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with wired(monkeypatch, pem, [PUBLIC]) as wire:
        wire.location = "https://api.openai.com/v1/chat/completions"
        backend = open_backend(f"https://{ATTESTED}/v1", attest(tmp_path, TODAY))
        with pytest.raises(UserError, match=r"set backend\.base_url to the final address"):
            whole(backend, "row")
        backend.close()
    assert wire.accepted == 1


def test_only_credentialed_conversations_ask_openai_to_keep_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "sk-1")
    for governance, kept in ((Governance.credentialed, False), (Governance.open, "unsaid")):
        with serve() as server, remote(server, governance, provider=Provider.openai, api_key_env="KEY") as backend:
            whole(backend, "row")
            assert server.bodies[0].get("store", "unsaid") == kept


def test_a_client_told_to_log_everything_logs_no_prompt(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("openai", "aiohttp", "httpx2"):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    with serve() as server, remote(server, Governance.credentialed) as backend:
        whole(backend, "a finding that nobody may read")
    assert "nobody may read" not in caplog.text


def test_all_that_a_stage_asks_is_checked_and_its_attestation_told(tmp_path: Path, pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Judge(Provider.local, "m", base_url="http://127.0.0.1:1/v1")
    away = Backend(Provider.local, "m", base_url=f"https://{ATTESTED}/v1")
    claim = attest(tmp_path, TODAY)
    assert attested([here], Governance.credentialed) is None
    with wired(monkeypatch, pem, [PUBLIC]):
        told = attested([Teacher(), Judge(), Backend()], Governance.credentialed)
        assert told is None  # none of these is reached over HTTP
        assert len(str(attested([away], Governance.credentialed, claim))) == 64
        assert attested([away], Governance.open, claim) is None
        with pytest.raises(UserError, match=r"backend\.base_url"):
            attested([away], Governance.credentialed)
