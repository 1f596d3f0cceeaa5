"""A conversation with a model: the system prompt and the report always stay, the oldest turns go when room runs out."""

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from threading import Event, Lock

from radgpt.config import ChatPrompt, Decoding
from radgpt.draws import derived_seed
from radgpt.errors import UserError
from radgpt.inference.backend import INTERRUPTED, Backend, Message, Reply
from radgpt.inference.chat.stopwatch import Stopwatch, drained
from radgpt.inference.chat.transcript import ASKED, EDITED, RETRIED, UNDONE, Turn
from radgpt.instructions.prompts import chat_messages

KEPT_SHARE = 0.6
"""Share of the room for turns that is filled again once it has run out: dropping several turns at once spares the next ones
the re-reading of the whole conversation, because what the model has read stays a prefix of what it reads next."""


@dataclass(frozen=True)
class Exchange:
    """One turn of the conversation as it stands."""

    user: str
    assistant: str
    tokens: int
    """Of its prompt and the answer."""


def nobody(_: object) -> None:
    """Where nobody wants to be told."""


class ChatSession:
    """One conversation after another, with one model or several in turn; one reply at a time.

    Any thread may call any method. While a reply is being given, the others raise UserError.
    """

    def __init__(
        self,
        backend: Backend,
        decoding: Decoding,
        prompt: ChatPrompt,
        seed: int,
        record: Callable[[Turn], None] = nobody,
        name: str = "",
    ) -> None:
        """Start an empty conversation.

        Args:
            backend: who answers first.
            decoding: how; `set_decoding` changes it.
            prompt: system prompt, and how a report and the first message are put together.
            seed: with the places of a conversation, what sampling follows from.
            record: gets each turn as soon as it is over, whatever ended it.
            name: stands in the turns as their session.

        Raises:
            UserError: as `set_decoding` does.
        """
        self._backend = backend
        self._decoding = streamable(decoding)
        self._prompt = replace(prompt)
        self._seed = seed
        self._record = record
        self._name = name
        self._report: str | None = None
        self._conversation = 1
        self._turns: list[Exchange] = []
        self._first_in_view = 0
        """Number of the first turn, from 0, that the model still sees."""
        self._attempts: Counter[int] = Counter()
        """Turn, from 0, to how often it was answered, in this conversation."""
        self._lock = Lock()

    @property
    def backend(self) -> Backend:
        """Who answers."""
        return self._backend

    @property
    def decoding(self) -> Decoding:
        """How replies are drawn."""
        return self._decoding

    @property
    def system(self) -> str:
        """The system prompt."""
        return self._prompt.system

    @property
    def report(self) -> str | None:
        """The report that the conversation is about."""
        return self._report

    @property
    def turns(self) -> list[Exchange]:
        """The conversation as it stands, turns that the model no longer sees among it."""
        return list(self._turns)

    @property
    def used(self) -> int:
        """Tokens of the last turn's prompt and answer; 0 before the first one."""
        return self._turns[-1].tokens if self._turns else 0

    def set_decoding(self, decoding: Decoding) -> None:
        """Draw the next replies another way.

        Raises:
            UserError: it is beam search, which has no answer to show before its end.
        """
        with self._alone():
            self._decoding = streamable(decoding)

    def set_system(self, system: str) -> None:
        """Take another system prompt; turns and report stay."""
        with self._alone():
            self._prompt = replace(self._prompt, system=storable(system))

    def switch(self, backend: Backend) -> None:
        """Let another model go on with the conversation."""
        with self._alone():
            self._backend = backend
            self._first_in_view = 0  # it may have more room

    def reset(self) -> None:
        """Forget all turns of the conversation and keep its report."""
        with self._alone():
            self._forget()

    def open_report(self, report: str | None) -> None:
        """Start a conversation about a report; None: about none."""
        with self._alone():
            self._forget()
            self._report = None if report is None else storable(report)

    def undo(self) -> Exchange:
        """Take the last turn back, and give it; raises UserError where there is none."""
        with self._alone():
            place = self._last()
            gone = self._turns[place]
            self._turns = self._turns[:place]
            self._record(self._turn(UNDONE, place, self._attempts[place], Reply("", UNDONE, 0, 0, 0), "", 0))
            return gone

    def reply(self, message: str, stop: Event, notice: Callable[[str], None] = nobody) -> Generator[str, None, Turn]:
        """Answer a message: yield the answer piece by piece and return the turn.

        Closing the generator stops the answer as `stop` does. What there is of it by then stays in the conversation, unless it is nothing.

        Args:
            message: what the user says.
            stop: ends the answer once it is set.
            notice: gets a line if old turns had to go.

        Raises:
            UserError: the model fails, or has no room for the message beside system prompt and report; the conversation is as before.
        """
        with self._alone():
            return (yield from self._answer(ASKED, len(self._turns), message, stop, notice))

    def retry(self, stop: Event, notice: Callable[[str], None] = nobody) -> Generator[str, None, Turn]:
        """Answer the last message again, from another seed, as `reply` does; raises UserError also where there is none."""
        with self._alone():
            place = self._last()
            if not self._decoding.do_sample:
                notice("decoding.do_sample=false draws the likeliest answer, which is the same each time")
            return (yield from self._answer(RETRIED, place, self._turns[place].user, stop, notice))

    def edit(
        self, message: str, stop: Event, notice: Callable[[str], None] = nobody, turn: int | None = None
    ) -> Generator[str, None, Turn]:
        """Replace the message of a turn (from 1; None: the last one), forget what followed, and answer as `reply` does.

        Raises:
            UserError: there is no such turn, or as `reply` does.
        """
        with self._alone():
            place = self._last() if turn is None else turn - 1
            if not 0 <= place < len(self._turns):
                raise UserError(f"there is no turn {turn}; the conversation has {len(self._turns)}")
            return (yield from self._answer(EDITED, place, message, stop, notice))

    def messages(self, history: Sequence[Exchange], message: str) -> list[Message]:
        """Chat messages of a conversation; the report stands in the first question that is left."""
        first = history[0].user if history else message
        if self._report is not None:
            opening = chat_messages(self._prompt, self._report, first)
        else:
            system = self._prompt.system.strip()
            opening = [{"role": "system", "content": system}] if system else []
            opening.append({"role": "user", "content": first})
        later: list[Message] = []
        for exchange in history:
            later += [{"role": "user", "content": exchange.user}, {"role": "assistant", "content": exchange.assistant}]
        later.append({"role": "user", "content": message})
        return opening + later[1:]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # Not a wait: whoever gives the reply may be the same thread.
        if not self._lock.acquire(blocking=False):
            raise UserError("an answer is being given; stop it first, or wait for its end")
        try:
            yield
        finally:
            self._lock.release()

    def _last(self) -> int:
        if not self._turns:
            raise UserError("nothing has been said yet in this conversation")
        return len(self._turns) - 1

    def _forget(self) -> None:
        if self._attempts:
            self._conversation += 1
        self._turns, self._first_in_view, self._attempts = [], 0, Counter()

    def _answer(self, event: str, place: int, message: str, stop: Event, notice: Callable[[str], None]) -> Generator[str, None, Turn]:
        message = storable(message)
        earlier = self._turns[:place]
        # Where no earlier turn is in view, all of them get their chance again.
        first = self._fit(earlier, self._first_in_view if place > self._first_in_view else 0, message)
        dropped = first - self._first_in_view
        attempt = self._attempts[place] + 1
        asked = self.messages(earlier[first:], message)

        def begin() -> None:
            # Not before: if the model refuses the prompt, nothing has been dropped.
            if dropped > 0 and not watch.pieces:
                what = "system prompt and report are kept" if self._report is not None else "the system prompt is kept"
                notice(f"the {dropped} oldest turn{'s' if dropped > 1 else ''} no longer fit{'s' if dropped == 1 else ''}; {what}")

        def keep(reply: Reply) -> Turn:
            self._attempts[place] = attempt
            if reply.text or reply.finish_reason != INTERRUPTED:
                exchange = Exchange(message, storable(reply.text), reply.prompt_tokens + reply.new_tokens)
                self._turns, self._first_in_view = [*earlier, exchange], first
            turn = self._turn(event, place, attempt, reply, message, place - first, watch)
            self._record(turn)
            return turn

        watch = Stopwatch()
        stream = self._backend.stream(asked, self._decoding, self._seed_of(place, attempt), stop)
        try:
            while True:
                piece = next(stream)
                begin()
                watch.note(piece)
                yield storable(piece)
        except StopIteration as end:
            begin()
            return keep(end.value)
        except GeneratorExit:
            stop.set()
            keep(drained(stream, watch))
            raise
        except KeyboardInterrupt:
            # It broke the backend off: nobody has counted.
            keep(Reply(watch.text, INTERRUPTED, self._backend.count(asked), 0, len(watch.pieces)))
            raise

    def _fit(self, earlier: Sequence[Exchange], first: int, message: str) -> int:
        """Number of the first of the earlier turns, from 0, that can stay."""
        window = self._backend.window
        if window is None:
            return first

        def count(first: int) -> int:
            return self._backend.count(self.messages(earlier[first:], message))

        # Leave room for an answer, but no more than half of the window.
        budget = max(window - self._decoding.max_new_tokens, window // 2)
        tokens = count(first)
        if tokens > budget:
            pinned = count(len(earlier))
            goal = pinned + KEPT_SHARE * max(0, budget - pinned)
            while first < len(earlier) and tokens > goal:
                first += 1
                tokens = count(first)
        return first

    def _seed_of(self, place: int, attempt: int) -> int:
        return derived_seed(self._seed, self._conversation, place + 1, attempt)

    def _turn(self, event: str, place: int, attempt: int, reply: Reply, message: str, in_view: int, watch: Stopwatch | None = None) -> Turn:
        return Turn(
            session=self._name,
            conversation=self._conversation,
            turn=place + 1,
            attempt=attempt,
            event=event,
            user=message,
            assistant=storable(reply.text),
            finish_reason=reply.finish_reason,
            report_sha256=None if self._report is None else digest(self._report),
            system_sha256=digest(self._prompt.system.strip()),
            model=self._backend.name,
            decoding=asdict(self._decoding),
            seed=self._seed_of(place, attempt),
            turns_in_view=in_view,
            prompt_tokens=reply.prompt_tokens,
            cached_tokens=reply.cached_tokens,
            new_tokens=reply.new_tokens,
            seconds_to_first_token=watch.to_first if watch else None,
            tokens_per_second=watch.rate(reply.new_tokens) if watch else None,
        )


def streamable(decoding: Decoding) -> Decoding:
    """The decoding; raises UserError if it is beam search."""
    if decoding.num_beams > 1:
        raise UserError(f"decoding.num_beams={decoding.num_beams} cannot be shown word by word; chat with decoding.num_beams=1")
    return replace(decoding)


def storable(text: str) -> str:
    """A text without what UTF-8 cannot hold, such as half a surrogate pair of broken input."""
    return text.encode("utf-8", "replace").decode("utf-8")


def digest(text: str) -> str:
    """SHA-256 of a text in UTF-8, in hexadecimal."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
