"""What every model that answers can do, wherever it runs: stream one reply, or answer many questions."""

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Protocol

from radgpt.config import Backend as BackendSettings
from radgpt.config import Decoding, Model

Message = dict[str, str]
"""`{"role": system|user|assistant, "content": …}`."""

STOP, LENGTH, INTERRUPTED, OVERLONG = "stop", "length", "interrupted", "overlong"
"""How a reply ended: the model ended its turn; no room was left; it was stopped; the prompt alone left no room."""


@dataclass(frozen=True)
class NamedModel:
    """One model that may be talked to, with all that it takes to open it."""

    name: str
    """As `models` calls it; `this` is the configuration's own."""
    model: Model
    backend: BackendSettings
    decoding: Decoding
    checkpoint: Path | None
    """What `stage=finetune` left; None for a base as it is published, and for a model behind an endpoint."""


@dataclass(frozen=True)
class Reply:
    """A whole streamed reply."""

    text: str
    """All pieces together."""
    finish_reason: str
    """`stop`, `length` or `interrupted`; from an endpoint also `content_filter`."""
    prompt_tokens: int
    cached_tokens: int
    """Of the prompt: those that had been read before and were not read again."""
    new_tokens: int
    """Tokens generated, the one that ends the turn included."""


@dataclass(frozen=True)
class Question:
    """One prompt of a file."""

    id: str
    messages: list[Message]
    """System (optional), user, assistant, user, …; the last one is the user's."""
    reference: str | None = None
    """The answer that is held for right, to be measured for perplexity."""


@dataclass(frozen=True)
class Answer:
    """What a model made of one question."""

    text: str
    finish_reason: str
    """As in `records.Prediction`."""
    new_tokens: int
    prompt_tokens: int = 0
    reference_nll: float | None = None
    reference_tokens: int = 0


class Backend(Protocol):
    """A model that answers."""

    @property
    def name(self) -> str:
        """As `models` calls it."""

    @property
    def window(self) -> int | None:
        """Tokens that prompt and reply may have together; None where nobody says."""

    def count(self, messages: list[Message]) -> int:
        """Tokens of a prompt; of a model behind an endpoint an estimate that is rather too high."""

    def stream(self, messages: list[Message], decoding: Decoding, seed: int, stop: Event) -> Generator[str, None, Reply]:
        """Yield the reply piece by piece and return it whole: `reply = yield from backend.stream(…)`.

        Once `stop` is set, or the generator is closed, no further token is computed, and the model is free for others. Streams may be
        open in several threads at once; none of them waits for the end of another.

        Raises:
            UserError: the prompt does not fit the model, the device's memory is too small, or the endpoint refuses or is gone.
        """

    def answer(
        self, questions: Iterable[Question], decoding: Decoding, seed: int, journal: Path, told: Callable[[Answer], None]
    ) -> Iterator[Answer]:
        """Yield an answer to each question, in order.

        Every answer is in the file `journal` before it is yielded; what stands there from a killed attempt is not asked again. An answer
        depends on its question, the decoding and the seed alone, not on what it is answered with.

        Args:
            told: called with each answer that was made now, in whatever order they come, for progress.

        Raises:
            UserError: as `stream` does.
        """

    def close(self) -> None:
        """Free the model, or end the connections."""
