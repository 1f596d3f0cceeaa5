"""Ask a teacher for many rows, conversations among them, and keep each reply with what it was asked for."""

from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from radgpt.errors import UserError
from radgpt.records import Generation, Report, canonical_digest
from radgpt.teacher.ask import Ask, Reply, Request

EARLIER_TURN = "dropped: earlier_turn"
"""The outcome of a turn that was not asked, as the one before has no usable answer."""

FROM_REPORT = "report"
"""The teacher of rows that the report itself gives."""

READY_AT_ONCE = 1024
"""Rows without a question to the teacher that are taken in before those that are ready are handed on."""

Dialogue = Generator[Request, Generation, list[Generation]]
"""Yields what the teacher is asked, one request after the other, is sent the row of each reply, and returns all its rows in order.

One that returns at once, without a request, costs the teacher nothing.
"""


def conduct(ask: Ask, dialogues: Iterable[Dialogue]) -> Iterator[list[Generation]]:
    """Yield the rows of each dialogue, in the order of the dialogues.

    The next request of a dialogue is handed to the teacher as soon as the reply to the one before is there, ahead of new dialogues: so
    the teacher is kept busy, and no more dialogues are open than it takes requests in ahead, times the turns of a dialogue.
    """
    source = iter(dialogues)
    started: deque[_Started] = deque()
    due: deque[_Started] = deque()
    asked: deque[tuple[_Started, Request]] = deque()
    exhausted = False

    def requests() -> Iterator[Request]:
        nonlocal exhausted
        ready = 0
        while ready < READY_AT_ONCE:
            if due:
                one = due.popleft()
            elif (dialogue := next(source, None)) is not None:
                one = _Started(dialogue)
                started.append(one)
            else:
                exhausted = True
                return
            request = one.request
            if request is None:
                ready += 1
                continue
            ready = 0
            asked.append((one, request))
            yield request

    while not exhausted or due:
        coming = requests()
        first = next(coming, None)
        for reply in ask(chain([first], coming)) if first is not None else ():
            one, request = asked.popleft()
            one.receive(generation_of(request, reply))
            if one.request is not None:
                due.append(one)
            while started and started[0].request is None:
                yield started.popleft().rows
        while started and started[0].request is None:
            yield started.popleft().rows


@dataclass
class _Started:
    """A dialogue under way."""

    dialogue: Dialogue
    request: Request | None = None
    """What it asks now; None once it is over."""
    rows: list[Generation] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._go_on(None)

    def receive(self, row: Generation) -> None:
        """Hand it the reply to what it asks."""
        self._go_on(row)

    def _go_on(self, row: Generation | None) -> None:
        try:
            self.request = next(self.dialogue) if row is None else self.dialogue.send(row)
        except StopIteration as end:
            self.request, self.rows = None, end.value


def single(request: Request) -> Dialogue:
    """A dialogue of one request."""
    row = yield request
    return [row]


def ready(row: Generation) -> Dialogue:
    """A dialogue of a row that is there already."""
    return [row]
    yield  # makes it a generator


def generation_of(request: Request, reply: Reply) -> Generation:
    """A reply as a row."""
    assert request.report is not None  # instructions and answers are about one
    return Generation(
        generation_id=request.generation_id,
        report_id=request.report.report_id,
        patient_id=request.report.patient_id,
        task=request.task,
        outcome=reply.outcome,
        text=reply.text,
        prompt_sha256=canonical_digest(request.messages),
        prompt_version=request.prompt_version,
        teacher=reply.model,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        usd=reply.usd,
        attestation_sha256=reply.attestation_sha256,
    )


def unasked(generation_id: str, report: Report, task: str, prompt_version: str, *, outcome: str, text: str = "") -> Generation:
    """A row that no teacher was asked for: what the report gives, or a turn that could not be asked."""
    return Generation(
        generation_id=generation_id,
        report_id=report.report_id,
        patient_id=report.patient_id,
        task=task,
        outcome=outcome,
        text=text,
        prompt_sha256=canonical_digest([]),
        prompt_version=prompt_version,
        teacher=FROM_REPORT if outcome == "ok" else "",
    )


class Bill:
    """What a teacher was asked, what came of it, and what that took."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter(asked=0, ok=0, prompt_tokens=0, completion_tokens=0)
        self._usd = 0.0
        self._last_failure = ""

    def add(self, generation: Generation) -> None:
        """Count one row."""
        if generation.teacher == FROM_REPORT:
            self._counts["from_report"] += 1
        elif generation.outcome != EARLIER_TURN:
            self._counts["asked"] += 1
        self._counts[counter(generation)] += 1
        if why(generation) == "failed":
            self._last_failure = generation.outcome
        self._counts["prompt_tokens"] += generation.prompt_tokens
        self._counts["completion_tokens"] += generation.completion_tokens
        self._usd += generation.usd

    def refuse_utter_failure(self) -> None:
        """Raise UserError if the teacher was asked, and each row failed: the stages that follow would go on with nothing."""
        if self._counts["failed"] and self._counts["failed"] == self._counts["asked"]:
            raise UserError(
                f"the teacher answered none of {self._counts['failed']} rows ({self._last_failure}): check the server, teacher.base_url "
                "and teacher.timeout, then give the same command again"
            )

    def metrics(self) -> dict[str, int | float]:
        """Rows that the teacher was asked for, and that the report gave; usable rows, rows of each other outcome; tokens, US dollars."""
        return {**self._counts, "usd": round(self._usd, 6)}


def why(generation: Generation) -> str:
    """The outcome as a short name: `failed: timed out` is `failed`, `dropped: length` is `length`."""
    kind, _, reason = generation.outcome.partition(": ")
    return reason if kind == "dropped" else kind


def counter(generation: Generation) -> str:
    """The name that an outcome is counted under: `ok`, `failed`, `dropped_length`."""
    return generation.outcome.replace(": ", "_") if generation.outcome.startswith("dropped") else why(generation)
