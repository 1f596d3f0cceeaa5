"""Conversations are streamed beside each other, stop within a token, and are not read from their beginning at each turn."""

import copy
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from asked_questions import backend, generated, questions, streamed
from tiny_model import WORDS, greedy, sampled, tiny_model

from radgpt.errors import UserError
from radgpt.inference.backend import Message
from radgpt.inference.local.in_process import InProcess


def conversation(turns: int, answering: InProcess) -> list[tuple[list[Message], Any]]:
    """(messages, reply) of some turns about a report."""
    messages: list[Message] = [{"role": "user", "content": " ".join(WORDS * 6)}]
    told = []
    for number in range(turns):
        _, reply = streamed(answering, messages, greedy())
        told.append((messages, reply))
        messages = [*messages, {"role": "assistant", "content": reply.text}, {"role": "user", "content": WORDS[number]}]
    return told


def test_pieces_make_the_text_that_generate_gives() -> None:
    for question in questions(4, 0):
        pieces, reply = streamed(backend(), question.messages, greedy(20))
        assert "".join(pieces) == reply.text
        assert (reply.text, reply.new_tokens) == generated(tiny_model()[0], question.messages, max_new_tokens=20, do_sample=False)
        assert (reply.finish_reason, reply.cached_tokens) == ("stop" if reply.new_tokens < 20 else "length", 0)
        assert reply.new_tokens < 20 or len(pieces) > 3


def test_a_kept_conversation_says_what_a_fresh_one_says() -> None:
    told = conversation(4, backend())
    for messages, reply in told:
        assert reply.text == streamed(backend(), messages, greedy())[1].text
    cached = [reply.cached_tokens for _, reply in told]
    assert cached[0] == 0 and all(count > told[0][1].prompt_tokens - 2 for count in cached[1:])


def test_only_what_is_new_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model()[0]
    forward = model.forward
    read: list[int] = []
    monkeypatch.setattr(model, "forward", lambda **k: (read.append(k["input_ids"].shape[1]), forward(**k))[1])
    told = conversation(2, backend())
    prompts = [length for length in read if length > 1]
    assert prompts == [told[0][1].prompt_tokens, told[1][1].prompt_tokens - told[1][1].cached_tokens]


def test_a_long_prompt_is_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model()[0]
    forward = model.forward
    read: list[int] = []
    messages = [{"role": "user", "content": " ".join(WORDS * 30)}]
    expected = generated(model, messages, max_new_tokens=12, do_sample=False)
    monkeypatch.setattr(model, "forward", lambda **k: (read.append(k["input_ids"].shape[1]), forward(**k))[1])
    _, reply = streamed(backend(), messages, greedy())
    assert (reply.text, reply.new_tokens) == expected
    assert read[:2] == [512, 512] and sum(read) == reply.prompt_tokens + 11


def test_as_many_conversations_are_kept_as_asked() -> None:
    first, second = questions(2, 0)
    for kept, expected in ((2, True), (1, False), (0, False)):
        answering = backend(kept_conversations=kept)
        streamed(answering, first.messages, greedy())
        streamed(answering, [{"role": "user", "content": second.messages[1]["content"]}], greedy())
        _, reply = streamed(answering, first.messages, greedy())
        assert (reply.cached_tokens == reply.prompt_tokens - 1) is expected


def test_stop_ends_a_stream_within_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model()[0]
    forward = model.forward
    steps: list[int] = []
    monkeypatch.setattr(model, "forward", lambda **k: (steps.append(1), forward(**k))[1])
    stop, answering = Event(), backend()
    messages = questions(1, 0)[0].messages
    stream = answering.stream(messages, greedy(200), 0, stop)
    begun = next(stream)
    taken = len(steps)
    stop.set()
    pieces = [begun]
    with pytest.raises(StopIteration) as end:
        while True:
            pieces.append(next(stream))
    reply = end.value.value
    assert (len(steps), reply.finish_reason, reply.text) == (taken, "interrupted", "".join(pieces))
    assert reply.new_tokens == taken
    # What was read stays: the same question is not read again.
    assert streamed(answering, messages, greedy())[1].cached_tokens == reply.prompt_tokens - 1


