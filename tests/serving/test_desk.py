"""What pages are shown, and which ratings are kept."""

import asyncio
import stat
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from threading import Event

import orjson
import pytest
from fake_backend import FakeBackend
from served_page import REPORT, desk_of

from radgpt.config import Decoding
from radgpt.errors import UserError
from radgpt.serving.desk import Asked, Desk, Shown

ONE = Asked("", "Be brief.", ("this",), Decoding())
TWO = Asked(REPORT, "Be brief.", ("this", "base"), Decoding())


@pytest.fixture
def models() -> dict[str, FakeBackend]:
    return {name: FakeBackend(name=name) for name in ("this", "base")}


@pytest.fixture
def desk(models: dict[str, FakeBackend], tmp_path: Path) -> Iterator[Desk]:
    with desk_of(tmp_path, *models.values()) as made:
        yield made


def all_of(stream: AsyncGenerator[Shown, None]) -> list[Shown]:
    async def gather() -> list[Shown]:
        return [shown async for shown in stream]

    return asyncio.run(gather())


def contents(shown: Shown, side: int = 0) -> list[str]:
    messages = shown.chats[side]
    assert messages is not None
    return [message["content"] for message in messages]


def ratings(folder: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in (folder / "feedback.jsonl").read_bytes().splitlines()]


def test_the_field_is_emptied_and_can_be_sent_again_at_the_end(desk: Desk) -> None:
    states = all_of(desk.ask("page", "hello", ONE))
    begun = next(shown for shown in states if shown.chats[0] is not None)
    assert (contents(begun), begun.message, begun.answering) == (["hello", "…"], "", True)
    assert contents(states[-1]) == ["hello", "You said: hello"]
    assert (states[-1].answering, states[-1].message, states[-1].comparable) == (False, None, False)
    assert "4 tokens" in (states[-1].told or "")
    assert desk.answers == 1


def test_nothing_is_asked_for_an_empty_message(desk: Desk, models: dict[str, FakeBackend]) -> None:
    assert all_of(desk.ask("page", " \n", ONE)) == [Shown()]
    assert models["this"].calls == []


def test_pages_do_not_know_each_other(desk: Desk, models: dict[str, FakeBackend]) -> None:
    all_of(desk.ask("page", "one", ONE))
    all_of(desk.ask("other", "two", ONE))
    assert [message["content"] for message in models["this"].calls[-1].messages] == ["Be brief.", "two"]


def test_dropped_turns_are_told(desk: Desk, models: dict[str, FakeBackend]) -> None:
    models["this"].window = 60
    states = [all_of(desk.ask("page", f"question {number} with some more words to it", ONE))[-1] for number in range(5)]
    assert any("no longer fit" in (shown.told or "") for shown in states)


def test_a_mistake_gives_the_message_back(desk: Desk, models: dict[str, FakeBackend]) -> None:
    models["this"].replies.append(UserError("the <endpoint> is gone"))
    last = all_of(desk.ask("page", "hello", ONE))[-1]
    assert (last.message, last.answering, contents(last)) == ("hello", False, [])
    assert last.told == '<p class="rg-error">the &lt;endpoint&gt; is gone</p>'


