"""A conversation remembers its turns, never loses system prompt or report, and can be stopped, retried, edited and taken back."""

import threading
from collections.abc import Generator
from threading import Event

import pytest
from fake_backend import FakeBackend
from tiny_model import greedy, sampled, tiny_model

from radgpt.config import ChatPrompt, Decoding
from radgpt.errors import UserError
from radgpt.inference.chat.session import ChatSession
from radgpt.inference.chat.transcript import Turn

PROMPT = ChatPrompt(system="You read reports.", first_turn="Report: {report}\n\nAsked: {instruction}")
REPORT = "FINDINGS: a {instruction} and 4.5 cm {report} effusion."
SYSTEM = {"role": "system", "content": "You read reports."}


def session(backend: FakeBackend, decoding: Decoding | None = None, seed: int = 0) -> tuple[ChatSession, list[Turn]]:
    """(session, what it records)."""
    recorded: list[Turn] = []
    return ChatSession(backend, decoding or sampled(), PROMPT, seed, recorded.append, "tab 1"), recorded


def ended(reply: Generator[str, None, Turn], pieces: list[str] | None = None) -> Turn:
    """The turn of a reply that is read to its end."""
    while True:
        try:
            piece = next(reply)
        except StopIteration as end:
            return end.value
        if pieces is not None:
            pieces.append(piece)


def say(chat: ChatSession, message: str, notices: list[str] | None = None) -> str:
    """What is answered."""
    return ended(chat.reply(message, Event(), [].append if notices is None else notices.append)).assistant


def asked(backend: FakeBackend) -> list[str]:
    """Contents of the messages of the last call, without the system prompt."""
    return [message["content"] for message in backend.calls[-1].messages[1:]]


def test_earlier_turns_are_in_the_prompt_and_the_report_stands_in_the_first_one() -> None:
    backend = FakeBackend(["No.", "Left."])
    chat, recorded = session(backend)
    chat.open_report(REPORT)
    pieces: list[str] = []
    assert ended(chat.reply("Is there a fracture?", Event()), pieces).assistant == "".join(pieces) == "No."
    say(chat, "Which side?")
    assert backend.calls[-1].messages == [
        SYSTEM,
        {"role": "user", "content": f"Report: {REPORT}\n\nAsked: Is there a fracture?"},
        {"role": "assistant", "content": "No."},
        {"role": "user", "content": "Which side?"},
    ]
    assert [(turn.turn, turn.turns_in_view, turn.event, turn.session) for turn in recorded] == [
        (1, 0, "asked", "tab 1"),
        (2, 1, "asked", "tab 1"),
    ]
    assert [(exchange.user, exchange.assistant) for exchange in chat.turns] == [("Is there a fracture?", "No."), ("Which side?", "Left.")]


def test_what_the_model_has_read_before_changes_no_answer() -> None:
    from radgpt.inference.local.in_process import InProcess
    from radgpt.inference.local.network import Network

    model, tokenizer = tiny_model()
    network, texts, cached = Network(model), {}, {}
    for kept in (0, 4):
        backend = InProcess("this", network, tokenizer, kept_conversations=kept)
        recorded: list[Turn] = []
        chat = ChatSession(backend, greedy(), PROMPT, 0, recorded.append)
        chat.open_report(REPORT)
        for question in ("Is there a fracture?", "Which side?", "How large?"):
            say(chat, question)
        ended(chat.retry(Event()))
        texts[kept], cached[kept] = [turn.assistant for turn in recorded], [turn.cached_tokens for turn in recorded]
    assert texts[4] == texts[0] and texts[4][2] == texts[4][3] != ""
    assert cached[0] == [0, 0, 0, 0]
    assert 0 < cached[4][1] < cached[4][2] < cached[4][3]


def test_without_a_report_and_without_a_system_prompt_messages_are_plain() -> None:
    backend = FakeBackend()
    chat, _ = session(backend)
    say(chat, "Hello {report}")
    assert backend.calls[-1].messages == [SYSTEM, {"role": "user", "content": "Hello {report}"}]
    chat.reset()
    chat.set_system("  ")
    say(chat, "Hello")
    assert backend.calls[-1].messages == [{"role": "user", "content": "Hello"}]


