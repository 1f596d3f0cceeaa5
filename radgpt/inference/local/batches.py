"""Answer many prompts together: rows that have ended leave, waiting ones take their places, shared beginnings are read once."""

from collections import deque
from collections.abc import Iterator, Sequence

from radgpt.inference.local.decoding import Draws, Row
from radgpt.inference.local.network import Network
from radgpt.inference.local.reading import NOTHING, Past, read_together
from radgpt.inference.local.references import measure
from radgpt.inference.local.shared_prefixes import Beginning, beginnings_of

REFILL_SHARE = 0.125
"""Share of the places that must be free before waiting rows are read: several are read together, and few places stand empty."""


class Batch:
    """Rows in the making, those that wait for a place, and what they share."""

    def __init__(self, network: Network, adapter: str | None, draws: Draws, size: int, rows: Sequence[Row]) -> None:
        """Queue rows, `size` of which are decoded together: those with long prompts first, so that a batch too large fails at once,
        and those that share a beginning together."""
        self._network, self._adapter, self._draws, self._size = network, adapter, draws, size
        self._waiting: deque[tuple[Row, Beginning | None]] = deque()
        self._active: list[Row] = []
        self._starts: list[int] = []
        """Column of each active row's first token."""
        self._cache = network.new_cache(min(size, len(rows)))
        beginnings = beginnings_of([row.prompt for row in rows]) if network.attends_fully else [None] * len(rows)
        together: dict[Beginning | None, list[Row]] = {}
        for row, beginning in zip(rows, beginnings, strict=True):
            together.setdefault(beginning, []).append(row)
        for alike in together.values():
            alike.sort(key=lambda row: -len(row.prompt))
        for beginning in sorted(together, key=lambda one: -len(together[one][0].prompt)):
            self._waiting.extend((row, beginning) for row in together[beginning])

    def run(self) -> Iterator[Row]:
        """Yield each row when it has ended."""
        while self._waiting or self._active:
            free = self._size - len(self._active)
            with self._network.turn(self._adapter):
                if self._waiting and (not self._active or free >= max(1, REFILL_SHARE * self._size)):
                    self._admit(min(free, len(self._waiting)))
                else:
                    self._step()
                ended = self._retire()
            yield from ended

    def _admit(self, count: int) -> None:
        """Read waiting rows and give them places."""
        cache = self._cache
        admitted = [self._waiting.popleft() for _ in range(count)]
        rows = [row for row, _ in admitted]
        pasts = self._pasts([beginning for _, beginning in admitted])
        reading = read_together(self._network, [row.prompt[past.tokens :] for row, past in zip(rows, pasts, strict=True)], pasts)
        for _, beginning in admitted:
            for one in chain_of(beginning):
                one.rows_left -= 1
                if not one.rows_left:
                    one.past = None
        if any(row.reference for row in rows):
            measure(
                self._network,
                rows,
                [reading.past(place) if row.reference else NOTHING for place, row in enumerate(rows)],
                reading.scores[:, -1],
            )
        self._draws.draw(reading.scores[:, -1], rows)
        longest = max(len(row.prompt) for row in rows)
        if self._active:
            self._reserve(0, before=max(0, longest - cache.columns))
        else:
            cache.left = cache.right = 0
            cache.reserve(longest)
            cache.right = longest
        for place, row in enumerate(rows):
            start = cache.right - len(row.prompt)
            cache.rows += 1
            reading.copy_into(cache, place, len(self._active), start)
            self._active.append(row)
            self._starts.append(start)
        cache.left = min(self._starts)

    def _pasts(self, beginnings: Sequence[Beginning | None]) -> list[Past]:
        """What is read already of rows with these beginnings; what is not is read now."""
        unread = {one: None for beginning in beginnings for one in chain_of(beginning) if one.past is None}
        while unread:
            ready = [one for one in unread if one.parent not in unread]
            parents = [past_of(one.parent) for one in ready]
            rest = [one.ids[past.tokens :] for one, past in zip(ready, parents, strict=True)]
            reading = read_together(self._network, rest, parents)
            for place, one in enumerate(ready):
                one.past = reading.past(place)
                del unread[one]
        return [past_of(beginning) for beginning in beginnings]

    def _reserve(self, columns: int, before: int = 0) -> None:
        """Make room in the cache; rows may move to other columns."""
        cache = self._cache
        moved = cache.left
        cache.reserve(columns, before)
        self._starts = [start - moved + cache.left for start in self._starts]

    def _step(self) -> None:
        """Read the last token of each active row and draw the next one."""
        import torch

        cache = self._cache
        self._reserve(1)
        mask = None
        if any(start > cache.left for start in self._starts):
            columns = torch.arange(cache.left, cache.right + 1)
            mask = (columns >= torch.tensor(self._starts)[:, None]).to(self._network.device)
        scores = self._network.read(cache, [row.new[-1:] for row in self._active], [[cache.right - start] for start in self._starts], mask)
        self._draws.draw(scores[:, -1], self._active)

    def _retire(self) -> list[Row]:
        """Take out the rows that have ended."""
        cache = self._cache
        ended = []
        for place in reversed(range(len(self._active))):
            if self._active[place].finish_reason is not None:
                ended.append(self._active[place])
                cache.drop(place)
                last, start = self._active.pop(), self._starts.pop()
                if place < len(self._active):
                    self._active[place], self._starts[place] = last, start
        if self._active:
            cache.left = min(self._starts)
        return ended


def chain_of(beginning: Beginning | None) -> Iterator[Beginning]:
    """A beginning and the shorter ones that it begins with."""
    while beginning is not None:
        yield beginning
        beginning = beginning.parent


def past_of(beginning: Beginning | None) -> Past:
    """What is read of a beginning."""
    return NOTHING if beginning is None or beginning.past is None else beginning.past
