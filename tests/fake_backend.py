"""A model that answers from a script, word by word, and remembers what it was asked."""

import re
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from threading import Event, Lock

from radgpt.config import Decoding
from radgpt.errors import UserError
from radgpt.inference.backend import INTERRUPTED, LENGTH, STOP, Answer, Message, Question, Reply


@dataclass(frozen=True)
class Call:
    """What `stream` was asked."""

    messages: list[Message]
    decoding: Decoding
    seed: int


def echo(messages: list[Message]) -> str:
    """`You said:` and the last message's last line."""
    return f"You said: {messages[-1]['content'].splitlines()[-1]}"


@dataclass
class FakeBackend:
    """A Backend without a model: a token is a word, and a reply ends with one token more."""

    replies: list[str | UserError] = field(default_factory=list)
    """What it answers to one call after another; a UserError is raised instead. Once they are used up, `otherwise` answers."""
    otherwise: Callable[[list[Message]], str] = echo
    name: str = "this"
    window: int | None = None
    hold: Event | None = None
    """Where given, every piece but the first waits until it is set, or until it is told to stop."""
    calls: list[Call] = field(default_factory=list)
    given: int = 0
    """Pieces computed in all."""
    closed: bool = False

    def __post_init__(self) -> None:
        self.begun = Event()
        """Set once a first piece was given."""
        self._lock = Lock()
        self._read: list[str] = []

    def count(self, messages: list[Message]) -> int:
        """Words of all messages, and one more for each of them and for the reply that begins."""
        return len(self._tokens(messages)) + 1

    def stream(self, messages: list[Message], decoding: Decoding, seed: int, stop: Event) -> Generator[str, None, Reply]:
        """Give the next reply word by word, each with the white space before it."""
        with self._lock:
            self.calls.append(Call([dict(message) for message in messages], replace(decoding), seed))
            reply = self.replies.pop(0) if self.replies else self.otherwise(messages)
            tokens = self._tokens(messages)
            cached = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(self._read, tokens, strict=False)))
            self._read = tokens
        if isinstance(reply, UserError):
            raise reply
        if self.window is not None and len(tokens) + 1 >= self.window:
            raise UserError(f"the prompt takes {len(tokens) + 1} tokens and the model's window has {self.window}")
        room = decoding.max_new_tokens if self.window is None else min(decoding.max_new_tokens, self.window - len(tokens) - 1)
        words = re.findall(r"\s*\S+\s*\Z|\s*\S+", reply)
        told: list[str] = []
        reason = LENGTH if len(words) >= room else STOP
        for word in words[:room]:
            if told and self.hold is not None:
                while not self.hold.wait(0.005) and not stop.is_set():
                    pass
            if stop.is_set():
                reason = INTERRUPTED
                break
            told.append(word)
            self.given += 1
            self.begun.set()
            yield word
        return Reply("".join(told), reason, len(tokens) + 1, cached, len(told) + (reason == STOP))

    def answer(
        self, questions: Iterable[Question], decoding: Decoding, seed: int, journal: Path, told: Callable[[Answer], None]
    ) -> Iterator[Answer]:
        """Answer each question as `stream` would, its text stripped; the journal holds a line with each id."""
        for question in questions:
            stream = self.stream(question.messages, decoding, seed, Event())
            while True:
                try:
                    next(stream)
                except StopIteration as end:
                    reply: Reply = end.value
                    break
            wanted = question.reference
            answer = Answer(
                reply.text.strip(),
                reply.finish_reason,
                reply.new_tokens,
                reply.prompt_tokens,
                reference_nll=None if wanted is None else float(len(wanted.split())),
                reference_tokens=0 if wanted is None else len(wanted.split()),
            )
            with open(journal, "a", encoding="utf-8") as file:
                file.write(f"{question.id}\n")
            told(answer)
            yield answer

    def close(self) -> None:
        """Remember that nobody needs it any more."""
        self.closed = True

    @staticmethod
    def _tokens(messages: list[Message]) -> list[str]:
        return [word for message in messages for word in (f"<{message['role']}>", *message["content"].split())]
