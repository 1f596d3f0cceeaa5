"""Conversations are bounded, know their report, and end with their page."""

import pytest
from fake_backend import FakeBackend
from served_page import PROMPT

from radgpt.config import Decoding
from radgpt.errors import UserError
from radgpt.serving.conversations import IDLE_SECONDS, Conversation, Conversations


def say(conversation: Conversation, message: str) -> None:
    stop = conversation.begin()
    for side in conversation.sides:
        list(side.session.reply(message, stop))
    conversation.end(stop)


def prepared(conversation: Conversation, *backends: FakeBackend, report: str | None = None, fresh: bool = True) -> bool:
    return conversation.prepare(backends, report, "Be brief.", Decoding(), fresh)


def test_another_report_or_a_second_model_begins_anew() -> None:
    conversation, first, second = Conversation(PROMPT, 0), FakeBackend(name="a"), FakeBackend(name="b")
    assert not prepared(conversation, first)
    say(conversation, "one")
    assert not prepared(conversation, first)
    assert prepared(conversation, first, report="Clear.")
    assert conversation.sides[0].session.turns == [] and conversation.sides[0].answered == {}
    say(conversation, "two")
    assert prepared(conversation, first, second, report="Clear.")
    say(conversation, "three")
    assert [side.session.turns[0].user for side in conversation.sides] == ["three", "three"]
    assert not prepared(conversation, second, report="Clear.")
    assert [turn.user for turn in conversation.sides[0].session.turns] == ["three"]
    assert conversation.sides[0].session.backend is second


def test_a_retry_begins_nothing_anew() -> None:
    conversation = Conversation(PROMPT, 0)
    with pytest.raises(UserError, match="nothing has been said yet"):
        prepared(conversation, FakeBackend(), fresh=False)
    prepared(conversation, FakeBackend())
    with pytest.raises(UserError, match="a second model begins a new conversation"):
        prepared(conversation, FakeBackend(), FakeBackend(), fresh=False)


def test_nothing_changes_while_an_answer_is_given() -> None:
    conversation = Conversation(PROMPT, 0)
    prepared(conversation, FakeBackend())
    stop = conversation.begin()
    with pytest.raises(UserError, match="an answer is being given"):
        prepared(conversation, FakeBackend())
    conversation.stop()
    assert stop.is_set()
    conversation.end(stop)
    assert not conversation.answering


def test_latest_answers_are_kept_for_ratings_and_undone_ones_are_not() -> None:
    conversation, model = Conversation(PROMPT, 0), FakeBackend(["first", "again", "second"])
    prepared(conversation, model, report="Clear.")
    say(conversation, "one")
    side = conversation.sides[0]
    list(side.session.retry(conversation.begin()))
    assert (side.answered[1].assistant, side.answered[1].attempt) == ("again", 2)
    say(conversation, "two")
    assert [message["content"] for message in side.asked(2)] == ["Be brief.", "Clear.\n\none", "again", "two"]
    side.session.undo()
    assert list(side.answered) == [1]


def test_the_longest_idle_one_goes_when_there_are_too_many() -> None:
    clock = [0.0]
    open_pages = Conversations(PROMPT, 0, most=2, now=lambda: clock[0])
    first = open_pages.of("first")
    clock[0] = 1
    open_pages.of("second")
    clock[0] = 2
    assert open_pages.of("first") is first
    open_pages.of("third")
    assert open_pages.known("second") is None and open_pages.known("first") is first
    assert open_pages.was_forgotten("second") and not open_pages.was_forgotten("second")


def test_one_that_is_answered_never_goes() -> None:
    open_pages = Conversations(PROMPT, 0, most=1)
    open_pages.of("first").begin()
    with pytest.raises(UserError, match="1 conversations are being answered, and more are not taken"):
        open_pages.of("second")


def test_idle_ones_are_forgotten_in_time() -> None:
    clock = [0.0]
    open_pages = Conversations(PROMPT, 0, now=lambda: clock[0])
    open_pages.of("first")
    clock[0] = IDLE_SECONDS + 1
    open_pages.of("second")
    assert open_pages.known("first") is None


def test_a_closed_page_ends_its_answers() -> None:
    open_pages = Conversations(PROMPT, 0)
    stop = open_pages.of("page").begin()
    assert open_pages.answering == 1
    open_pages.drop("page")
    assert stop.is_set() and open_pages.known("page") is None
    open_pages.drop("page")
