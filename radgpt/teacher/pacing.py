"""Admit requests so that an endpoint's limits on requests and tokens per minute are met and never exceeded."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from radgpt.teacher.limits import Limit

CATCH_UP = 0.2
"""Seconds of unused time that may be made up for at once. Endpoints judge limits over as little as a second, so bursts, not
rates, draw refusals; with much less, an event loop that wakes up late loses throughput."""

LONGEST_HOLD = 60.0
"""Seconds; a longer Retry-After is asked again after this."""

FIRST_HOLD = 1.0
"""Seconds to wait after a refusal that does not say how long; doubled with each that follows without a request let in."""

LOWEST_HEADER = 0.2
"""Share of the user's limit below which a header's limit is not believed: some count by the second, or by ten."""

LOWEST_SPEED = 0.05
"""Share of the limits below which refusals don't slow us."""

UNEXPLAINED = 0.1
"""Share of requests refused at a speed that was let in before, above which the endpoint is taken to allow less than it did. Fewer are
what a busy endpoint refuses whatever our speed, and slowing down for each of those would come near to a standstill."""

TOLERATED = 0.02
"""Share of the last hundred or so requests that may be refused at a speed above the measured one: that much comes by chance."""

JUDGED_OVER = 1.0
"""Seconds of which a measurement says something."""

EPISODES = 10
"""Times that requests were refused at one speed before their share says something."""

FADING = 1 / 7200
"""What a measured rate loses each second in favour of a lower one."""

ASSUMED_BURST = 1.0
"""Seconds' worth of requests that an endpoint is taken to let in at once, until two refusals have shown its true rate."""

MARGIN = 0.985
"""Share of a measured rate that is used."""

STEEPEST = 0.5
GENTLEST = 0.97
"""Bounds of what one refusal may leave of the speed: a measurement can be off, and a refusal says at least that we are too fast."""

RECOVERY = 0.005
"""Share of the speed that is gained each second, once no request was refused for a while: endpoints' limits change."""

QUIET = 10.0
LONGEST_QUIET = 80.0
"""Seconds without a refusal before speed is gained; doubled each time that the measured rate comes out as before."""

ALIKE = 0.05
"""Relative difference up to which two measured rates are the same."""


@dataclass(frozen=True, slots=True)
class Admission:
    """One request as it was let through."""

    moment: float
    work: float
    """Seconds that all requests before it would take at the limits."""
    cost: float
    """Seconds that it takes itself."""
    tokens: float


