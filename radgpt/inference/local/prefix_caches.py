"""Keep what a model has read of conversations, so that their next turn is not read from its beginning."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from radgpt.inference.local.network import Network
from radgpt.inference.local.shared_prefixes import SHORTEST_SHARED, common_length

if TYPE_CHECKING:
    from radgpt.inference.local.slot_cache import SlotCache


@dataclass(eq=False)
class Conversation:
    """Ids that a model has read, and what it remembers of them."""

    ids: list[int]
    cache: "SlotCache"
    """One row, with a column for each of `ids`."""
    asked: int = 0
    """Of `ids`: those of the last prompt; an answer follows them."""


class PrefixCaches:
    """The conversations that were read last. Whoever takes one has it alone, until it is put back."""

    def __init__(self, network: Network, most: int) -> None:
        """Keep up to `most` conversations with a network."""
        self._network = network
        self._most = most
        self._kept: list[Conversation] = []
        """The one used last stands last."""
        self._guard = Lock()

    def take(self, ids: Sequence[int]) -> Conversation:
        """A conversation that holds the longest known beginning of `ids`; at least one of them is left to read.

        A conversation that `ids` go on with, or answer anew, is cut to what they share. One that merely begins alike, such as another
        about the same report, stays as it is, and its beginning is copied.
        """
        with self._guard:
            lengths = [min(common_length(one.ids, ids), len(ids) - 1) for one in self._kept]
            shared = max(lengths, default=0)
            if shared < SHORTEST_SHARED:
                return self._new(len(ids))
            found = self._kept[lengths.index(shared)]
            if shared >= found.asked - 1:
                self._kept.remove(found)
                found.cache.forget(len(found.ids) - shared)
                del found.ids[shared:]
                return found
            with self._network.turn(self._network.in_use):
                copy = self._new(len(ids))
                start = found.cache.left
                copy.cache.place(0, 0, found.cache.taken(0, start, start + shared))
                copy.cache.advance(shared)
                copy.ids = found.ids[:shared]
                return copy

    def _new(self, tokens: int) -> Conversation:
        from radgpt.inference.local.slot_cache import SPARE_COLUMNS

        return Conversation([], self._network.new_cache(1, rows=1, capacity=tokens + SPARE_COLUMNS))

    def put(self, conversation: Conversation) -> None:
        """Keep a conversation; the one that was not used for longest goes."""
        # Ctrl-C may have come between the model's reading and the note of it.
        conversation.cache.forget(conversation.cache.columns - len(conversation.ids))
        with self._guard:
            if conversation.ids and self._most:
                self._kept.append(conversation)
                del self._kept[: -self._most]

    def clear(self) -> None:
        """Forget all."""
        with self._guard:
            self._kept.clear()
