"""Fill rows of equal capacity with whole examples, by best fit."""

from bisect import bisect_left, insort
from collections.abc import Sequence

import numpy as np


def best_fit_decreasing(lengths: "Sequence[int] | np.ndarray", capacity: int) -> list[list[int]]:
    """Put each example, longest first, into the row where it leaves the least room; open a row where it fits in none.

    At most 11/9 of the fewest rows possible, and 4 more (Johnson et al., SIAM J. Comput. 3:299, 1974). O(n log n): rows with
    equal room are interchangeable, so that the search is among distinct rooms.

    Args:
        lengths: tokens of each example.
        capacity: tokens of a row.

    Returns:
        For each row the numbers of its examples, longest first. Every example is in one row, whole.

    Raises:
        ValueError: an example is longer than a row.
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    if sizes.size and int(sizes.max()) > capacity:
        raise ValueError(f"an example of {int(sizes.max())} tokens is longer than a row of {capacity}")
    rows: list[list[int]] = []
    rooms: list[int] = []
    rows_with: dict[int, list[int]] = {}
    # Stable: equal lengths stay in the order given, so that the same lengths give the same rows everywhere.
    order = np.argsort(-sizes, kind="stable")
    for example, size in zip(order.tolist(), sizes[order].tolist(), strict=True):
        tightest = bisect_left(rooms, size)
        if tightest == len(rooms):
            row, room = len(rows), capacity
            rows.append([])
        else:
            room = rooms[tightest]
            row = rows_with[room].pop()
            if not rows_with[room]:
                del rows_with[room], rooms[tightest]
        rows[row].append(example)
        left = room - size
        if left:
            if left not in rows_with:
                rows_with[left] = []
                insort(rooms, left)
            rows_with[left].append(row)
    return rows