class Pacer:
    """First come, first served under two limits at once.

    Each limit is a generic cell rate algorithm (ITU-T I.371): the time at which the limit would be used up exactly is kept,
    and moves on with each admission. The two admit jointly, so neither is charged for a request that the other holds back.

    Where the endpoint allows less than we were told, its headers say so; or else refusals do. A refusal means that the endpoint's
    bucket is empty at that moment, so what it let in between two refusals, divided by the time between them, is its rate, whatever
    burst it grants: the speed is set to that. Refusals below a rate that was measured slow nothing down unless they are many.
    How long to hold after a refusal is kept apart from all this.
    """

    def __init__(
        self, requests_per_minute: float, tokens_per_minute: float, jitter: random.Random, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.speed = 1.0
        """Share of the limits that is used: 1 until refusals say that the endpoint allows less."""
        self.refused = 0
        """Requests that the endpoint refused for coming too fast."""
        self._told = self._per_second = (requests_per_minute / 60, tokens_per_minute / 60)
        self._jitter = jitter
        self._clock = clock
        now = clock()
        self._requests_used_up = self._tokens_used_up = self._held_until = self._slowed_at = self._regained_at = now
        self._refused_at = now
        self._refused_lately = 0.0  # share of the last hundred or so requests
        self._holds_in_a_row = self._episodes = 0
        self._work = self._refused_work = 0.0
        self._work_at_cut = self._refused_work_at_cut = 0.0
        self._emptied: tuple[float, float] | None = None  # moment of the last episode's first refusal, and the work let in before it
        self._begun_at = now
        self._quiet = QUIET
        self._measured: float | None = None

    def wait(self) -> float:
        """Seconds until the next request may go; 0 or less for now."""
        return max(self._held_until, self._requests_used_up - CATCH_UP, self._tokens_used_up - CATCH_UP) - self._clock()

    def take(self, tokens: float) -> Admission:
        """Charge one request of so many tokens."""
        now = self._clock()
        if not self._work:
            self._begun_at = now
        requests, per_token = self._per_second[0] * self.speed, self._per_second[1] * self.speed
        self._requests_used_up = max(self._requests_used_up, now) + 1 / requests
        self._tokens_used_up = max(self._tokens_used_up, now) + tokens / per_token
        cost = max(1 / self._told[0], tokens / self._told[1])
        admission = Admission(now, self._work, cost, tokens)
        self._work += cost
        return admission

    def correct(self, tokens: float) -> None:
        """Charge tokens that a request took beyond its estimate (negative: give them back)."""
        self._tokens_used_up += tokens / (self._per_second[1] * self.speed)

    def rate(self, tokens: float) -> float:
        """Requests of so many tokens that may go each second."""
        return min(self._per_second[0], self._per_second[1] / max(tokens, 1.0)) * self.speed

    def accepted(self) -> None:
        """Tell that a request was let in."""
        now = self._clock()
        self._holds_in_a_row = 0
        self._refused_lately *= 0.99
        quiet_since = self._slowed_at + self._quiet
        if self.speed < 1 and now > quiet_since:
            self.speed = min(1.0, self.speed * (1 + RECOVERY * (now - max(self._regained_at, quiet_since))))
        self._regained_at = now

    def limited(self, admission: Admission, retry_after: float | None) -> None:
        """Tell that a request was refused for coming too fast: hold all, for `retry_after` seconds or a growing while."""
        now = self._clock()
        self.refused += 1
        self._refused_lately += 0.01 * (1 - self._refused_lately)
        if admission.moment >= self._refused_at:  # not one of those that were under way at the last refusal
            self._refused_at = now
            self._holds_in_a_row += 1
            self._episodes += 1
            unexplained = self._unexplained() > UNEXPLAINED
            too_fast = self._measured is None or (self.speed > self._measured and self._refused_lately > TOLERATED)
            if too_fast or unexplained:
                self._slow_down(admission, now, afresh=unexplained)
        self._refused_work += admission.cost
        seconds = FIRST_HOLD * 2 ** min(self._holds_in_a_row - 1, 10) if retry_after is None else retry_after
        seconds = min(seconds, LONGEST_HOLD)
        self._hold(now + seconds + self._jitter.uniform(0, 0.02 + 0.1 * seconds))

    def heed(self, requests: Limit, tokens: Limit) -> None:
        """Take in an answer's headers: they lower the user's limits, and an empty bucket waits a moment to fill."""
        if requests.per_minute or tokens.per_minute:
            self._per_second = (believed(self._told[0], requests), believed(self._told[1], tokens))
        if requests.remaining == 0 or tokens.remaining == 0:
            resets = [limit.reset for limit in (requests, tokens) if limit.remaining == 0 and limit.reset is not None]
            self._hold(self._clock() + min([CATCH_UP, *resets]))

    def _hold(self, until: float) -> None:
        """Let nothing through until then, and nothing at once of what would have gone meanwhile."""
        if until > self._held_until:
            self._held_until = until
            self._requests_used_up = max(self._requests_used_up, until + CATCH_UP)
            self._tokens_used_up = max(self._tokens_used_up, until + CATCH_UP)

    def _slow_down(self, admission: Admission, now: float, *, afresh: bool) -> None:
        """Measure the endpoint's rate at the first refusal of an episode, and fall to it; `afresh`: what was measured before is void."""
        let_in = admission.work - self._refused_work
        if self._emptied is None:
            rate = let_in / (admission.moment - self._begun_at + ASSUMED_BURST)
            self._emptied = (admission.moment, let_in)
        else:
            moment, before = self._emptied
            seconds = admission.moment - moment
            rate = (let_in - before) / max(seconds, 1e-3)
            if seconds >= JUDGED_OVER:
                # No measurement can be too high, but those are too low whose bucket ran over while we held.
                faded = 0.0 if afresh or self._measured is None else self._measured * (1 - FADING * seconds)
                self._quiet = min(2 * self._quiet, LONGEST_QUIET) if abs(rate - faded) <= ALIKE * faded else QUIET
                self._measured = rate = max(rate, faded)
                self._emptied = (admission.moment, let_in)
        self.speed = max(LOWEST_SPEED, min(GENTLEST * self.speed, max(MARGIN * rate, STEEPEST * self.speed)))
        self._slowed_at = now
        self._episodes = 0
        self._work_at_cut, self._refused_work_at_cut = self._work, self._refused_work

    def _unexplained(self) -> float:
        """Share of what was sent since the speed was last cut that was refused; 0 until there is enough of it to judge."""
        if self._episodes < EPISODES:
            return 0.0
        return (self._refused_work - self._refused_work_at_cut) / max(self._work - self._work_at_cut, 1e-9)


def believed(told: float, limit: Limit) -> float:
    """The limit in force, per second: the header's where it is lower than the user's, and not beyond belief."""
    header = (limit.per_minute or 0.0) / 60
    return header if LOWEST_HEADER * told <= header < told else told


class LastMinute:
    """How much was let in during the last minute, second by second."""

    SECONDS = 60

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun_at: float | None = None
        self._second = 0
        self._requests = [0] * self.SECONDS
        self._tokens = [0.0] * self.SECONDS

    def add(self, tokens: float) -> None:
        """Count a request of so many tokens."""
        self._move_on()
        self._requests[self._second % self.SECONDS] += 1
        self._tokens[self._second % self.SECONDS] += tokens

    def share(self, requests_per_minute: float, tokens_per_minute: float) -> float | None:
        """What was let in as a share of the limit that binds; None in the first second."""
        if self._begun_at is None or (seconds := min(self._move_on() - self._begun_at, self.SECONDS)) < 1:
            return None
        return max(sum(self._requests) / requests_per_minute, sum(self._tokens) / tokens_per_minute) * 60 / seconds

    def _move_on(self) -> float:
        """Clear the seconds that have passed meanwhile; gives the time."""
        now = self._clock()
        if self._begun_at is None:
            self._begun_at = now
            self._second = int(now)
        for second in range(max(self._second, int(now) - self.SECONDS) + 1, int(now) + 1):
            self._requests[second % self.SECONDS], self._tokens[second % self.SECONDS] = 0, 0.0
        self._second = int(now)
        return now