def test_an_unknown_error_is_named_alone(desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> FakeBackend:
        raise RuntimeError("secret words of a report")

    monkeypatch.setattr(desk, "open", broken)
    last = all_of(desk.ask("page", "hello", ONE))[-1]
    assert "RuntimeError" in (last.told or "") and "secret" not in (last.told or "")
    assert capsys.readouterr().err == "radgpt: the page met a RuntimeError\n"


def test_a_report_that_is_too_long_is_refused(desk: Desk) -> None:
    last = all_of(desk.ask("page", "hello", Asked("x" * 200_001, "", ("this",), Decoding())))[-1]
    assert "the report has 200,001 characters" in (last.told or "")


def test_one_side_is_retried_and_both_are_edited_and_undone(desk: Desk, models: dict[str, FakeBackend]) -> None:
    all_of(desk.ask("page", "one", TWO))
    models["base"].replies.append("Other words.")
    again = all_of(desk.retry("page", 1, TWO))
    assert all(shown.chats[0] is None for shown in again[:-1])
    assert contents(again[-1], 0) == ["one", "You said: one"] and contents(again[-1], 1) == ["one", "Other words."]
    edited = all_of(desk.edit("page", 0, "two", TWO))[-1]
    assert contents(edited, 0) == contents(edited, 1) == ["two", "You said: two"]
    undone = desk.undo("page")
    assert (contents(undone, 0), contents(undone, 1), undone.message) == ([], [], "two")
    assert desk.undo("page").message is None


def test_a_side_that_failed_takes_part_again(desk: Desk, models: dict[str, FakeBackend]) -> None:
    models["base"].replies.append(UserError("busy"))
    last = all_of(desk.ask("page", "one", TWO))[-1]
    assert (contents(last, 0), contents(last, 1), last.comparable) == (["one", "You said: one"], [], False)
    assert "base: busy" in (last.told or "")
    edited = all_of(desk.edit("page", 0, "two", TWO))[-1]
    assert contents(edited, 0) == contents(edited, 1) and edited.comparable


def test_an_answer_is_shown_beside_the_report(desk: Desk, models: dict[str, FakeBackend]) -> None:
    models["this"].replies.append("There is a small left pleural effusion.")
    last = all_of(desk.ask("page", "what?", TWO))[-1]
    assert "<mark>There is a small left pleural effusion.<sup>1</sup></mark>" in (last.report or "")
    assert "Answer 1 of this" in (last.report or "")
    assert "Answer 1 of base" in (desk.check("page", 1, 1) or "")
    assert desk.check("page", 0, 0) is None and desk.check("other", 0, 1) is None


def test_thumbs_and_choices_are_kept(desk: Desk, models: dict[str, FakeBackend], tmp_path: Path) -> None:
    models["base"].replies.append("Other words.")
    assert all_of(desk.ask("page", "one", TWO))[-1].comparable
    assert "Kept in feedback.jsonl" in desk.rate("page", 1, 1, "Dislike")
    assert desk.rate("page", 1, 1, "").startswith('<p class="rg-soft">Kept')
    assert desk.prefer("page", "left").comparable is False
    thumb, withdrawn, choice = ratings(tmp_path)
    assert (thumb["rating"], withdrawn["rating"], choice["rating"]) == ("down", "withdrawn", "left")
    assert list(thumb["answers"]) == ["right"] and list(choice["answers"]) == ["left", "right"]  # type: ignore[call-overload]
    said = choice["answers"]["right"]  # type: ignore[index]
    assert (said["model"], said["turn"], said["attempt"], said["decoding"]["top_k"]) == ("base", 1, 1, 100)
    assert [message["content"] for message in said["messages"]] == ["Be brief.", f"{REPORT}\n\none", "Other words."]
    assert stat.S_IMODE((tmp_path / "feedback.jsonl").stat().st_mode) == 0o600


def test_what_is_gone_cannot_be_rated(desk: Desk, tmp_path: Path) -> None:
    all_of(desk.ask("page", "one", ONE))
    desk.undo("page")
    assert "cannot be rated" in desk.rate("page", 0, 1, True)
    assert "cannot be rated" in desk.rate("other", 0, 1, True)
    assert "no two answers" in (desk.prefer("page", "tie").told or "")
    assert ratings(tmp_path) == []


def test_a_forgotten_conversation_is_told(desk: Desk) -> None:
    all_of(desk.ask("page", "one", ONE))
    desk.conversations._most = 1
    all_of(desk.ask("other", "two", ONE))
    last = all_of(desk.ask("page", "three", ONE))[-1]
    assert "idle for too long" in (last.told or "") and contents(last) == ["three", "You said: three"]


def test_a_page_that_leaves_ends_its_answer(desk: Desk, models: dict[str, FakeBackend]) -> None:
    models["this"].hold = Event()

    async def leave() -> None:
        stream = desk.ask("page", "a b c", ONE)
        async for shown in stream:
            if shown.chats[0] and shown.chats[0][-1]["content"] == "You":
                break
        assert desk.conversations.answering == 1
        await stream.aclose()

    asyncio.run(leave())
    assert desk.conversations.answering == 0
