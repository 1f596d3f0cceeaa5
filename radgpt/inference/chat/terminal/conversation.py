"""A chat in the terminal as it stands, and how an answer is shown while it grows."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Protocol

from radgpt.config import Governance
from radgpt.inference.backend import INTERRUPTED, LENGTH, Backend, NamedModel
from radgpt.inference.chat import decoding_settings
from radgpt.inference.chat.session import ChatSession
from radgpt.inference.chat.terminal.screen import DIM, Screen
from radgpt.inference.chat.terminal.stopping import stopped_by_ctrl_c, unechoed
from radgpt.inference.chat.transcript import Turn
from radgpt.wording import counted

BANNER = "Research software, not for clinical use: answers may be wrong."

Give = Callable[[Event, Callable[[str], None]], Generator[str, None, Turn]]
"""Starts an answer; takes what stops it, and who is told what the user should know."""


class Models(Protocol):
    """The models that can be talked to."""

    named: dict[str, NamedModel]
    """What their names stand for; whatever is added can be opened too."""

    def open(self, name: str) -> Backend:
        """Load one, unless it is loaded; raises UserError where that fails."""

    def add_adapter(self, name: str, folder: Path) -> str:
        """Name one more: an adapter on the base of a model that is there; raises UserError where it does not fit."""


@dataclass
class Conversation:
    """A session in the terminal."""

    session: ChatSession
    models: Models
    transcript: Path
    governance: Governance
    screen: Screen = field(default_factory=Screen)
    samples: Iterator[str] | None = None
    """Reports of the test split; None where none are at hand."""
    interactive: bool = False
    """Whether somebody sits at the terminal; otherwise what is read comes from a pipe."""
    told: list[Turn] = field(default_factory=list)
    """All answers so far."""
    settings: dict[str, str] = field(default_factory=dict)
    """What `/set` was given; it holds for other models too."""
    failed: str | None = None
    """The last message, if it came to no answer."""
    line: str = ""
    """What the next line begins with."""
    over: bool = False

    def ask(self, message: str) -> Turn:
        """Answer a message, as `show` does."""
        self.failed = message
        return self.show(lambda stop, notice: self.session.reply(message, stop, notice))

    def show(self, give: Give) -> Turn:
        """Stream an answer and say what was unusual about it; Ctrl-C stops it.

        Raises:
            UserError: as the session does.
            BrokenOffError: Ctrl-C did not stop it, and a second one broke it off.
            KeyboardInterrupt: something wants the process to end.
        """
        stop, began = Event(), False
        self.screen.wait()
        try:
            with stopped_by_ctrl_c(stop), unechoed(), closing(give(stop, self.screen.remark)) as stream:
                try:
                    while True:
                        piece = next(stream)
                        piece = piece if began else piece.lstrip()
                        if piece:
                            began = True
                            self.screen.write(piece)
                except StopIteration as end:
                    turn: Turn = end.value
        finally:
            self.screen.settle()
            if began:
                self.screen.say()
        self.failed = None
        self.told.append(turn)
        self._comment(turn)
        return turn

    def _comment(self, turn: Turn) -> None:
        """The lines below an answer."""
        if turn.finish_reason == INTERRUPTED:
            self.screen.remark("stopped")
            self.over = self.over or not self.interactive  # nobody typed Ctrl-C: something wants this process to end
        elif turn.finish_reason == LENGTH:
            self.screen.remark("cut: no room was left for more; decoding.max_new_tokens sets the limit")
        elif not turn.assistant.strip():
            self.screen.remark("the answer is empty")
        if self.screen.live:
            self.screen.say(in_figures(turn) + "\n", DIM)

    def toolbar(self) -> str:
        """The line at the bottom: who answers, about what, how full the window is, how answers are drawn."""
        window = self.session.backend.window
        parts = [
            self.session.backend.name,
            "no report" if self.session.report is None else "a report is open",
            f"{self.session.used:,}{f' / {window:,}' if window else ''} tokens",
            decoding_settings.in_short(self.session.decoding),
            "/help",
        ]
        return " · ".join(parts)


def in_figures(turn: Turn) -> str:
    """Tokens and times of an answer on one line."""
    parts = [counted(turn.new_tokens, "token")]
    if turn.tokens_per_second is not None:
        parts.append(f"{turn.tokens_per_second:.1f} tokens/s")
    if turn.seconds_to_first_token is not None:
        parts.append(f"first after {turn.seconds_to_first_token:.2f} s")
    parts.append(f"{turn.cached_tokens:,} of {turn.prompt_tokens:,} prompt tokens reused")
    return " · ".join(parts)