def test_conversations_about_one_report_keep_a_memory_each() -> None:
    answering = backend()
    report = " ".join(WORDS * 6)
    first, second = ([{"role": "user", "content": f"{report} {words}"}] for words in (WORDS[0] * 3, WORDS[1] * 3))
    streamed(answering, first, greedy())
    _, reply = streamed(answering, second, greedy())
    assert 150 < reply.cached_tokens < reply.prompt_tokens - 20
    assert reply.text == streamed(backend(), second, greedy())[1].text
    for messages in (first, second):
        _, reply = streamed(answering, messages, greedy())
        assert reply.cached_tokens == reply.prompt_tokens - 1


def test_a_closed_stream_frees_the_model() -> None:
    answering = backend()
    messages = questions(1, 0)[0].messages
    stream = answering.stream(messages, greedy(200), 0, Event())
    next(stream)
    stream.close()
    assert streamed(answering, messages, greedy())[1] == streamed_fresh(messages, cached=True)


def streamed_fresh(messages: list[Message], cached: bool) -> Any:
    """The reply of a new backend, as one that has read the prompt would tell it."""
    from dataclasses import replace

    reply = streamed(backend(), messages, greedy())[1]
    return replace(reply, cached_tokens=reply.prompt_tokens - 1) if cached else reply


def test_a_pass_that_failed_leaves_the_conversation_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C may come while some layers have written their keys and values, and others have not."""
    model = tiny_model()[0]
    answering, messages = backend(), questions(1, 0)[0].messages
    stream = answering.stream(messages, greedy(50), 0, Event())
    next(stream)
    last = model.model.layers[-1]
    with monkeypatch.context() as patch:

        def interrupted(*inputs: Any, **settings: Any) -> None:
            raise KeyboardInterrupt

        patch.setattr(last, "forward", interrupted)
        with pytest.raises(KeyboardInterrupt):
            for _ in stream:
                pass
    again = streamed(answering, messages, greedy())[1]
    assert again == streamed_fresh(messages, cached=True)


def test_streams_of_several_threads_say_what_each_says_alone() -> None:
    asked = [question.messages for question in questions(6, 2)]
    alone = [streamed(backend(), messages, sampled(30), seed)[1].text for seed, messages in enumerate(asked)]
    answering = backend()
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda job: streamed(answering, job[1], sampled(30), job[0])[1].text, enumerate(asked)))
    assert together == alone


def test_streams_take_turns() -> None:
    answering = backend()
    long = [question.messages for question in questions(4, 0)[::2]]
    first, second = (answering.stream(messages, greedy(50), 0, Event()) for messages in long)
    pieces = [next(stream) for _ in range(3) for stream in (first, second)]
    assert all(pieces)


def test_a_prompt_without_room_is_refused() -> None:
    model = copy.copy(tiny_model()[0])
    model.config = copy.deepcopy(model.config)
    model.config.max_position_embeddings = 40
    messages = [{"role": "user", "content": " ".join(WORDS)}]
    with pytest.raises(UserError, match=r"the prompt takes \d+ tokens and the model's window has 40"):
        streamed(backend(model=model), messages, greedy())
    assert backend(model=model).window == 40
    assert backend().count(messages) > 40


def test_beams_answer_as_a_whole() -> None:
    from dataclasses import replace

    messages = questions(1, 0)[0].messages
    pieces, reply = streamed(backend(), messages, replace(greedy(8), num_beams=3))
    assert [reply.text] == pieces
    assert (reply.text, reply.new_tokens) == generated(tiny_model()[0], messages, max_new_tokens=8, num_beams=3, do_sample=False)


def test_beams_stop_within_a_token() -> None:
    from dataclasses import replace

    class StopAtThirdLook(Event):
        looks = 0

        def is_set(self) -> bool:
            self.looks += 1
            return self.looks > 3

    stream = backend().stream(questions(1, 0)[0].messages, replace(greedy(200), num_beams=2), 0, StopAtThirdLook())
    with pytest.raises(StopIteration) as end:
        while True:
            next(stream)
    assert end.value.value.finish_reason == "interrupted"
    assert end.value.value.new_tokens <= 4
