"""Find what prompts have in common at their beginning, a system message or a report, so that a model reads it once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from radgpt.inference.local.reading import Past

SHORTEST_SHARED = 16
"""Tokens from which on it is worth to keep a beginning apart."""

LEAST_SAVED = 64
"""Tokens that must be spared in all: reading a beginning apart is one pass through the model more."""


@dataclass(eq=False)
class Beginning:
    """What several prompts begin with, read when the first of them comes and forgotten with the last."""

    ids: list[int]
    parent: "Beginning | None"
    """A shorter beginning of this one, which more prompts share."""
    rows_left: int
    """Prompts that begin so and have not been read."""
    past: "Past | None" = field(default=None, repr=False)
    """What a model remembers of it."""


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Tokens that two sequences have in common from their start on."""
    low, high = 0, min(len(first), len(second))
    # Slices are compared much faster than items.
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def beginnings_of(prompts: Sequence[list[int]]) -> list[Beginning | None]:
    """The longest beginning of each prompt that is worth to be read once for several; at least one token of a prompt is left."""
    found: list[Beginning | None] = [None] * len(prompts)
    # Sorted, all prompts with the same beginning stand side by side: those between two places where neighbours share less than it.
    order = sorted(range(len(prompts)), key=lambda row: prompts[row])
    shared = [0, *(common_length(prompts[before], prompts[row]) for before, row in pairwise(order))]
    parts: list[tuple[int, int, Beginning | None]] = [(0, len(prompts), None)]
    while parts:
        start, end, parent = parts.pop()
        if end - start < 2:
            continue
        length = min(shared[start + 1 : end])
        kept = min(length, min(len(prompts[row]) for row in order[start:end]) - 1)
        more = kept - (len(parent.ids) if parent else 0)
        beginning = parent
        if more >= SHORTEST_SHARED and more * (end - start - 1) >= LEAST_SAVED:
            beginning = Beginning(prompts[order[start]][:kept], parent, end - start)
        for row in order[start:end]:
            found[row] = beginning
        cuts = [start, *(place for place in range(start + 1, end) if shared[place] == length), end]
        parts += [(*part, beginning) for part in pairwise(cuts)]
    return found
