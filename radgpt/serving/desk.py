"""What the page's buttons do, with the user's mistakes told on the page and nobody's text told anywhere else."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from html import escape
from threading import Event, Lock
from typing import Protocol

from radgpt.config import Decoding
from radgpt.errors import UserError
from radgpt.inference.backend import INTERRUPTED, LENGTH, Backend, Message
from radgpt.inference.chat.grounding import grounding
from radgpt.inference.chat.session import storable
from radgpt.serving.answering import Growing, Reply, growing, unexpected
from radgpt.serving.conversations import SIDES, Conversation, Conversations, Side
from radgpt.serving.feedback import DOWN, UP, WITHDRAWN, Feedback
from radgpt.serving.report_view import Checked, report_html

NOBODY = "(nobody)"
"""Where one model answers alone."""
WAITING = "…"
"""Stands where an answer will."""
NOTHING = "(an empty answer)"
LONGEST_REPORT = 200_000
"""Characters."""


class Models(Protocol):
    """What `inference.opening.open_models` gives."""

    @property
    def names(self) -> list[str]:
        """All that may be talked to, the configuration's own first."""

    def open(self, name: str) -> Backend:
        """The model, loaded on first use."""


@dataclass(frozen=True)
class Asked:
    """What the fields of a page say when an answer is wanted."""

    report: str
    system: str
    models: tuple[str, ...]
    """One, or two to be shown side by side."""
    decoding: Decoding


@dataclass(frozen=True)
class Shown:
    """What a page is to show; None leaves a part as it is."""

    chats: tuple[list[Message] | None, list[Message] | None] = (None, None)
    told: str | None = None
    """A line or more under the chats, as HTML."""
    report: str | None = None
    """The report's sections, as HTML."""
    message: str | None = None
    """What stands in the field for the next message."""
    answering: bool | None = None
    comparable: bool | None = None
    """Whether two answers to the same question wait to be compared."""