def test_overflow_drops_whole_oldest_turns_at_once_and_keeps_system_prompt_and_report() -> None:
    backend = FakeBackend(otherwise=lambda _: "It is not seen in this report.", window=120)
    chat, recorded = session(backend, greedy(max_new_tokens=20))
    chat.open_report(REPORT)
    told = []
    for number in range(16):
        notices: list[str] = []
        say(chat, f"Question {number}: is there a fracture?", notices)
        told.append(notices)
        messages = backend.calls[-1].messages
        assert messages[0] == SYSTEM
        assert messages[1]["content"].startswith(f"Report: {REPORT}\n\nAsked: Question ")
        assert [message["role"] for message in messages[1:]] == ["user", "assistant"] * (len(messages[1:]) // 2) + ["user"]
        assert messages[-1]["content"].startswith(f"Question {number}:") or number == 0
        assert backend.count(messages) <= 120 - 20
    # System prompt, report and one question take 22 tokens of 120 - 20, each earlier turn 15 more: a 6th is too many, and 60 % holds 3.
    assert [turn.turns_in_view for turn in recorded] == [0, 1, 2, 3, 4, 5, 3, 4, 5, 3, 4, 5, 3, 4, 5, 3]
    assert told[6] == ["the 3 oldest turns no longer fit; system prompt and report are kept"]
    assert [bool(notices) for notices in told] == [False] * 6 + [True, False, False] * 3 + [True]
    assert len(chat.turns) == 16


def test_room_for_a_long_answer_takes_no_more_than_half_of_the_window() -> None:
    backend = FakeBackend(otherwise=lambda _: "It is not seen in this report.", window=120)
    chat, recorded = session(backend, greedy(max_new_tokens=1024))
    chat.open_report(REPORT)
    for number in range(4):
        say(chat, f"Question {number}: is there a fracture?")
    # 22 tokens and 15 for each earlier turn of 120 / 2: a 3rd is too many, and 60 % holds 1.
    assert [turn.turns_in_view for turn in recorded] == [0, 1, 2, 1]


def test_where_nobody_knows_the_window_nothing_is_dropped() -> None:
    backend = FakeBackend(otherwise=lambda _: "word " * 200)
    chat, recorded = session(backend, greedy(max_new_tokens=500))
    for _ in range(5):
        say(chat, "why " * 200)
    assert recorded[-1].turns_in_view == 4


def test_a_message_that_can_never_fit_is_refused_and_changes_nothing() -> None:
    backend = FakeBackend(["No."], window=60)
    chat, recorded = session(backend)
    chat.open_report(REPORT)
    say(chat, "Is there a fracture?")
    notices: list[str] = []
    with pytest.raises(UserError, match=r"takes 2\d\d tokens and the model's window has 60"):
        say(chat, "why " * 200, notices)
    assert len(chat.turns) == len(recorded) == 1 and notices == []
    say(chat, "Which side?")
    assert recorded[-1].turns_in_view == 1


def test_a_failure_changes_nothing() -> None:
    backend = FakeBackend(["No.", UserError("backend: it is gone"), "Left."])
    chat, recorded = session(backend)
    say(chat, "Is there a fracture?")
    with pytest.raises(UserError, match="it is gone"):
        ended(chat.retry(Event()))
    assert [exchange.assistant for exchange in chat.turns] == ["No."]
    assert say(chat, "Which side?") == "Left."
    assert [(turn.turn, turn.attempt) for turn in recorded] == [(1, 1), (2, 1)]


def test_stop_ends_the_answer_which_stays_as_far_as_it_came() -> None:
    backend = FakeBackend(["one two three", "four"])
    chat, _ = session(backend)
    stop = Event()
    reply = chat.reply("Count.", stop)
    assert next(reply) == "one"
    stop.set()
    assert ended(reply).finish_reason == "interrupted"
    assert [exchange.assistant for exchange in chat.turns] == ["one"]
    assert backend.given == 1
    say(chat, "Go on.")
    assert asked(backend) == ["Count.", "one", "Go on."]


def test_an_answer_stopped_before_its_first_word_is_recorded_and_forgotten() -> None:
    backend = FakeBackend(["one two three"])
    chat, recorded = session(backend)
    stop = Event()
    stop.set()
    assert ended(chat.reply("Count.", stop)).assistant == ""
    assert chat.turns == [] and recorded[0].finish_reason == "interrupted"


def test_closing_the_reply_stops_the_model_and_records_what_there_is() -> None:
    backend = FakeBackend(["one two three"])
    chat, recorded = session(backend)
    reply = chat.reply("Count.", Event())
    next(reply)
    reply.close()
    assert [(turn.assistant, turn.finish_reason, turn.prompt_tokens) for turn in recorded] == [("one", "interrupted", 7)]
    assert backend.given == 1
    assert say(chat, "Again.").startswith("You said")


def test_an_interrupt_inside_the_model_is_recorded_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = FakeBackend()

    def broken_off(*_: object) -> Generator[str, None, None]:
        yield "one"
        raise KeyboardInterrupt

    monkeypatch.setattr(backend, "stream", broken_off)
    chat, recorded = session(backend)
    with pytest.raises(KeyboardInterrupt):
        ended(chat.reply("Count.", Event()))
    assert [(turn.assistant, turn.finish_reason, turn.new_tokens) for turn in recorded] == [("one", "interrupted", 1)]
    assert [exchange.assistant for exchange in chat.turns] == ["one"]


def test_retry_answers_the_same_prompt_from_another_seed() -> None:
    backend = FakeBackend(["One.", "Two.", "Three.", "Four."])
    chat, recorded = session(backend)
    say(chat, "A?")
    say(chat, "B?")
    ended(chat.retry(Event()))
    assert backend.calls[2].messages == backend.calls[1].messages
    assert [exchange.assistant for exchange in chat.turns] == ["One.", "Three."]
    assert [(turn.turn, turn.attempt, turn.event) for turn in recorded[1:]] == [(2, 1, "asked"), (2, 2, "retried")]
    assert [call.seed for call in backend.calls] == [turn.seed for turn in recorded]
    assert len({call.seed for call in backend.calls}) == 3


def test_retrying_a_greedy_answer_says_that_it_will_be_the_same() -> None:
    chat, _ = session(FakeBackend(), greedy())
    say(chat, "A?")
    notices: list[str] = []
    ended(chat.retry(Event(), notices.append))
    assert len(notices) == 1 and "decoding.do_sample=false" in notices[0]


def test_edit_replaces_a_message_and_forgets_what_followed() -> None:
    backend = FakeBackend(["1", "2", "3", "4", "5"])
    chat, recorded = session(backend)
    for message in ("A?", "B?", "C?"):
        say(chat, message)
    ended(chat.edit("B!", Event(), turn=2))
    assert asked(backend) == ["A?", "1", "B!"]
    assert [(exchange.user, exchange.assistant) for exchange in chat.turns] == [("A?", "1"), ("B!", "4")]
    assert (recorded[-1].turn, recorded[-1].attempt, recorded[-1].event) == (2, 2, "edited")
    ended(chat.edit("B?!", Event()))
    assert [exchange.user for exchange in chat.turns] == ["A?", "B?!"]
    with pytest.raises(UserError, match="no turn 3"):
        ended(chat.edit("x", Event(), turn=3))


def test_an_edit_beyond_what_the_model_sees_gets_all_the_room_again() -> None:
    backend = FakeBackend(otherwise=lambda _: "It is not seen in this report.", window=120)
    chat, recorded = session(backend, greedy(max_new_tokens=20))
    for number in range(12):
        say(chat, f"Question {number}: is there a fracture?")
    assert recorded[-1].turns_in_view < 11
    ended(chat.edit("Which side?", Event(), turn=3))
    assert recorded[-1].turns_in_view == 2 and len(chat.turns) == 3


def test_turns_that_were_dropped_come_back_where_there_is_room_again() -> None:
    narrow = FakeBackend(otherwise=lambda _: "It is not seen in this report.", window=120)
    chat, recorded = session(narrow, greedy(max_new_tokens=20))
    for number in range(12):
        say(chat, f"Question {number}: is there a fracture?")
    assert recorded[-1].turns_in_view < 11
    chat.switch(FakeBackend(window=1000))
    say(chat, "Which side?")
    assert recorded[-1].turns_in_view == 12
    chat.switch(narrow)
    say(chat, "Which side?")
    for _ in range(11):
        chat.undo()
    say(chat, "Which side?")
    assert recorded[-1].turns_in_view == 3


def test_undo_takes_the_last_turn_back_and_its_place_gets_a_new_seed() -> None:
    backend = FakeBackend(["1", "2", "3"])
    chat, recorded = session(backend)
    say(chat, "A?")
    say(chat, "B?")
    assert chat.undo().user == "B?"
    say(chat, "B?")
    assert asked(backend) == ["A?", "1", "B?"]
    assert [(turn.turn, turn.attempt, turn.event, turn.user) for turn in recorded[1:]] == [
        (2, 1, "asked", "B?"),
        (2, 1, "undone", ""),
        (2, 2, "asked", "B?"),
    ]
    assert recorded[1].seed != recorded[3].seed


def test_nothing_can_be_taken_back_or_retried_before_something_was_said() -> None:
    chat, _ = session(FakeBackend())
    for action in (chat.undo, lambda: ended(chat.retry(Event())), lambda: ended(chat.edit("x", Event()))):
        with pytest.raises(UserError, match="nothing has been said yet"):
            action()


def test_seeds_follow_from_the_run_s_seed_and_the_place() -> None:
    backends = [FakeBackend(), FakeBackend(), FakeBackend()]
    for backend, seed in zip(backends, (0, 0, 1), strict=True):
        chat, _ = session(backend, seed=seed)
        say(chat, "A?")
        say(chat, "B?")
        chat.reset()
        say(chat, "A?")
    first, second, third = ([call.seed for call in backend.calls] for backend in backends)
    assert first == second and len({*first, *third}) == 6


def test_reset_forgets_turns_and_keeps_the_report() -> None:
    backend = FakeBackend()
    chat, recorded = session(backend)
    chat.open_report(REPORT)
    say(chat, "A?")
    say(chat, "B?")
    chat.reset()
    say(chat, "C?")
    assert asked(backend) == [f"Report: {REPORT}\n\nAsked: C?"]
    assert [(turn.conversation, turn.turn) for turn in recorded] == [(1, 1), (1, 2), (2, 1)]


def test_a_new_report_starts_a_new_conversation_and_none_closes_it() -> None:
    chat, recorded = session(FakeBackend())
    say(chat, "Hello.")
    chat.open_report(REPORT)
    say(chat, "Which side?")
    chat.open_report(None)
    say(chat, "Hello.")
    assert [(turn.conversation, turn.report_sha256 is None, turn.turns_in_view) for turn in recorded] == [
        (1, True, 0),
        (2, False, 0),
        (3, True, 0),
    ]


def test_another_model_goes_on_with_the_conversation() -> None:
    one, other = FakeBackend(["No."], name="this"), FakeBackend(["Left."], name="base")
    chat, recorded = session(one)
    say(chat, "Is there a fracture?")
    chat.switch(other)
    chat.set_decoding(greedy(max_new_tokens=7))
    say(chat, "Which side?")
    assert asked(other) == ["Is there a fracture?", "No.", "Which side?"]
    assert [(turn.model, turn.decoding["max_new_tokens"]) for turn in recorded] == [("this", 12), ("base", 7)]


def test_another_system_prompt_counts_from_the_next_message_on() -> None:
    backend = FakeBackend()
    chat, recorded = session(backend)
    say(chat, "A?")
    chat.set_system("Answer in rhyme.")
    say(chat, "B?")
    assert backend.calls[-1].messages[0] == {"role": "system", "content": "Answer in rhyme."}
    assert PROMPT.system == "You read reports."
    assert recorded[0].system_sha256 != recorded[1].system_sha256


def test_beam_search_is_refused() -> None:
    beams = greedy()
    beams.num_beams = 2
    with pytest.raises(UserError, match=r"decoding\.num_beams=2"):
        session(FakeBackend(), beams)
    chat, _ = session(FakeBackend())
    with pytest.raises(UserError, match=r"decoding\.num_beams=2"):
        chat.set_decoding(beams)


def test_one_reply_at_a_time_and_nothing_else_meanwhile() -> None:
    backend = FakeBackend(["one two"], hold=Event())
    chat, recorded = session(backend)
    thread = threading.Thread(target=lambda: say(chat, "Count."))
    thread.start()
    backend.begun.wait(5)
    for action in (lambda: say(chat, "Me too."), chat.reset, chat.undo, lambda: chat.set_system("x"), lambda: chat.switch(backend)):
        with pytest.raises(UserError, match="an answer is being given"):
            action()
    assert backend.hold is not None
    backend.hold.set()
    thread.join(5)
    assert [turn.assistant for turn in recorded] == ["one two"]
    say(chat, "Now me.")


def test_times_and_tokens_are_told() -> None:
    chat, recorded = session(FakeBackend(["one two three"]))
    say(chat, "Count.")
    say(chat, "Again.")
    first, second = recorded
    assert (first.prompt_tokens, first.cached_tokens, first.new_tokens) == (7, 0, 4)
    assert second.cached_tokens == 6
    assert first.seconds_to_first_token is not None and first.tokens_per_second is not None
    assert chat.used == second.prompt_tokens + second.new_tokens


def test_half_a_character_of_broken_input_does_not_reach_model_or_record() -> None:
    backend = FakeBackend(["fine \ud800"])
    chat, recorded = session(backend)
    say(chat, "a\udc80b")
    assert asked(backend) == ["a?b"]
    assert (recorded[0].user, recorded[0].assistant) == ("a?b", "fine ?")
