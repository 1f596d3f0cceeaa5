"""Show how asking a teacher, a judge or a backend goes on: a bar where someone watches, a line a minute in logs, curves in W&B."""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Never, Self

from tqdm import tqdm

from radgpt.teacher.budget import Budget

if TYPE_CHECKING:
    from radgpt.teacher.session import Figures

LINE_EVERY = 60.0
"""Seconds between two lines where nobody watches."""
CURVES_EVERY = 10.0
"""Seconds between two points of the curves."""
BAR_EVERY = 0.5
"""Seconds between two refreshments of the bar, which goes on while no reply comes."""
MEMORY = 60.0
"""Seconds that the rate is judged by."""

Log = Callable[[Mapping[str, float]], None]
"""Takes one point of all curves, `teacher/seconds` (the axis) among them; a judge's begin with `judge/`. Numbers only."""


class Progress:
    """One pass over a teacher's rows."""

    def __init__(
        self,
        total: int | None,
        log: Log | None,
        *,
        budget: Budget | None = None,
        figures: "Callable[[], Figures] | None" = None,
        section: str = "teacher",
        shown: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`total` is the number of rows to expect; `figures` tells how the connections are doing, from any thread.

        Args:
            section: the section of the configuration that is asked.
            shown: whether the console shows anything.
        """
        self._total = total
        self._section = section
        self._shown = shown
        self._log = log
        self._budget = budget
        self._figures = figures
        self._clock = clock
        self._start = self._lined = self._logged = clock()
        self._done = 0
        self._note = ""
        self._seen: deque[tuple[float, int]] = deque([(self._start, 0)])
        self._over = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)
        self._bar: tqdm[Never] = tqdm(
            desc=section,
            total=total,
            unit=" replies",
            disable=None if shown else True,
            bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt}{postfix}" if total else "{desc}: {n_fmt}{unit}{postfix}",
        )

    def __enter__(self) -> Self:
        self._ticker.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._ticker.join()
        self._show()
        self._bar.close()
        self._draw()

    def add(self) -> None:
        """Count one row that is finished."""
        self._done += 1
        self._bar.update()
        if self._clock() - self._logged >= CURVES_EVERY:
            self._draw()

    def note(self, text: str) -> None:
        """Show a short text beside the figures, such as how batches are doing; draws the curves too."""
        self._note = text
        if self._clock() - self._logged >= CURVES_EVERY:
            self._draw()

    def line(self) -> str:
        """All figures on one line."""
        done = f"{self._done:,} of {self._total:,}" if self._total else f"{self._done:,}"
        return ", ".join([f"{self._section}: {done} replies", *self._parts()])

    def _rate(self) -> float:
        """Replies a second over the last minute; those that the journal held already count in neither."""
        now, count = self._clock(), self._figures().accepted if self._figures else self._done
        if now > self._seen[-1][0]:
            self._seen.append((now, count))
        while len(self._seen) > 2 and now - self._seen[1][0] >= MEMORY:
            self._seen.popleft()
        (first, then), (last, since) = self._seen[0], self._seen[-1]
        return (since - then) / (last - first) if last > first else 0.0

    def _parts(self) -> list[str]:
        rate = self._rate()
        parts = [f"{rate:.1f}/s"]
        if self._figures:
            figures = self._figures()
            if figures.share is not None:
                parts.append(f"{figures.share:.0%} of the limit")
            parts += [f"{figures.in_flight} under way", f"429s {figures.refused:,}"]
        if self._budget:
            parts.append(f"{self._budget.spent.usd:.2f} USD" if self._budget.priced else f"{self._budget.spent.tokens:,} tokens")
        if self._note:
            parts.append(self._note)
        elif self._total and rate > 0:
            parts.append(f"{tqdm.format_interval(int(max(0, self._total - self._done) / rate))} left")
        return parts

    def _show(self) -> None:
        if self._bar.disable:
            if self._shown and self._clock() - self._lined >= LINE_EVERY:
                self._lined = self._clock()
                print(self.line(), file=sys.stderr, flush=True)
        else:
            self._bar.set_postfix_str(", ".join(self._parts()))

    def _tick(self) -> None:
        while not self._over.wait(BAR_EVERY):
            self._show()

    def _draw(self) -> None:
        """Add a point to the curves."""
        if self._log is None:
            return
        self._logged = self._clock()
        point: dict[str, float] = {"seconds": self._logged - self._start, "done": self._done, "rate": self._rate()}
        if self._figures:
            figures = self._figures()
            point |= {"refused": figures.refused, "in_flight": figures.in_flight}
            if figures.share is not None:
                point["share_of_limit"] = figures.share
        if self._budget:
            point["tokens"] = self._budget.spent.tokens
            if self._budget.priced:
                point["usd"] = self._budget.spent.usd
        self._log({f"{self._section}/{name}": value for name, value in point.items()})
