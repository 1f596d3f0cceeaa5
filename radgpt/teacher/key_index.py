"""Find where the row of a key stands in a file, for hundreds of thousands of keys in a few megabytes."""

from array import array
from collections.abc import Iterator

SMALLEST = 1 << 10
"""Slots of an empty index; always a power of two."""
FULLEST = 0.6
"""Share of slots in use beyond which the table doubles: open addressing slows down steeply above it."""
TAG_BYTES = 8
"""Bytes of a key that the table keeps. Two keys may share them, so whoever looks up checks the whole key at the place found."""


class KeyIndex:
    """A hash table from keys to offsets in two flat arrays: 16 bytes a slot, where a dictionary takes about 200 bytes a key.

    Keys are digests, whose bytes are random already. One thread may set while another looks up.
    """

    def __init__(self) -> None:
        self._table = _empty(SMALLEST)
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def places(self, key: bytes) -> Iterator[int]:
        """Offsets under which the key may stand: nearly always one or none."""
        for _, offset in _chain(self._table, int.from_bytes(key[:TAG_BYTES])):
            yield offset

    def set(self, key: bytes, offset: int, earlier: int | None = None) -> None:
        """Say that the key stands at this offset, and no longer at the `earlier` one, if given."""
        tag = int.from_bytes(key[:TAG_BYTES])
        if earlier is not None:
            slot = next(slot for slot, place in _chain(self._table, tag) if place == earlier)
            self._table[1][slot] = offset + 1
            return
        if self._used >= FULLEST * len(self._table[0]):
            self._grow()
        _insert(self._table, tag, offset)
        self._used += 1

    def _grow(self) -> None:
        tags, places = self._table
        larger = _empty(2 * len(tags))
        for tag, place in zip(tags, places, strict=True):
            if place:
                _insert(larger, tag, place - 1)
        self._table = larger  # in one step, for a thread that is looking up


Table = tuple["array[int]", "array[int]"]
"""The tag of each slot, and its offset plus one; 0 is an empty slot."""


def _empty(slots: int) -> Table:
    return array("Q", bytes(8 * slots)), array("Q", bytes(8 * slots))


def _chain(table: Table, tag: int) -> Iterator[tuple[int, int]]:
    """Slots with this tag and their offsets."""
    tags, places = table
    slot = tag & (len(tags) - 1)
    while place := places[slot]:
        if tags[slot] == tag:
            yield slot, place - 1
        slot = (slot + 1) & (len(tags) - 1)


def _insert(table: Table, tag: int, offset: int) -> None:
    tags, places = table
    slot = tag & (len(tags) - 1)
    while places[slot]:
        slot = (slot + 1) & (len(tags) - 1)
    tags[slot] = tag
    places[slot] = offset + 1