class Desk:
    """Answers the pages of one server."""

    def __init__(
        self, models: Models, decodings: Mapping[str, Decoding], system: str, conversations: Conversations, feedback: Feedback
    ) -> None:
        self.names = list(models.names)
        self.decodings = decodings
        """Name of a model to how it draws answers unless a page says otherwise."""
        self.system = system
        self.conversations = conversations
        self.answers = 0
        """How many were given."""
        self._models, self._feedback = models, feedback
        self._backends: dict[str, Backend] = {}
        self._opening = Lock()

    def open(self, name: str) -> Backend:
        """A model, loaded once."""
        if name not in self._backends:
            with self._opening:
                self._backends[name] = self._models.open(name)
        return self._backends[name]

    async def ask(self, page: str, message: str, asked: Asked) -> AsyncGenerator[Shown, None]:
        """Answer a message, side by side where two models were chosen."""
        if not message.strip():
            yield Shown()
            return
        message = storable(message)

        def begin(side: Side, stop: Event, notice: Callable[[str], None]) -> Reply:
            return side.session.reply(message, stop, notice)

        async with aclosing(self._answered(page, asked, True, SIDES, begin, message)) as shown:
            async for state in shown:
                yield state

    async def retry(self, page: str, place: int, asked: Asked) -> AsyncGenerator[Shown, None]:
        """Answer the last message of one side again."""

        def begin(side: Side, stop: Event, notice: Callable[[str], None]) -> Reply:
            return side.session.retry(stop, notice)

        async with aclosing(self._answered(page, asked, False, (SIDES[place],), begin, None)) as shown:
            async for state in shown:
                yield state

    async def edit(self, page: str, index: int, message: str, asked: Asked) -> AsyncGenerator[Shown, None]:
        """Replace a message of all sides, and answer it; `index` counts messages from 0, answers among them."""
        number, message = index // 2 + 1, storable(message)

        def begin(side: Side, stop: Event, notice: Callable[[str], None]) -> Reply:
            if number > len(side.session.turns):  # this side had failed there
                return side.session.reply(message, stop, notice)
            return side.session.edit(message, stop, notice, turn=number)

        async with aclosing(self._answered(page, asked, False, SIDES, begin, message, number)) as shown:
            async for state in shown:
                yield state

    def undo(self, page: str) -> Shown:
        """Take the last turn back, and put its message into the field."""
        conversation = self.conversations.known(page)
        if conversation is None or conversation.answering:
            return Shown(told=line("There is nothing to undo now."))
        most = max((len(side.session.turns) for side in conversation.sides), default=0)
        gone = [side.session.undo() for side in conversation.sides if most and len(side.session.turns) == most]
        return Shown(
            chats=chats_of(conversation),
            told="",
            report=report_html(conversation.report or ""),
            message=gone[0].user if gone else None,
            comparable=False,
        )

    def reset(self, page: str, report: str) -> Shown:
        """Start anew about the same report."""
        self.conversations.drop(page)
        return Shown(chats=([], []), told="", report=report_html(report), answering=False, comparable=False)

    def stop(self, page: str) -> None:
        """End the answers that are being given to a page."""
        if conversation := self.conversations.known(page):
            conversation.stop()

    def check(self, page: str, place: int, index: int) -> str | None:
        """The report with what supports an answer of a side marked, as HTML; None where nothing is to be shown."""
        conversation = self.conversations.known(page)
        if conversation is None or place >= len(conversation.sides) or index % 2 == 0:
            return None
        return checked_report(conversation, place, index // 2 + 1)

    def rate(self, page: str, place: int, index: int, liked: bool | str) -> str:
        """Keep a thumb on an answer; gives what is told, as HTML."""
        conversation = self.conversations.known(page)
        number = index // 2 + 1
        if conversation is None or place >= len(conversation.sides) or not rateable(conversation.sides[place], number):
            return line("This answer cannot be rated any more.")
        side = conversation.sides[place]
        rating = UP if liked is True or liked == "Like" else DOWN if liked is False or liked == "Dislike" else WITHDRAWN
        self._feedback.append(rating, {SIDES[place]: (side.answered[number], side.asked(number))})
        return line(f"Kept in {self._feedback.path.name}.")

    def prefer(self, page: str, rating: str) -> Shown:
        """Keep which of two answers to the last question is better."""
        conversation = self.conversations.known(page)
        if conversation is None or not comparable(conversation):
            return Shown(told=line("There are no two answers to compare now."), comparable=False)
        number = len(conversation.sides[0].session.turns)
        self._feedback.append(
            rating, {name: (side.answered[number], side.asked(number)) for name, side in zip(SIDES, conversation.sides, strict=True)}
        )
        return Shown(told=line(f"Kept in {self._feedback.path.name}."), comparable=False)

    def close(self, page: str) -> None:
        """A page was closed."""
        self.conversations.drop(page)

    async def _answered(
        self,
        page: str,
        asked: Asked,
        fresh: bool,
        names: Sequence[str],
        begin: Callable[[Side, Event, Callable[[str], None]], Reply],
        message: str | None,
        number: int | None = None,
    ) -> AsyncGenerator[Shown, None]:
        """Prepare the conversation, begin replies of the sides named, and show them as they grow.

        Args:
            fresh: whether a new conversation may begin.
            message: what is answered; None: what the side was asked last.
            number: the turn that it is answered at, from 1; None: the one that `begin` speaks of.
        """
        try:
            notices = (
                ["the earlier conversation had been idle for too long and was forgotten"] if self.conversations.was_forgotten(page) else []
            )
            backends = []
            for name in asked.models:
                if name not in self._backends:
                    yield Shown(told=line(f"Loading {name} …"), answering=True)
                backends.append(await asyncio.to_thread(self.open, name))
            conversation = self.conversations.of(page)
            report = report_of(asked.report) if fresh else conversation.report
            if conversation.prepare(backends, report, asked.system, asked.decoding, fresh):
                notices.append("a new conversation has begun")
        except UserError as error:
            yield Shown(told=line(str(error), "rg-error"), message=message if fresh else None, answering=False)
            return
        except Exception as error:
            yield Shown(told=line(unexpected(error), "rg-error"), message=message if fresh else None, answering=False)
            return

        answering = [(place, side) for place, side in enumerate(conversation.sides) if SIDES[place] in names]
        heads = {place: head(side, message, number) for place, side in answering}
        stop = conversation.begin()
        try:
            replies = [begin(side, stop, naming(notices, side, len(conversation.sides))) for _, side in answering]
            whole: list[Growing] = []
            waiting = {place: [*before, {"role": "assistant", "content": WAITING}] for place, before in heads.items()}
            opening = report_html(report or "") if fresh else None
            yield Shown(pair(waiting), told_of(notices), opening, "" if fresh else None, True, False)
            async with aclosing(growing(replies, stop)) as states:
                async for whole in states:
                    texts = {place: grown.text for (place, _), grown in zip(answering, whole, strict=True)}
                    chats = {place: [*heads[place], {"role": "assistant", "content": texts[place] or WAITING}] for place in heads}
                    yield Shown(pair(chats), told_of(notices))
        finally:
            stop.set()
            conversation.end(stop)
        self.answers += sum(grown.turn is not None for grown in whole)
        lines = [outcome(side, grown, len(conversation.sides)) for (_, side), grown in zip(answering, whole, strict=True)]
        failed = any(grown.failure for grown in whole)
        place = answering[0][0]
        checked = (
            None if failed else await asyncio.to_thread(checked_report, conversation, place, len(conversation.sides[place].session.turns))
        )
        yield Shown(
            chats=chats_of(conversation),
            told=told_of(notices) + "".join(lines),
            report=checked,
            message=message if failed and fresh else None,
            answering=False,
            comparable=comparable(conversation),
        )


def report_of(text: str) -> str | None:
    """The report that a field holds, if any; raises UserError where it is too long."""
    if len(text) > LONGEST_REPORT:
        raise UserError(f"the report has {len(text):,} characters; {LONGEST_REPORT:,} are taken at most")
    return storable(text) if text.strip() else None


def head(side: Side, message: str | None, number: int | None) -> list[Message]:
    """What stands before an answer: all turns and a new message, or those before an edited or retried one and that one's."""
    turns = side.session.turns
    if message is None:  # of the last turn, if there is one
        message, number = turns[-1].user if turns else "", len(turns)
    kept = len(turns) if number is None else min(len(turns), max(0, number - 1))
    return [*turn_messages(side, kept), {"role": "user", "content": message}]


def turn_messages(side: Side, turns: int | None = None) -> list[Message]:
    """The first turns of a side as messages; None: all."""
    messages: list[Message] = []
    for exchange in side.session.turns[:turns]:
        messages += [{"role": "user", "content": exchange.user}, {"role": "assistant", "content": exchange.assistant or NOTHING}]
    return messages


def chats_of(conversation: Conversation) -> tuple[list[Message] | None, list[Message] | None]:
    """All turns of both sides."""
    return pair({place: turn_messages(side) for place, side in enumerate(conversation.sides)})


def pair(chats: Mapping[int, list[Message]]) -> tuple[list[Message] | None, list[Message] | None]:
    """By side, with None for one that stays as it is."""
    return chats.get(0), chats.get(1)


def rateable(side: Side, number: int) -> bool:
    """Whether a turn stands in the conversation with a whole answer."""
    return 1 <= number <= len(side.session.turns) and number in side.answered


def comparable(conversation: Conversation) -> bool:
    """Whether the last turns of two sides answer the same question."""
    if len(conversation.sides) < 2 or conversation.answering:
        return False
    last = [side.session.turns[-1:] for side in conversation.sides]
    numbers = {len(side.session.turns) for side in conversation.sides}
    same = len(numbers) == 1 and all(last) and last[0][0].user == last[1][0].user
    return same and all(rateable(side, len(side.session.turns)) for side in conversation.sides)


def checked_report(conversation: Conversation, place: int, number: int) -> str:
    """The report with what supports an answer marked, as HTML."""
    report, side = conversation.report or "", conversation.sides[place]
    turns = side.session.turns
    if not report or not 1 <= number <= len(turns):
        return report_html(report)
    exchange = turns[number - 1]
    whose = f"Answer {number}" + (f" of {side.session.backend.name}" if len(conversation.sides) > 1 else "")
    checked = Checked(f"{whose}, sentence by sentence", exchange.assistant, grounding(report, exchange.user, exchange.assistant))
    return report_html(report, checked)


def naming(notices: list[str], side: Side, sides: int) -> Callable[[str], None]:
    """What adds a notice, with the model's name where there are two."""
    name = f"{side.session.backend.name}: " if sides > 1 else ""
    return lambda text: notices.append(name + text)


def told_of(notices: Sequence[str]) -> str:
    """Notices as HTML."""
    return "".join(line(notice, "rg-notice") for notice in notices)


def outcome(side: Side, grown: Growing, sides: int) -> str:
    """How an answer ended, as HTML."""
    name = f"{side.session.backend.name}: "
    if grown.turn is None:
        return line((name if sides > 1 else "") + (grown.failure or "no answer"), "rg-error")
    turn = grown.turn
    parts = [f"{turn.new_tokens} tokens"]
    if turn.tokens_per_second is not None:
        parts.append(f"{turn.tokens_per_second:.0f} a second")
    if turn.finish_reason == INTERRUPTED:
        parts.append("stopped")
    elif turn.finish_reason == LENGTH:
        parts.append("cut: no room was left for more")
    elif turn.finish_reason != "stop":
        parts.append(turn.finish_reason)
    return line(name + ", ".join(parts))


def line(text: str, kind: str = "rg-soft") -> str:
    """A line of HTML."""
    return f'<p class="{kind}">{escape(text)}</p>'
