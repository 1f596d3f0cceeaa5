"""Find what examples have in common at their beginning, to compute it once: a system message, a report that several questions are about."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

NEIGHBOUR_SHARE = 0.5
"""Share of an example's tokens that it must have in common with the one before it in the dataset to be packed into the same row."""


def common_prefix(first: np.ndarray, second: np.ndarray) -> int:
    """How many tokens two sequences have in common from their start on."""
    shorter = min(len(first), len(second))
    unequal = np.flatnonzero(first[:shorter] != second[:shorter])
    return int(unequal[0]) if unequal.size else shorter


def longest_shareable(mask: np.ndarray) -> int:
    """How many tokens, from its start on, an example can take from another one: all but the last before its first learned token.

    The last token that it takes predicts the other example's next token as well, so the example's own next one must not be learned.

    Args:
        mask: 1 where a token of the example is learned.
    """
    learned = np.flatnonzero(mask)
    return max(int(learned[0]) - 1 if learned.size else len(mask) - 1, 0)


def shared_with_previous(rows: Any) -> np.ndarray:
    """For each row of a dataset of tokens (`input_ids`, `mask`), how many it can take from the row before; 0 below NEIGHBOUR_SHARE."""
    ids, masks = (rows.data.column(name).combine_chunks() for name in ("input_ids", "mask"))
    tokens, learned = ids.values.to_numpy(), masks.values.to_numpy()
    bounds, mask_bounds = ids.offsets.to_numpy(), masks.offsets.to_numpy()
    found = np.zeros(len(rows), dtype=np.int64)
    for row in range(1, len(rows)):
        before, start, end = bounds[row - 1 : row + 2]
        shared = common_prefix(tokens[before:start], tokens[start:end])
        if shared >= NEIGHBOUR_SHARE * (end - start):
            found[row] = min(shared, longest_shareable(learned[mask_bounds[row] : mask_bounds[row + 1]]))
    return found


def join_neighbours(lengths: np.ndarray, shared: np.ndarray, capacity: int) -> tuple[list[list[int]], list[int]]:
    """Groups of examples that stay together because each shares its beginning with the one before it.

    Args:
        lengths: tokens of each example.
        shared: how many of them it takes from the example before it (`shared_with_previous`).
        capacity: the most tokens that a group may take.

    Returns:
        For each group the numbers of its examples, in order, and the tokens that it takes.
    """
    groups: list[list[int]] = []
    sizes: list[int] = []
    for example, (length, taken) in enumerate(zip(lengths.tolist(), shared.tolist(), strict=True)):
        if taken and sizes[-1] + length - taken <= capacity:
            groups[-1].append(example)
            sizes[-1] += length - taken
        else:
            groups.append([example])
            sizes.append(length)
    return groups, sizes


def in_sharing_order(rows: Sequence[dict[str, Any]]) -> list[tuple[dict[str, Any], int]]:
    """Rows in an order in which each has as much in common with the one before it as with any, and how many tokens it takes from it."""
    # Big-endian bytes sort as the tokens do.
    ordered = sorted(rows, key=lambda row: np.asarray(row["input_ids"], dtype=">i4").tobytes())
    taken = [0]
    for before, row in pairwise(ordered):
        shared = common_prefix(np.asarray(before["input_ids"]), np.asarray(row["input_ids"]))
        taken.append(min(shared, longest_shareable(np.asarray(row["mask"]))))
    return list(zip(ordered, taken, strict=True))
