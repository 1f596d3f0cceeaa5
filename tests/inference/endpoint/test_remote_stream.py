"""A streamed reply comes piece by piece, ends when it is told to, and is lost without a trace of its content."""

import threading
import time
from collections.abc import Iterator
from itertools import repeat
from threading import Event
from typing import Any

import pytest
from fake_openai import serve
from remote import GREEDY, backend_at, remote, say, whole

from radgpt.config import Decoding, Governance, Model, Provider
from radgpt.errors import UserError
from radgpt.inference.backend import NamedModel, Reply
from radgpt.inference.endpoint import streams
from radgpt.inference.endpoint.remote import RemoteBackend

SECRET = "sk-test-4b1d"


@pytest.fixture(autouse=True)
def _quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "FIRST_BACKOFF", 0.01)


def until(true: Any, seconds: float = 5.0) -> None:
    """Wait for a condition, for so long at most."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_pieces_come_in_order_with_the_servers_counts() -> None:
    with serve(reply=lambda messages: "The lungs\u2028are clear.") as server, remote(server) as backend:
        pieces, reply = whole(backend, "row")
        assert pieces == ["The", " lungs\u2028are", " clear."]  # U+2028 ends a line for Python, and none for JSON
        assert reply == Reply("The lungs\u2028are clear.", "stop", prompt_tokens=1, cached_tokens=3, new_tokens=4)
        assert server.bodies[0] == {
            "model": "any",
            "messages": say("row"),
            "temperature": 0.0,
            "top_p": 1.0,
            "seed": 0,
            "max_tokens": 32,
            "stream": True,
            "stream_options": {"include_usage": True},
        }


def test_the_first_piece_is_not_held_back() -> None:
    with serve(pace=0.3) as server, remote(server) as backend:
        begun = time.monotonic()
        stream = backend.stream(say("row"), GREEDY, 0, Event())
        assert next(stream) == "reply"
        assert time.monotonic() - begun < 0.3
        stream.close()


def test_the_decoding_is_sent_as_servers_of_ones_own_read_it() -> None:
    with serve() as server, remote(server) as backend:
        whole(backend, "row", Decoding(max_new_tokens=64, temperature=0.7, top_p=0.8, top_k=50, repetition_penalty=1.2))
        sent = server.bodies[0]
        assert (sent["temperature"], sent["top_p"], sent["max_tokens"]) == (0.7, 0.8, 64)
        assert (sent["top_k"], sent["repetition_penalty"], sent["repeat_penalty"], sent["repeat_last_n"]) == (50, 1.2, 1.2, 65536)
        whole(backend, "row", Decoding(do_sample=True, top_k=0, repetition_penalty=1.0))
        assert not {"top_k", "repetition_penalty", "repeat_penalty", "repeat_last_n"} & server.bodies[1].keys()


def test_a_providers_service_is_sent_nothing_that_it_does_not_know(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", SECRET)
    with serve() as server, remote(server, provider=Provider.openai, api_key_env="TEST_KEY") as backend:
        for _ in range(2):
            whole(backend, "row", Decoding())
        assert server.bodies[0].keys() == {"model", "messages", "temperature", "top_p", "max_completion_tokens", "stream", "stream_options"}
        assert server.keys == {f"Bearer {SECRET}"}
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "backend=openai cannot be told decoding.top_k=100 and decoding.repetition_penalty=1.2; it answers without"
    ]
    assert SECRET not in caplog.text


@pytest.mark.parametrize("by_stop", [True, False])
def test_a_stop_and_a_closed_generator_close_the_connection_within_a_moment(by_stop: bool) -> None:
    with serve(reply=lambda messages: "word " * 500, pace=0.02) as server, remote(server) as backend:
        stop = Event()
        stream = backend.stream(say("row"), GREEDY, 0, stop)
        pieces = [next(stream) for _ in range(3)]
        told = time.monotonic()
        if by_stop:
            stop.set()
            with pytest.raises(StopIteration) as end:
                next(stream)
            reply = end.value.value
            assert reply.finish_reason == "interrupted" and reply.text.startswith("".join(pieces)) and reply.new_tokens >= 3
        else:
            stream.close()
        until(lambda: "row" in server.left)
        assert server.left["row"] - told < 0.5 and server.streaming == 0


def test_a_stop_before_the_first_piece_is_noticed() -> None:
    with serve({"row": ["hang"]}) as server, remote(server) as backend:
        stop = Event()
        threading.Timer(0.2, stop.set).start()
        begun = time.monotonic()
        assert whole(backend, "row", stop=stop) == ([], Reply("", "interrupted", 1, 0, 0))
        assert time.monotonic() - begun < 2


def test_closing_the_backend_ends_streams_in_other_threads() -> None:
    ended: list[Reply] = []
    with serve({"row": ["stall"]}) as server:
        with remote(server) as backend:
            waiting = threading.Thread(target=lambda: ended.append(whole(backend, "row")[1]))
            waiting.start()
            until(lambda: server.streaming == 1)
        waiting.join(5)
        until(lambda: server.streaming == 0)
    assert [reply.finish_reason for reply in ended] == ["interrupted"]


def test_streams_in_many_threads_do_not_wait_for_each_other_and_never_cross() -> None:
    answers: dict[int, str] = {}
    with serve(reply=lambda messages: f"answer to {messages[0]['content']} at last", pace=0.1) as server, remote(server) as backend:

        def ask(number: int) -> None:
            answers[number] = whole(backend, f"row {number}")[1].text

        threads = [threading.Thread(target=ask, args=[number]) for number in range(32)]
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        seconds = time.monotonic() - begun
    assert answers == {number: f"answer to row {number} at last" for number in range(32)}
    assert seconds < 32 * 0.6 / 4  # one after the other they would take 19 seconds


@pytest.mark.parametrize(("name", "finish"), [("length", "length"), ("filtered", "content_filter")])
def test_how_the_reply_ended_is_told(name: str, finish: str) -> None:
    with serve({"row": [name]}) as server, remote(server) as backend:
        assert whole(backend, "row")[1].finish_reason == finish


def test_a_prompt_that_is_filtered_has_an_empty_reply() -> None:
    with serve({"row": ["azure_filter"]}) as server, remote(server) as backend:
        assert whole(backend, "row") == ([], Reply("", "content_filter", 1, 0, 0))


def test_a_server_that_does_not_stream_is_taken_at_its_word() -> None:
    with serve({"row": ["unstreamed"]}) as server, remote(server) as backend:
        assert whole(backend, "row") == (["reply to row"], Reply("reply to row", "stop", 1, 0, 5))


def test_servers_that_refuse_to_count_are_asked_without_and_their_tokens_estimated() -> None:
    with serve(unknown_fields=["stream_options"]) as server, remote(server) as backend:
        assert whole(backend, "row")[1] == Reply("reply to row", "stop", prompt_tokens=1, cached_tokens=0, new_tokens=3)
        whole(backend, "row")
        assert server.asked["row"] == 3  # the option is not tried again


@pytest.mark.parametrize(
    ("decoding", "mend"),
    [
        (Decoding(repetition_penalty=1.0), "set decoding.top_k=0"),
        (Decoding(), "set decoding.top_k=0 and decoding.repetition_penalty=1"),
    ],
)
def test_fields_that_a_server_does_not_know_are_named_by_their_settings(decoding: Decoding, mend: str) -> None:
    with (
        serve(unknown_fields=["top_k", "repetition_penalty", "repeat_penalty", "repeat_last_n"]) as server,
        remote(server) as backend,
        pytest.raises(UserError) as refused,
    ):
        whole(backend, "row", decoding)
    assert str(refused.value).endswith(mend) and "SECRET" not in str(refused.value)


@pytest.mark.parametrize(
    ("faults", "settings", "says"),
    [
        (repeat("400"), {}, "check decoding.temperature=0.0, which backend.model=any may not allow"),
        (repeat("401"), {}, "backend.api_key_env, which names no variable"),
        (repeat("404"), {}, "check backend.model=any and backend.base_url"),
        (repeat("302"), {}, "set backend.base_url to the final address"),
        (repeat("400-context"), {}, "backend.model=any: the conversation is too long"),
        (repeat("insufficient_quota"), {}, "in backend.api_key_env"),
        (repeat("html"), {"max_attempts": 1}, "set backend.base_url to the root of its API"),
        (repeat("500"), {"max_attempts": 2}, "does not answer (HTTP 500): check the server, backend.base_url"),
        (repeat("drop"), {"max_attempts": 2}, "does not answer (connection lost)"),
        (["hang"], {"timeout": 0.3}, "does not answer (timeout): check the server, backend.base_url and backend.timeout"),
    ],
)
def test_what_goes_wrong_is_told_in_one_line_that_names_the_setting(faults: Iterator[str], settings: dict[str, Any], says: str) -> None:
    with serve({"row": faults}) as server, remote(server, **settings) as backend, pytest.raises(UserError) as wrong:
        whole(backend, "row")
    line = str(wrong.value)
    assert says in line and "\n" not in line and "SECRET" not in line and "row" not in line and "teacher" not in line


def test_a_server_that_is_gone_is_told_at_once() -> None:
    with serve() as server, remote(server) as backend:
        whole(backend, "row")
    with remote(server) as backend, pytest.raises(UserError, match=r"no server can be reached at http://127.* set backend\.base_url"):
        whole(backend, "row")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("cut", "connection lost"),
        ("unended", "the stream broke off"),
        ("stream_error", "the server reports an error"),
        ("stall", "timeout"),
    ],
)
def test_of_a_stream_that_breaks_off_nothing_is_lost(fault: str, reason: str) -> None:
    pieces: list[str] = []
    with serve({"row": [fault]}) as server, remote(server, timeout=0.5) as backend, pytest.raises(UserError) as broken:
        pieces.extend(backend.stream(say("row"), GREEDY, 0, Event()))
    assert f"({reason})" in str(broken.value) and "backend.base_url" in str(broken.value) and "SECRET" not in str(broken.value)
    assert server.asked["row"] == 1  # what was seen is not asked for again


def test_pieces_before_a_break_are_handed_on() -> None:
    with serve({"row": ["cut"]}, pace=0.05) as server, remote(server) as backend:
        stream = backend.stream(say("row"), GREEDY, 0, Event())
        assert [next(stream), next(stream)] == ["reply", " to"]
        with pytest.raises(UserError, match="after 2 pieces"):
            next(stream)


def test_what_fails_before_anything_came_is_tried_again() -> None:
    with serve({"row": ["429-ms", "500", "drop", "ok"]}) as server, remote(server) as backend:
        assert whole(backend, "row")[1].text == "reply to row"
        assert server.asked["row"] == 4


def test_a_busy_server_is_told_once_and_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(streams, "PATIENCE", 0.2)
    with serve({"row": repeat("429-ms")}) as server, remote(server) as backend, pytest.raises(UserError, match="too many requests"):
        whole(backend, "row")
    assert [line.endswith("is busy (too many requests); waiting for up to 0 s") for line in caplog.messages] == [True]


def test_a_budget_holds_over_all_streams() -> None:
    with serve() as server:
        settings = backend_at(server)
        settings.budget.requests = 2
        backend = RemoteBackend(NamedModel("this", Model(), settings, GREEDY, None), Governance.synthetic)
        whole(backend, "row")
        whole(backend, "row")
        with pytest.raises(UserError, match=r"^backend\.budget\.requests=2 is reached"):
            whole(backend, "row")
        backend.close()
    assert server.asked["row"] == 2


def test_a_reply_beyond_what_was_asked_for_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    with serve(reply=lambda messages: "word " * 40) as server, remote(server) as backend:
        whole(backend, "row")
        whole(backend, "row")
    assert caplog.text.count("writes more tokens than decoding.max_new_tokens=32 allows") == 1


def test_beams_are_refused_before_anything_is_sent() -> None:
    with serve() as server, remote(server) as backend, pytest.raises(UserError, match=r"^decoding\.num_beams=4 .* decoding\.num_beams=1$"):
        whole(backend, "row", Decoding(num_beams=4))
    assert not server.asked


@pytest.mark.parametrize(
    ("told", "window"),
    [
        ({"data": [{"id": "other", "max_model_len": 1}, {"id": "any", "max_model_len": 8192}]}, 8192),  # vLLM
        ({"data": [{"id": "file.gguf", "meta": {"n_ctx": 2048, "n_ctx_train": 8192}}]}, 2048),  # llama.cpp
        ({"data": [{"id": "a"}, {"id": "b", "max_model_len": 5}]}, None),
        ({"data": "none"}, None),
        (None, None),
    ],
)
def test_the_window_is_what_the_server_says(told: Any, window: int | None) -> None:
    with serve(models=told) as server, remote(server) as backend:
        assert backend.window == window


def test_without_a_server_no_window_is_known() -> None:
    with serve() as server:
        pass
    with remote(server) as backend:
        assert backend.window is None


def test_an_estimate_of_tokens_learns_from_what_the_server_counts_and_stays_rather_too_high() -> None:
    text = "x" * 4000
    with serve() as server, remote(server) as backend:
        before = backend.count(say(text))
        whole(backend, text)
        assert 1000 < backend.count(say(text)) < before  # the server counts 1000
