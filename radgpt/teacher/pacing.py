"""Admit requests so that an endpoint's limits on requests and tokens per minute are met and never exceeded."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable

CATCH_UP = 0.2
"""Seconds of unused time that may be made up for at once. Endpoints judge limits over as little as a second, so bursts, not
rates, draw refusals; with much less, an event loop that wakes up late loses throughput."""

LONGEST_HOLD = 60.0
"""Seconds; a longer Retry-After is asked again after this."""

LOWEST_SPEED = 0.2
"""Share of the limits in the configuration below which refusals don't slow us."""

RECOVERY = 0.005
"""Share of the limits that is regained each second, once no request was refused for QUIET seconds."""

QUIET = 10.0
MEMORY = 3.0
"""Seconds of answers that the speed is judged by."""

BENEFIT_OF_DOUBT = 10
"""Accepted requests that are assumed besides those remembered, so that one early refusal says little."""


class Pacer:
    """First come, first served under two limits at once.

    Each limit is a generic cell rate algorithm (ITU-T I.371): the time at which the limit would be used up exactly is kept,
    and moves on with each admission. The two admit jointly, so neither is charged for a request that the other holds back.
    """

    def __init__(
        self, requests_per_minute: float, tokens_per_minute: float, jitter: random.Random, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.speed = 1.0
        """Share of the limits that is used: 1 until the endpoint says that it allows less."""
        self.refused = 0
        """Requests that the endpoint refused for coming too fast."""
        self._seconds_per_request = 60 / requests_per_minute
        self._seconds_per_token = 60 / tokens_per_minute
        self._jitter = jitter
        self._clock = clock
        self._queue = asyncio.Lock()  # wakes its waiters in order
        self._requests_used_up = self._tokens_used_up = self._held_until = self._slowed_at = clock()
        self._regained_at = self._slowed_at
        self._refusals_in_a_row = 0
        self._answers: deque[tuple[float, bool]] = deque()

    async def admit(self, tokens: float) -> float:
        """Wait for the turn of a request of so many tokens; returns the moment it was let through."""
        async with self._queue:
            while (wait := self.wait()) > 0:
                await asyncio.sleep(wait)
            return self.take(tokens)

    def wait(self) -> float:
        """Seconds until the next request may go; 0 or less for now."""
        return max(self._held_until, self._requests_used_up - CATCH_UP, self._tokens_used_up - CATCH_UP) - self._clock()

    def take(self, tokens: float) -> float:
        """Charge one request; returns the moment of it."""
        now = self._clock()
        self._requests_used_up = max(self._requests_used_up, now) + self._seconds_per_request / self.speed
        self._tokens_used_up = max(self._tokens_used_up, now) + tokens * self._seconds_per_token / self.speed
        return now

    def correct(self, tokens: float) -> None:
        """Charge tokens that a request took beyond its estimate (negative: give them back)."""
        self._tokens_used_up += tokens * self._seconds_per_token / self.speed

    def accepted(self) -> None:
        """Tell that a request was let in."""
        now = self._remember(True)
        self._refusals_in_a_row = 0
        if self.speed < 1 and now > self._slowed_at + QUIET:
            self.speed = min(1.0, self.speed + RECOVERY * (now - max(self._regained_at, self._slowed_at + QUIET)))
        self._regained_at = now

    def limited(self, admitted_at: float, retry_after: float | None) -> None:
        """Tell that a request was refused for coming too fast: hold all, for `retry_after` seconds or a growing while."""
        now = self._remember(False)
        self.refused += 1
        if admitted_at >= self._slowed_at:  # not one of those that were under way when we slowed down last
            accepted = sum(good for _, good in self._answers)
            share = (accepted + BENEFIT_OF_DOUBT) / (len(self._answers) + BENEFIT_OF_DOUBT)
            self.speed = max(LOWEST_SPEED, self.speed * share)
            self._slowed_at = now
            self._refusals_in_a_row += 1
        seconds = 0.5 * 2 ** min(self._refusals_in_a_row, 10) if retry_after is None else retry_after
        seconds = min(seconds, LONGEST_HOLD)
        self._held_until = max(self._held_until, now + seconds + self._jitter.uniform(0, 0.05 + 0.1 * seconds))

    def _remember(self, good: bool) -> float:
        now = self._clock()
        self._answers.append((now, good))
        while self._answers[0][0] < now - MEMORY:
            self._answers.popleft()
        return now


class TokenEstimate:
    """Tokens of a prompt from its characters: four to a token at first, then as the endpoint counts them."""

    def __init__(self) -> None:
        self.tokens_per_character = 0.25

    def tokens(self, characters: int) -> float:
        """The estimate for a prompt of so many characters."""
        return characters * self.tokens_per_character

    def learn(self, characters: int, tokens: int) -> None:
        """Take in what a prompt really held, by a running mean over about twenty prompts."""
        self.tokens_per_character += 0.05 * (tokens / max(characters, 1) - self.tokens_per_character)
