"""A model behind an OpenAI-compatible endpoint, as a backend."""

import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event

from radgpt.config import Decoding, Governance, Provider
from radgpt.errors import UserError
from radgpt.governance.endpoints import endpoint_of
from radgpt.inference.backend import LENGTH, OVERLONG, STOP, Answer, Message, NamedModel, Question, Reply
from radgpt.inference.endpoint.asker import Asker, asker_of, named, own_fields, unsaid
from radgpt.inference.endpoint.endpoint_loop import EndpointLoop
from radgpt.inference.endpoint.served_window import served_window
from radgpt.inference.endpoint.streams import Streams
from radgpt.teacher import ask
from radgpt.teacher.ask import QUESTION, Request, key_of, open_teacher
from radgpt.teacher.completions import request_body
from radgpt.teacher.estimates import estimate_for
from radgpt.teacher.journal import EarlierJournal
from radgpt.teacher.row_keys import keyed_body
from radgpt.teacher.transports import LostError

log = logging.getLogger(__name__)

FAILED = "failed"
"""How an answer ended that did not come."""

ABOVE, ABOVE_LEARNED = 1.3, 1.1
"""What an estimate of tokens is multiplied by to be rather too high: before the endpoint has counted a prompt, and after."""

MESSAGE_TOKENS, TEMPLATE_TOKENS = 8, 32
"""Tokens that a chat template is taken to put around each message, and before all of them: some have a system prompt of their own."""


