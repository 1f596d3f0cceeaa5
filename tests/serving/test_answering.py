"""Answers grow side by side, and end when nobody listens."""

import asyncio
import threading
import time
from collections.abc import Generator

import pytest
from fake_backend import FakeBackend
from served_page import PROMPT

from radgpt.config import Decoding
from radgpt.errors import UserError
from radgpt.inference.chat.session import ChatSession
from radgpt.serving.answering import growing


def session(backend: FakeBackend) -> ChatSession:
    return ChatSession(backend, Decoding(), PROMPT, 0)


def test_two_answers_grow_at_once() -> None:
    hold = threading.Event()
    first, second = FakeBackend(["one two"], hold=hold), FakeBackend(["three"])
    stop = threading.Event()

    async def both() -> list[list[str]]:
        seen = []
        async for answers in growing([session(first).reply("?", stop), session(second).reply("?", stop)], stop):
            seen.append([answer.text for answer in answers])
            if answers[1].ended:
                hold.set()
        return seen

    seen = asyncio.run(both())
    assert ["one", "three"] in seen and seen[-1] == ["one two", "three"]


def test_a_stopped_answer_is_told_with_what_there_is() -> None:
    backend, stop = FakeBackend(["one two three"], hold=threading.Event()), threading.Event()
    talk = session(backend)

    async def stopped() -> str:
        reasons = [""]
        async for (answer,) in growing([talk.reply("?", stop)], stop):
            stop.set()
            reasons += [answer.turn.finish_reason] if answer.turn else []
        return reasons[-1]

    assert asyncio.run(stopped()) == "interrupted"
    assert talk.turns[0].assistant == "one"


def test_who_stops_listening_frees_the_model_within_a_token() -> None:
    backend, stop = FakeBackend(["one two three"], hold=threading.Event()), threading.Event()
    talk = session(backend)

    async def leave() -> None:
        listening = growing([talk.reply("?", stop)], stop)
        await anext(listening)
        await listening.aclose()

    asyncio.run(leave())
    deadline = time.monotonic() + 5
    while not talk.turns and time.monotonic() < deadline:
        time.sleep(0.005)
    assert (backend.given, talk.turns[0].assistant) == (1, "one")


def test_mistakes_are_told_and_other_errors_named_without_their_words(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> Generator[str, None, None]:
        yield "a "
        raise ValueError("the report says: secret")

    stop = threading.Event()

    async def failures() -> list[str | None]:
        replies = [session(FakeBackend([UserError("too long")])).reply("?", stop), broken()]
        states = [state async for state in growing(replies, stop)]  # type: ignore[arg-type]
        return [answer.failure for answer in states[-1]]

    assert asyncio.run(failures()) == ["too long", "The server met a ValueError; the conversation is as before."]
    assert "secret" not in capsys.readouterr().err
