"""The conversations of all open pages: one or two sessions each, bounded in number, ended when their page closes."""

import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import Event, Lock

from radgpt.config import ChatPrompt, Decoding
from radgpt.errors import UserError
from radgpt.inference.backend import Backend, Message
from radgpt.inference.chat.session import ChatSession
from radgpt.inference.chat.transcript import Turn

SIDES = ("left", "right")

MOST = 64
"""Conversations at once; the longest idle one goes when another begins."""
IDLE_SECONDS = 2 * 60 * 60.0
"""After so long without a question a conversation is forgotten, as its page may have gone without a word."""
REMEMBERED = 1000
"""Forgotten conversations whose pages are told so if they come back."""


class Side:
    """One model's half of a conversation."""

    def __init__(self, backend: Backend, decoding: Decoding, prompt: ChatPrompt, seed: int, name: str) -> None:
        self.session = ChatSession(backend, decoding, prompt, seed, self.note, name)
        self.answered: dict[int, Turn] = {}
        """Turn, from 1, to its latest answer in the conversation as it stands."""

    def note(self, turn: Turn) -> None:
        """Keep an answer where it stands, for ratings; what came after it is gone."""
        self.answered = {number: kept for number, kept in self.answered.items() if number < turn.turn}
        if turn.user:
            self.answered[turn.turn] = turn

    def asked(self, number: int) -> list[Message]:
        """The messages that a turn answers, with system prompt and report."""
        turns = self.session.turns
        return self.session.messages(turns[: number - 1], turns[number - 1].user)


class Conversation:
    """What one page talks about, with one model or with two side by side."""

    def __init__(self, prompt: ChatPrompt, seed: int) -> None:
        self.name = secrets.token_hex(6)
        """Stands in ratings; says nothing of who asks."""
        self.sides: list[Side] = []
        self.last_used = 0.0
        """When its page last asked for it, by the clock of `Conversations`."""
        self._prompt, self._seed = prompt, seed
        self._report: str | None = None
        self._stops: set[Event] = set()
        self._lock = Lock()

    @property
    def report(self) -> str | None:
        """The report that it is about."""
        return self._report

    @property
    def answering(self) -> bool:
        """Whether an answer is being given."""
        return bool(self._stops)

    def prepare(self, backends: Sequence[Backend], report: str | None, system: str, decoding: Decoding, fresh: bool) -> bool:
        """Let these models answer next, about this report, under these settings.

        Another report starts a new conversation, and so does a second model, as both have to know the same turns.

        Args:
            fresh: whether a new conversation may begin.

        Returns:
            Whether turns were forgotten for it.

        Raises:
            UserError: an answer is being given, the decoding cannot be shown word by word, or a new conversation may not begin.
        """
        if self.answering:
            raise UserError("an answer is being given; stop it first, or wait for its end")
        if not fresh and len(backends) > len(self.sides):
            begins = "a second model begins a new conversation" if self.sides else "nothing has been said yet in this conversation"
            raise UserError(f"{begins}: ask a question first")
        forgets = any(side.session.turns for side in self.sides) and (report != self._report or len(backends) > len(self.sides))
        if len(backends) > len(self.sides):
            sides = [Side(backend, decoding, self._prompt, self._seed, self.name) for backend in backends]
        else:
            sides = self.sides[: len(backends)]
        for side in sides:
            if side.session.report != report:
                side.session.open_report(report)
                side.answered = {}
        for side, backend in zip(sides, backends, strict=True):
            if side.session.backend is not backend:
                side.session.switch(backend)
            side.session.set_decoding(decoding)
            if side.session.system != system:
                side.session.set_system(system)
        self.sides, self._report = sides, report
        return forgets

    def begin(self) -> Event:
        """Say that answers are about to be given; gives what stops them, to be handed to `end`."""
        stop = Event()
        with self._lock:
            self._stops.add(stop)
        return stop

    def end(self, stop: Event) -> None:
        """Say that they have ended."""
        with self._lock:
            self._stops.discard(stop)

    def stop(self) -> None:
        """End the answers that are being given, within a token."""
        with self._lock:
            for stop in self._stops:
                stop.set()


class Conversations:
    """One conversation for each open page."""

    def __init__(self, prompt: ChatPrompt, seed: int, most: int = MOST, now: Callable[[], float] = time.monotonic) -> None:
        self._prompt, self._seed, self._most, self._now = prompt, seed, most, now
        self._open: dict[str, Conversation] = {}
        self._forgotten: deque[str] = deque(maxlen=REMEMBERED)
        self._lock = Lock()

    def of(self, page: str) -> Conversation:
        """The conversation of a page, begun if there is none.

        Raises:
            UserError: too many are being answered.
        """
        with self._lock:
            if page not in self._open:
                self._make_room()
                self._open[page] = Conversation(self._prompt, self._seed)
            self._open[page].last_used = self._now()
            return self._open[page]

    def known(self, page: str) -> Conversation | None:
        """The conversation of a page, if there is one."""
        return self._open.get(page)

    def was_forgotten(self, page: str) -> bool:
        """Whether the page had one that was forgotten; tells it once."""
        with self._lock:
            if page not in self._forgotten:
                return False
            self._forgotten.remove(page)
            return True

    def drop(self, page: str) -> None:
        """Forget the conversation of a page that was closed, and end what it is being answered."""
        with self._lock:
            gone = self._open.pop(page, None)
        if gone is not None:
            gone.stop()

    def stop_all(self) -> None:
        """End all answers."""
        for conversation in list(self._open.values()):
            conversation.stop()

    @property
    def answering(self) -> int:
        """How many are being answered."""
        return sum(conversation.answering for conversation in list(self._open.values()))

    def _make_room(self) -> None:
        idle = sorted((page for page, one in self._open.items() if not one.answering), key=lambda page: self._open[page].last_used)
        too_many = len(self._open) + 1 - self._most
        if too_many > len(idle):
            raise UserError(f"{len(self._open)} conversations are being answered, and more are not taken; try again in a while")
        oldest = self._now() - IDLE_SECONDS
        for place, page in enumerate(idle):
            if place < too_many or self._open[page].last_used < oldest:
                del self._open[page]
                self._forgotten.append(page)
