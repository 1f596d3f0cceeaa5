"""Send one row's request until it has an outcome: paced, within budget, retried, journaled, and given up where nothing gets through."""

import asyncio
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from radgpt.config import Teacher
from radgpt.errors import UserError
from radgpt.governance.endpoints import Endpoint
from radgpt.teacher.ask import Reply, Request
from radgpt.teacher.budget import Budget, BudgetSpentError, Reservation
from radgpt.teacher.completions import Completion, Failure, Wait, kept, no_server, read_answer, second_chances, with_limit
from radgpt.teacher.estimates import estimate_for
from radgpt.teacher.journal import Journal
from radgpt.teacher.limits import limits_of
from radgpt.teacher.pacing import Admission, LastMinute, Pacer
from radgpt.teacher.transports import LostError, Transport
from radgpt.teacher.window import Window

FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 30.0
"""Seconds; the bound doubles with each failure, the wait is drawn evenly below it (Brooker, «Exponential backoff and jitter», 2015)."""


@dataclass(slots=True)
class Row:
    """One row on its way to an outcome."""

    key: str
    body: dict[str, Any]
    request: Request
    size: float
    """Tokens of its prompt by our own count."""
    max_tokens: int
    """Longest reply that is asked for; doubled once where it was too short."""
    attempts: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    """What all its attempts together took."""
    latency: float = 0.0
    """Seconds of the last one."""
    started: str = ""
    """When the last one was sent, as ISO 8601 in UTC."""


