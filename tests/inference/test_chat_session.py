"""A conversation remembers its turns, and never loses system prompt or report."""

import copy
from typing import Any

import pytest
from tiny_model import greedy, sampled, tiny_model

from radgpt.chat_format import prompt_ids
from radgpt.config import ChatPrompt, Decoding
from radgpt.errors import UserError
from radgpt.inference.generation import Answerer
from radgpt.inference.session import ChatSession

PROMPT = ChatPrompt(system="You read reports.", first_turn="Report: {report}\n\nAsked: {instruction}")
REPORT = "FINDINGS: a {instruction} and 4.5 cm {report} effusion."


def small_window(positions: int) -> Any:
    """The tiny model with less room."""
    model = copy.copy(tiny_model()[0])
    model.config = copy.deepcopy(model.config)
    model.config.max_position_embeddings = positions
    return model


def session(decoding: Decoding | None = None, model: Any = None) -> ChatSession:
    network, tokenizer = tiny_model()
    return ChatSession(Answerer(model or network, tokenizer, decoding or greedy(), 0), PROMPT)


def say(chat: ChatSession, message: str) -> tuple[str, list[str]]:
    """(streamed text, notices) of one turn."""
    pieces: list[str] = []
    notices: list[str] = []
    turn = chat.reply(message, pieces.append, notices.append)
    assert "".join(pieces).strip() == turn.assistant
    return turn.assistant, notices


def fresh_answer(messages: list[dict[str, str]]) -> str:
    """What the model says to these messages without any cache."""
    network, tokenizer = tiny_model()
    return Answerer(network, tokenizer, greedy(), 0).answer(["x"], [prompt_ids(tokenizer, messages)], 12)[0].text


def test_earlier_turns_are_in_the_prompt_and_the_cache_changes_nothing() -> None:
    chat = session()
    chat.open_report(REPORT)
    history: list[dict[str, str]] = []
    for number, question in enumerate(["Is there a fracture?", "Which side?", "How large?", "What does it conclude?"]):
        user = f"Report: {REPORT}\n\nAsked: {question}" if number == 0 else question
        history.append({"role": "user", "content": user})
        expected = fresh_answer([{"role": "system", "content": "You read reports."}, *history])
        assert say(chat, question) == (expected, [])
        history.append({"role": "assistant", "content": expected})
    assert [turn.turns_in_view for turn in chat.transcript] == [0, 1, 2, 3]


def test_the_model_reads_only_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = tiny_model()
    chat = session()
    chat.open_report(REPORT * 8)
    read: list[int] = []
    forward = model.forward
    monkeypatch.setattr(model, "forward", lambda *a, **k: (read.append(k["input_ids"].shape[1]), forward(*a, **k))[1])
    say(chat, "Is there a fracture?")
    first = read[0]
    read.clear()
    say(chat, "Which side?")
    assert first > 200
    assert read[0] < 60


def test_without_a_report_messages_are_plain() -> None:
    chat = session()
    assert chat.messages([], "Hello {report}") == [
        {"role": "system", "content": "You read reports."},
        {"role": "user", "content": "Hello {report}"},
    ]


def test_overflow_drops_whole_oldest_turns_and_keeps_system_prompt_and_report(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_window(200)
    chat = session(model=model)
    chat.open_report(REPORT)
    asked: list[list[dict[str, str]]] = []
    monkeypatch.setattr(
        "radgpt.inference.session.prompt_ids",
        lambda tokenizer, messages: (asked.append(messages), prompt_ids(tokenizer, messages))[1],
    )
    notices = []
    for number in range(12):
        notices += say(chat, f"Question {number}: is there a fracture?")[1]
        messages = asked[-1]
        assert messages[0] == {"role": "system", "content": "You read reports."}
        assert messages[1]["content"].startswith(f"Report: {REPORT}\n\nAsked: Question ")
        assert [message["role"] for message in messages[1:]] == ["user", "assistant"] * (len(messages[1:]) // 2) + ["user"]
        assert len(prompt_ids(tiny_model()[1], messages)) <= 200 - 12
        assert f"Question {number}:" in messages[-1]["content"]
    assert notices
    assert all("oldest turn" in notice and "system prompt and report are kept" in notice for notice in notices)
    assert len(notices) < 8, "several turns go at once"
    assert len(chat.transcript) == 12


def test_a_message_that_can_never_fit_is_refused_and_changes_nothing() -> None:
    chat = session(model=small_window(150))
    chat.open_report(REPORT)
    say(chat, "Is there a fracture?")
    before = chat.messages([], "x")
    with pytest.raises(UserError, match=r"takes \d+ tokens together with system prompt and report, and the model's window has 150"):
        say(chat, "why " * 200)
    assert chat.messages([], "x") == before
    assert len(chat.transcript) == 1
    say(chat, "Which side?")
    assert chat.transcript[-1].turns_in_view == 1


def test_an_answer_never_runs_past_the_window() -> None:
    chat = session(greedy(max_new_tokens=1000), model=small_window(120))
    say(chat, "Is there a fracture?")
    _, tokenizer = tiny_model()
    used = len(prompt_ids(tokenizer, chat.messages([], "Is there a fracture?"))) + chat.transcript[0].new_tokens
    assert used <= 120


def test_reset_forgets_turns_and_keeps_the_report() -> None:
    chat = session()
    chat.open_report(REPORT)
    first, _ = say(chat, "Is there a fracture?")
    say(chat, "Which side?")
    chat.reset()
    assert say(chat, "Is there a fracture?")[0] == first
    assert [(turn.conversation, turn.turn) for turn in chat.transcript] == [(1, 1), (1, 2), (2, 1)]


def test_a_new_report_starts_a_new_conversation() -> None:
    chat = session()
    say(chat, "Hello.")
    chat.open_report(REPORT)
    say(chat, "Which side?")
    none, some = (turn.report_sha256 for turn in chat.transcript)
    assert none is None and some is not None
    assert chat.transcript[1].turns_in_view == 0


def test_sampling_repeats_with_the_seed() -> None:
    one, two = session(sampled()), session(sampled())
    assert [say(one, question) for question in ("Hello.", "Why?")] == [say(two, question) for question in ("Hello.", "Why?")]


def test_ctrl_c_ends_the_answer_and_the_next_turn_is_right() -> None:
    decoding = greedy(max_new_tokens=40)
    chat = session(decoding)
    pieces: list[str] = []

    def stop_after_two(text: str) -> None:
        pieces.append(text)
        if len(pieces) == 2:
            raise KeyboardInterrupt

    stopped = chat.reply("Is there a fracture?", stop_after_two, lambda line: None)
    assert stopped.finish_reason == "interrupted"
    assert 0 < stopped.new_tokens < 40
    expected = fresh_answer(chat.messages([("Is there a fracture?", stopped.assistant)], "Which side?"))
    decoding.max_new_tokens = 12
    assert say(chat, "Which side?")[0] == expected


def test_an_error_while_generating_surfaces(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any, **named: Any) -> None:
        raise RuntimeError("no such kernel")

    chat = session()
    with monkeypatch.context() as patch:
        patch.setattr(tiny_model()[0], "forward", broken)
        with pytest.raises(RuntimeError, match="no such kernel"):
            say(chat, "Hello.")
    assert chat.transcript == []
    say(chat, "Hello.")


def test_beam_search_is_refused() -> None:
    decoding = greedy()
    decoding.num_beams = 2
    with pytest.raises(UserError, match=r"decoding\.num_beams=2"):
        session(decoding)