class RemoteBackend:
    """See `Backend`. Nothing is sent before it is asked something."""

    def __init__(
        self,
        named_model: NamedModel,
        governance: Governance | None,
        attestation: str | None = None,
        *,
        earlier: Sequence[Path] = (),
        dry_run: bool = False,
    ) -> None:
        """
        Args:
            governance: the class of what will be sent; None is taken for the strictest.
            attestation: `governance.attestation`.
            earlier: folders of other runs, in whose journals of the same name answers to the same questions are looked for.
            dry_run: `answer` counts what would be asked, sends nothing, and ends in DryRunEnd.

        Raises:
            UserError: such data may not go to this endpoint, or the key is missing.
        """
        self._name = named_model.name
        self._backend = named_model.backend
        self._governance = governance or Governance.credentialed
        self._attestation = attestation
        self._earlier = earlier
        self._dry_run = dry_run
        with named():
            self._endpoint = endpoint_of(self._backend, self._governance, attestation)
            self._key = "" if dry_run else key_of(self._backend)
        self._estimate = estimate_for(self._backend)
        self._lock = threading.Lock()
        self._loop: EndpointLoop | None = None
        self._streams: Streams | None = None
        self._window: int | None = None
        self._window_told = False
        self._warned: set[str] = set()

    @property
    def name(self) -> str:
        """See `Backend`."""
        return self._name

    @property
    def window(self) -> int | None:
        """See `Backend`; a server of the user's own is asked for it, until it has answered."""
        if not self._window_told and self._backend.provider is Provider.local and not self._dry_run:
            with suppress(LostError):
                self._window = served_window(self._connected(), self._backend.model)
                self._window_told = True
        return self._window

    def count(self, messages: list[Message]) -> int:
        """See `Backend`."""
        above = ABOVE_LEARNED if self._estimate.learned else ABOVE
        text = above * self._estimate.tokens(self._estimate.size(messages))
        return math.ceil(text) + MESSAGE_TOKENS * len(messages) + TEMPLATE_TOKENS

    def stream(self, messages: list[Message], decoding: Decoding, seed: int, stop: Event) -> Generator[str, None, Reply]:
        """See `Backend`."""
        with named():
            asker = self._asker(decoding)
            request = Request("", QUESTION, "", messages, fields=own_fields(self._backend, decoding))
            reply = yield from self._opened().stream(asker, request_body(asker, request, seed), stop)
        self._expect(reply.new_tokens, decoding)
        return reply

    def answer(
        self, questions: Iterable[Question], decoding: Decoding, seed: int, journal: Path, told: Callable[[Answer], None]
    ) -> Iterator[Answer]:
        """See `Backend`. An answer may also end in `content_filter`, `refusal`, `empty`, `invalid` or `failed`, then without a text; one
        that failed is not kept, so that a rerun asks again.

        Raises:
            UserError: moreover, not one question was answered.
            DryRunEnd: a dry run has counted all.
        """
        earlier = [file for folder in self._earlier if (file := folder / journal.name).is_file()]
        fresh: deque[bool] = deque()
        failure, usable, tokens, usd = "", False, 0, 0.0
        with ExitStack() as stack:
            stack.enter_context(named())
            asker, fields = self._asker(decoding), own_fields(self._backend, decoding)
            known = [stack.enter_context(closing(EarlierJournal(file))) for file in (journal, *earlier) if file.is_file()]

            def requests() -> Iterator[Request]:
                for question in questions:
                    request = Request(question.id, QUESTION, "", question.messages, fields=fields)
                    key, _ = keyed_body(asker, request, seed)
                    fresh.append(not any(rows.get(key) for rows in known))
                    yield request

            asking = stack.enter_context(
                open_teacher(
                    asker,
                    self._governance,
                    seed,
                    journal,
                    earlier=earlier,
                    attestation=self._attestation,
                    dry_run=self._dry_run,
                    shown=False,
                )
            )
            for reply in asking(requests()):
                answer = answer_of(reply)
                tokens, usd = tokens + reply.prompt_tokens + reply.completion_tokens, usd + reply.usd
                if answer.finish_reason == FAILED:
                    failure = reply.outcome
                else:
                    usable = True
                if fresh.popleft():
                    if reply.attempts == 1:
                        self._expect(answer.new_tokens, decoding)
                    told(answer)
                yield answer
            if usd:
                log.info("%s: these answers took %s tokens and %.4f USD, earlier attempts included", self._name, f"{tokens:,}", usd)
            if failure and not usable and not self._dry_run:
                raise UserError(
                    f"{self._endpoint.url} answered no question ({failure}): check the server, backend.base_url and backend.timeout, then "
                    "give the same command again"
                )

    def close(self) -> None:
        """See `Backend`."""
        with self._lock:
            if self._loop is not None:
                self._loop.close()
            self._loop = self._streams = None

    def _connected(self) -> EndpointLoop:
        with self._lock:
            if self._loop is None:
                self._loop = EndpointLoop(self._backend, self._endpoint, self._key)
            return self._loop

    def _opened(self) -> Streams:
        loop = self._connected()
        with self._lock:
            if self._streams is None:
                self._streams = Streams(self._backend, self._endpoint, loop, self._estimate)
            return self._streams

    def _asker(self, decoding: Decoding) -> Asker:
        """What the endpoint is asked with; says once what of the decoding it cannot be told."""
        if left_out := unsaid(self._backend, decoding):
            self._warn(f"backend={self._backend.provider.value} cannot be told {' and '.join(left_out)}; it answers without")
        return asker_of(self._backend, decoding)

    def _expect(self, new_tokens: int, decoding: Decoding) -> None:
        """Say once that the server does not keep to the length that it is asked for."""
        if new_tokens > decoding.max_new_tokens:
            self._warn(f"{self._endpoint.url} writes more tokens than decoding.max_new_tokens={decoding.max_new_tokens} allows")

    def _warn(self, line: str) -> None:
        if line not in self._warned:
            self._warned.add(line)
            log.warning("%s", line)


def answer_of(reply: ask.Reply) -> Answer:
    """A reply of the endpoint as an answer."""
    answer = Answer(reply.text, STOP, reply.completion_tokens, reply.prompt_tokens)
    kind, _, reason = reply.outcome.partition(": ")
    if kind == "ok":
        return replace(answer, finish_reason=LENGTH) if reply.finish_reason == "length" else answer
    if kind == "failed":
        return replace(answer, finish_reason=FAILED)
    if reason == "length" and reply.finish_reason is None:  # the prompt alone was too long
        return replace(answer, finish_reason=OVERLONG)
    return replace(answer, finish_reason=reason)
