"""Send one row's request until it has an outcome: paced, retried, journaled, and given up where nothing gets through."""

import asyncio
import random
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from radgpt.config import Teacher
from radgpt.errors import UserError
from radgpt.governance.endpoints import Endpoint
from radgpt.teacher.ask import Reply, Request
from radgpt.teacher.client import Failure, Wait, characters, read_completion, read_error
from radgpt.teacher.journal import Journal
from radgpt.teacher.pacing import Pacer, TokenEstimate

if TYPE_CHECKING:
    from openai import AsyncOpenAI

EMPTY_RETRIES = 2
FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 30.0
"""Seconds; the bound doubles with each failure, the wait is drawn evenly below it (Brooker, «Exponential backoff and jitter», 2015)."""


class Sender:
    """Sends requests of one teacher from one event loop."""

    def __init__(self, client: "AsyncOpenAI", teacher: Teacher, endpoint: Endpoint, journal: Journal, seed: int, patience: float) -> None:
        self.pacer = Pacer(teacher.max_requests_per_minute, teacher.max_tokens_per_minute, random.Random(seed))
        self._client = client
        self._teacher = teacher
        self._endpoint = endpoint
        self._journal = journal
        self._jitter = random.Random(seed + 1)
        self._estimate = TokenEstimate()
        self._slots = asyncio.Semaphore(teacher.max_in_flight)
        self._patience = patience
        self._rows = 0
        self._accepted = 0
        self._accepted_at = time.monotonic()

    async def answer(self, key: str, body: dict[str, Any], request: Request) -> Reply:
        """The outcome of one request; final ones are in the journal when this returns.

        Raises:
            UserError: the endpoint refuses what any request would send, or lets nothing through.
        """
        if not self._rows:
            self._accepted_at = time.monotonic()  # the clock stands still while nobody asks
        self._rows += 1
        try:
            failures = empties = 0
            while True:
                async with self._slots:
                    result = await self._attempt(body, request)
                if isinstance(result, Reply):
                    if result.outcome == "empty" and empties < EMPTY_RETRIES:
                        empties += 1
                        continue
                    result = replace(result, attestation_sha256=self._endpoint.attestation_sha256)
                    self._journal.put(key, {"generation_id": request.generation_id, "kind": request.kind, **asdict(result)})
                    return result
                self._refuse_to_wait_longer(result)
                if isinstance(result, Failure):
                    failures += 1
                    if failures >= self._teacher.max_attempts:
                        # Replies of an earlier run prove the address right, so this row alone is odd; they don't prove that a server runs.
                        if result.advice and not self._accepted and (result.unsent or not len(self._journal)):
                            raise UserError(result.advice)
                        if not result.unsent:
                            return Reply(
                                f"failed: {result.reason}", "", self._teacher.model, attestation_sha256=self._endpoint.attestation_sha256
                            )
                    bound = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(failures - 1, 10))
                    await asyncio.sleep(self._jitter.uniform(0, bound))
        finally:
            self._rows -= 1

    async def _attempt(self, body: dict[str, Any], request: Request) -> Reply | Wait | Failure:
        """Send once, in turn, and tell the pacer how it went."""
        size = characters(request)
        estimate = self._estimate.tokens(size)
        admitted_at = await self.pacer.admit(estimate + self._teacher.max_tokens)
        result: Reply | Wait | Failure
        try:
            # The client's own timeout is for silence; a server that trickles must end too.
            async with asyncio.timeout(self._teacher.timeout):
                completion = await self._client.chat.completions.create(**body)
            result = read_completion(completion, self._teacher, self._endpoint)
        except Exception as error:
            result = read_error(error, self._teacher, self._endpoint)
        if isinstance(result, Wait):
            self.pacer.limited(admitted_at, result.seconds)
        elif isinstance(result, Reply):
            self._accepted += 1
            self._accepted_at = time.monotonic()
            self.pacer.accepted()
            if result.prompt_tokens:
                # Only the prompt's part: endpoints charge the longest reply that was allowed, not the one that came.
                self.pacer.correct(result.prompt_tokens - estimate)
                self._estimate.learn(size, result.prompt_tokens)
        return result

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
