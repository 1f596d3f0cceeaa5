"""Both transports carry the same request and bring back the same answers and losses."""

import asyncio
import builtins
import importlib.util
from collections.abc import Callable
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from fake_openai import FakeOpenAI, serve
from wire import REQUEST, by_sdk, local

from radgpt.config import Governance, Provider, Teacher
from radgpt.errors import UserError
from radgpt.governance.endpoints import endpoint_of
from radgpt.teacher.ask import open_teacher
from radgpt.teacher.completions import request_body
from radgpt.teacher.transports import Answer, LostError, lean, transport_to
from radgpt.teacher.transports.lean import read_json

KEY = "key-4b1d"
BOTH = pytest.mark.parametrize("teacher_at", [local, by_sdk])
TeacherAt = Callable[[str], Teacher]


def send(teacher: Teacher, governance: Governance = Governance.synthetic, times: int = 1) -> list[Answer]:
    """The answers to the same request, one after the other."""
    endpoint = endpoint_of(teacher, governance)

    async def run() -> list[Answer]:
        transport = transport_to(teacher, endpoint, KEY)
        try:
            return [await transport.send(request_body(teacher, REQUEST, 7)) for _ in range(times)]
        finally:
            await transport.close()

    return asyncio.run(run())


@BOTH
def test_an_answer_has_status_headers_and_body(teacher_at: TeacherAt) -> None:
    with serve({"row": ["ok", "500", "429-ms", "html", "302"]}) as server:
        first, failed, limited, page, redirected = send(teacher_at(server.base_url), times=5)
        assert server.paths == {"/v1/chat/completions"} and server.keys == {f"Bearer {KEY}"}
        assert server.bodies[0]["messages"] == REQUEST.messages
    assert first.status == 200 and first.body["choices"][0]["message"]["content"] == "reply to row"
    assert first.headers.get("X-Request-Id") == first.headers.get("x-request-id") == "req_1"
    assert (failed.status, failed.body["error"]["code"]) == (500, "some_code")
    assert (limited.status, limited.headers["Retry-After-Ms"]) == (429, "50")
    assert (page.status, page.body) == (200, None)
    assert redirected.status == 302


@BOTH
@pytest.mark.parametrize(("fault", "reason"), [("drop", "connection lost"), ("torn", "connection lost")])
def test_what_is_lost_is_named(fault: str, reason: str, teacher_at: TeacherAt) -> None:
    with serve({"row": [fault]}) as server, pytest.raises(LostError) as lost:
        send(teacher_at(server.base_url))
    assert lost.value.reason == reason and not lost.value.unsent


@BOTH
def test_what_was_never_sent_is_told_apart(teacher_at: TeacherAt) -> None:
    with serve() as server:
        pass
    with pytest.raises(LostError, match="no connection") as lost:
        send(teacher_at(server.base_url))
    assert lost.value.unsent


@BOTH
def test_a_server_that_trickles_is_given_up(teacher_at: TeacherAt, tmp_path: Path) -> None:
    with serve({"row": repeat("trickle")}) as server:
        teacher = teacher_at(server.base_url)
        teacher.timeout, teacher.max_attempts = 0.3, 1
        with open_teacher(teacher, Governance.synthetic, 0, tmp_path / "j") as asking:
            assert [reply.outcome for reply in asking([REQUEST])] == ["failed: timeout"]


@BOTH
@pytest.mark.parametrize("governance", [Governance.credentialed, Governance.open])
def test_only_credentialed_requests_ask_openai_to_keep_nothing(teacher_at: TeacherAt, governance: Governance) -> None:
    with serve() as server:
        send(teacher_at(server.base_url), governance)
        asked = teacher_at is by_sdk and governance is Governance.credentialed
        assert server.bodies[0].get("store", "unsaid") == (False if asked else "unsaid")


def test_replies_with_lone_surrogates_are_read() -> None:
    assert read_json(b'{"a": "\\ud800"}') == {"a": "\ud800"}
    assert read_json(b'{"a": NaN, "b": 1}')["b"] == 1
    assert read_json(b"<html>") is None and read_json(b"") is None


def test_lists_nested_without_end_are_no_json() -> None:
    assert read_json(b"[" * 100_000) is None


def test_an_answer_longer_than_any_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean, "LONGEST_BODY", 4000)
    with serve(reply=lambda messages: "word " * 1000) as server, pytest.raises(LostError) as lost:
        send(local(server.base_url))
    assert lost.value.reason == "answer too long"


def cloud(server: FakeOpenAI, provider: Provider, **settings: Any) -> Teacher:
    return Teacher(**{"provider": provider, "model": "m", "base_url": server.base_url, "region": "us-east-1", "project": "p", **settings})


@pytest.mark.parametrize("provider", [Provider.bedrock, Provider.vertex])
def test_clouds_take_a_token_from_the_environment(provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_BEDROCK_BASE_URL", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    monkeypatch.setenv("MY_TOKEN", KEY)
    with serve() as server:
        teacher = cloud(server, provider, api_key_env="MY_TOKEN")
        with open_teacher(teacher, Governance.synthetic, 0, tmp_path / "j") as asking:
            assert [reply.outcome for reply in asking([REQUEST])] == ["ok"]
        assert server.keys == {f"Bearer {KEY}"} and server.paths == {"/v1/chat/completions"}
        assert server.bodies[0]["max_completion_tokens"] == 512 and "seed" not in server.bodies[0]


def test_bedrock_finds_its_own_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", KEY)
    with serve() as server, open_teacher(cloud(server, Provider.bedrock), Governance.synthetic, 0, tmp_path / "j") as asking:
        assert [reply.outcome for reply in asking([REQUEST])] == ["ok"]
        assert server.keys == {f"Bearer {KEY}"}


@pytest.mark.parametrize(("provider", "extra"), [(Provider.bedrock, "openai[bedrock]"), (Provider.vertex, "openai[vertex]")])
def test_a_cloud_whose_library_is_missing_says_what_to_install(
    provider: Provider, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
    find_spec = importlib.util.find_spec
    hidden = ("botocore", "google.auth")
    monkeypatch.setattr("radgpt.teacher.transports.sdk.find_spec", lambda name: None if name in hidden else find_spec(name))
    with (
        serve() as server,
        pytest.raises(UserError) as refused,
        open_teacher(cloud(server, provider), Governance.synthetic, 0, tmp_path / "j"),
    ):
        pass
    assert f"pip install '{extra}'" in str(refused.value) and "teacher.api_key_env" in str(refused.value)


@pytest.mark.parametrize("provider", [Provider.bedrock, Provider.vertex])
def test_credentials_that_fail_stop_the_run_and_are_not_repeated(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The libraries are there, as far as the check knows, and fail when they are used."""
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
    monkeypatch.setattr("radgpt.teacher.transports.sdk.find_spec", lambda name: name)
    plain_import = builtins.__import__

    def no_credentials(name: str, *rest: Any) -> Any:
        if name.startswith(("botocore", "google.auth")):
            raise ImportError(f"{KEY} is wrong")
        return plain_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_credentials)
    with (
        serve() as server,
        pytest.raises(UserError, match=f"teacher={provider.value}: no credentials could be had") as stopped,
        open_teacher(cloud(server, provider), Governance.synthetic, 0, tmp_path / "j") as asking,
    ):
        list(asking([REQUEST]))
    assert KEY not in str(stopped.value) and server.asked.total() == 0
