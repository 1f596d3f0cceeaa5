"""Bound how many calls are under way: as many as the rate needs at the latency seen, fewer while the endpoint is overloaded."""

import asyncio
import math
import time
from collections.abc import Callable

FLOOR = 8
"""Calls that may always be under way, as far as the user allows as many: a window of a few stalls where latency jumps up."""

SHRINK = 0.7
"""What an overload leaves of the ceiling, at most once in the time of a call."""


class Window:
    """How many calls may be under way at once.

    Little's law: a rate kept up at some latency needs their product under way. What latency to expect is bounded from its
    smoothed mean and deviation, as TCP bounds its round trips (Jacobson 1988, RFC 6298). A ceiling above that falls by SHRINK when
    the endpoint is overloaded and rises by about one for each ceiling's worth of replies.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.under_way = 0
        self._most = most
        self._floor = min(most, max(FLOOR, most // 4))
        self._ceiling = float(most)
        self._needed = most  # until the first reply tells a latency
        self._latency: float | None = None
        self._deviation = 0.0
        self._clock = clock
        self._shrunk_at = -math.inf
        self._room: asyncio.Future[None] | None = None

    @property
    def size(self) -> int:
        """Calls that may be under way now."""
        return max(self._floor, min(self._most, int(self._ceiling), self._needed))

    async def enter(self) -> None:
        """Wait for room and take it; one caller at a time."""
        while self.under_way >= self.size:
            await self.departure()
        self.under_way += 1

    async def departure(self) -> None:
        """Wait until a call gives its room back; one caller at a time."""
        self._room = asyncio.get_running_loop().create_future()
        await self._room

    def leave(self) -> None:
        """Give the room back."""
        self.under_way -= 1
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def answered(self, latency: float, rate: float) -> None:
        """Tell that a call took so many seconds while so many a second may be begun."""
        if self._latency is None:
            self._latency, self._deviation = latency, latency / 2
        else:
            self._deviation += (abs(latency - self._latency) - self._deviation) / 4
            self._latency += (latency - self._latency) / 8
        self._needed = math.ceil(min(rate * (self._latency + 4 * self._deviation), self._most)) + self._floor
        self._ceiling = min(self._most, self._ceiling + 1 / self._ceiling)

    def overloaded(self) -> None:
        """Tell that the endpoint failed under its load."""
        now = self._clock()
        if now - self._shrunk_at >= (self._latency or 1.0):
            self._shrunk_at = now
            self._ceiling = max(float(self._floor), SHRINK * min(self._ceiling, self.under_way))