class Sender:
    """Sends requests of one teacher from one event loop."""

    def __init__(
        self,
        transport: Transport,
        teacher: Teacher,
        endpoint: Endpoint,
        journal: Journal,
        budget: Budget,
        seed: int,
        patience: float,
    ) -> None:
        self.pacer = Pacer(teacher.max_requests_per_minute, teacher.max_tokens_per_minute, random.Random(seed))
        self.window = Window(teacher.max_in_flight)
        self.lately = LastMinute()
        self.accepted = 0
        """Requests that were let in and answered."""
        self.under_way: set[asyncio.Task[Any]] = set()
        """The tasks whose request is sent and not answered yet."""
        self.closed: BaseException | None = None
        """Why nothing more is sent, once that is so."""
        self._transport = transport
        self._teacher = teacher
        self._endpoint = endpoint
        self._journal = journal
        self._budget = budget
        self._jitter = random.Random(seed + 1)
        self._estimate = estimate_for(teacher)
        self._turn = asyncio.Lock()  # wakes its waiters in order
        self._patience = patience
        self._rows = 0
        self._proven = False  # somebody was answered as was asked for, so that what fails otherwise is its row's trouble
        self._accepted_at = time.monotonic()

    async def answer(self, key: str, body: dict[str, Any], request: Request) -> Reply:
        """The outcome of one request; final ones are in the journal when this returns.

        Raises:
            UserError: the endpoint refuses what any request would send, or lets nothing through.
            BudgetSpentError: a cap of the budget would be passed.
        """
        if not self._rows:
            self._accepted_at = time.monotonic()  # the clock stands still while nobody asks
        self._rows += 1
        row = Row(key, body, request, self._estimate.size(request.messages), self._teacher.max_tokens)
        chances = second_chances(request.kind)
        try:
            while True:
                result = await self._attempt(row)
                if isinstance(result, Completion):
                    if chances.get(result.outcome) and self._may_try_again(row, result):
                        chances[result.outcome] -= 1
                        continue
                    return self._settled(row, result)
                self._refuse_to_wait_longer(result)
                if self.closed:
                    raise self.closed
                if isinstance(result, Failure):
                    row.failures += 1
                    if row.failures >= self._teacher.max_attempts and not result.unsent:
                        self._refuse_what_never_worked(result)
                        return self._reply(row, f"failed: {result.reason}", "", self._teacher.model)
                    if row.failures >= self._teacher.max_attempts and not self.accepted:
                        raise UserError(no_server(self._endpoint))
                    bound = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(row.failures - 1, 10))
                    await asyncio.sleep(self._jitter.uniform(0, bound))
        finally:
            self._rows -= 1

    async def _attempt(self, row: Row) -> Completion | Wait | Failure:
        """Send once, in turn, and tell pacer, window and budget how it went."""
        estimate = self._estimate.tokens(row.size)
        admission, reserved = await self._admit(estimate, row.max_tokens)
        task = asyncio.current_task()
        assert task is not None
        self.under_way.add(task)
        settled = False
        result: Completion | Wait | Failure
        try:
            row.started = datetime.now(UTC).isoformat(timespec="milliseconds")
            begun = time.monotonic()
            try:
                async with asyncio.timeout(self._teacher.timeout):
                    answer = await self._transport.send(row.body)
            except TimeoutError:
                result = Failure("timeout")
            except LostError as error:
                result = Failure(error.reason, unsent=error.unsent)
            else:
                self.pacer.heed(*limits_of(answer.headers))
                result = read_answer(answer, self._teacher, self._endpoint, proven=self._proven, sent=row.body)
            row.latency = time.monotonic() - begun
            if isinstance(result, Completion):
                self._take_in(row, result, admission, estimate)
                known = result.prompt_tokens > 0  # some servers tell no usage
                taken = (result.prompt_tokens, result.completion_tokens) if known else (round(estimate), len(result.text) // 4)
                row.usd += self._budget.settle(reserved, *taken)
                settled = True
            elif isinstance(result, Wait):
                self.pacer.limited(admission, result.seconds)
            else:
                row.attempts += not result.unsent
                self.window.overloaded()
                if result.reason == "timeout":
                    # Nobody says what the endpoint charges for what it went on to write, so a cap that is meant counts all of it.
                    self._budget.settle(reserved, round(estimate), row.max_tokens)
                    settled = True
        finally:
            if not settled:
                self._budget.release(reserved)
            self.under_way.discard(task)
            self.window.leave()
        return result

    async def _admit(self, prompt_tokens: float, max_tokens: int) -> tuple[Admission, Reservation]:
        """Wait for a turn, for room, for the pace and for the budget, in this order."""
        async with self._turn:
            await self.window.enter()
            try:
                while (wait := self.pacer.wait()) > 0:
                    await asyncio.sleep(wait)
                reserved = await self._reserve(prompt_tokens, max_tokens)
                if self.closed:
                    self._budget.release(reserved)
                    raise self.closed
            except BaseException:
                self.window.leave()
                raise
            return self.pacer.take(prompt_tokens + max_tokens), reserved

    async def _reserve(self, prompt_tokens: float, max_tokens: int) -> Reservation:
        """Set aside what a request may take, once those under way left enough of it: most take less than was set aside for them."""
        while True:
            try:
                return self._budget.reserve(prompt_tokens, max_tokens)
            except BudgetSpentError as spent:
                if not self.under_way:
                    self.closed = self.closed or spent
                    raise
                await self.window.departure()

    def _take_in(self, row: Row, completion: Completion, admission: Admission, estimate: float) -> None:
        """Count what an answered request took."""
        self.accepted += 1
        self._proven = self._proven or completion.outcome != "invalid"
        self._accepted_at = time.monotonic()
        row.attempts += 1
        row.prompt_tokens += completion.prompt_tokens
        row.completion_tokens += completion.completion_tokens
        self.pacer.accepted()
        self.lately.add(admission.tokens)
        self.window.answered(row.latency, self.pacer.rate(admission.tokens))
        if completion.prompt_tokens:
            # Only the prompt's part: endpoints charge the longest reply that was allowed, not the one that came.
            self.pacer.correct(completion.prompt_tokens - estimate)
            self._estimate.learn(row.size, completion.prompt_tokens)

    def _may_try_again(self, row: Row, completion: Completion) -> bool:
        """Whether to ask once more; makes room for a longer reply where it was cut, unless the limits don't allow one."""
        if completion.outcome != "length":
            return True
        doubled = 2 * row.max_tokens
        if completion.finish_reason is None or self._estimate.tokens(row.size) + doubled > self._teacher.max_tokens_per_minute:
            return False  # the prompt itself was too long, or the reply would be
        row.max_tokens = doubled
        row.body = with_limit(row.body, self._teacher, doubled)
        return True

    def _settled(self, row: Row, completion: Completion) -> Reply:
        """The reply of a row that got an answer, kept."""
        if completion.outcome == "invalid" and not self._proven:  # more likely the address is wrong than each of its rows
            return self._reply(row, "failed: no usable completion", "", self._teacher.model)
        reply = self._reply(row, *kept(completion, row.request.kind), completion.model or self._teacher.model, completion)
        self._journal.put(row.key, {**row.request.origin, "started": row.started, **vars(reply)})
        return reply

    def _reply(self, row: Row, outcome: str, text: str, model: str, completion: Completion | None = None) -> Reply:
        return Reply(
            outcome,
            text,
            model,
            prompt_tokens=row.prompt_tokens,
            completion_tokens=row.completion_tokens,
            usd=row.usd,
            request_id=completion.request_id if completion else None,
            system_fingerprint=completion.system_fingerprint if completion else None,
            attempts=row.attempts,
            latency=round(row.latency, 4),
            attestation_sha256=self._endpoint.attestation_sha256,
            finish_reason=completion.finish_reason if completion else None,
        )

    def _refuse_what_never_worked(self, failure: Failure) -> None:
        """Stop the run where no request ever was answered well: replies of an earlier run prove the address right, and a row odd."""
        if failure.advice and not self.accepted and not len(self._journal):
            raise UserError(failure.advice)

    def _refuse_to_wait_longer(self, result: Wait | Failure) -> None:
        """Stop the run if nothing was accepted for too long."""
        silence = time.monotonic() - self._accepted_at
        cause = "too many requests" if isinstance(result, Wait) else result.reason
        # One timeout longer than our patience says only that a reply was slow; a second one says that none comes.
        if silence > (max(self._patience, 2 * self._teacher.timeout) if cause == "timeout" else self._patience):
            raise UserError(
                f"{self._endpoint.url} accepted nothing for {silence:.0f} seconds (last answer: {cause}): check the server, "
                "teacher.base_url, teacher.timeout and teacher.max_requests_per_minute; then run again, replies so far are kept"
            )
