"""Read prompts, each behind what was read of it before: several of different length together, or one piece by piece."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from radgpt.inference.local.decoding import Draws, Row
from radgpt.inference.local.keys_values import KeysValues
from radgpt.inference.local.network import Network
from radgpt.inference.local.prefix_caches import Conversation

if TYPE_CHECKING:
    import torch

    from radgpt.inference.local.slot_cache import SlotCache


PIECE = 512
"""Tokens of a conversation's prompt that one turn reads at most: so long others wait, and so long a stop may take."""


@dataclass(frozen=True)
class Past:
    """The beginning of a text, as a model remembers it."""

    tokens: int
    part: KeysValues


NOTHING = Past(0, [])


@dataclass(frozen=True)
class Reading:
    """Texts that were read together."""

    scores: "torch.Tensor"
    """(rows, kept columns, vocabulary), float32: what follows the last tokens of each row."""
    cache: "SlotCache"
    spans: list[list[tuple[int, int]]]
    """For each row (start, end) of the columns that hold its tokens."""

    def copy_into(self, cache: "SlotCache", row: int, slot: int, column: int) -> None:
        """Write a row into a slot of another cache, without gaps, from a column on."""
        for start, end in self.spans[row]:
            cache.place(slot, column, self.cache.taken(row, start, end))
            column += end - start

    def past(self, row: int) -> Past:
        """A row's tokens, to go on from."""
        parts = [self.cache.taken(row, start, end) for start, end in self.spans[row]]
        joined = parts[0] if len(parts) == 1 else [join(layers) for layers in zip(*parts, strict=True)]
        return Past(sum(end - start for start, end in self.spans[row]), joined)


def advance(network: Network, adapter: str | None, conversation: Conversation, row: Row, draws: Draws) -> bool:
    """Read what comes next of a single row, in one turn, and draw a token once the prompt is read; give whether one was drawn."""
    known = len(conversation.ids)
    rest = (row.prompt + row.new)[known : known + PIECE]
    with network.turn(adapter):
        scores = network.read(conversation.cache, [rest], [range(known, known + len(rest))])
        conversation.ids += rest
        if len(conversation.ids) < len(row.prompt):
            return False
        draws.draw(scores[:, -1], [row])
    return True


def join(layers: Sequence[tuple["torch.Tensor", "torch.Tensor"]]) -> tuple["torch.Tensor", "torch.Tensor"]:
    """One layer's keys and values of pieces of a text, in order."""
    import torch

    return torch.cat([keys for keys, _ in layers], dim=1), torch.cat([values for _, values in layers], dim=1)


def read_together(network: Network, texts: Sequence[Sequence[int]], pasts: Sequence[Past], keep: int = 1) -> Reading:
    """Read the rest of several texts, padded on the left. Only within `Network.turn`.

    Args:
        texts: token ids behind the pasts, at least one each.
        pasts: what was read before of each. Where the model has sliding windows, either none of them holds anything or there is one text
            only: there must be no gap between a row's tokens.
        keep: of how many of the last columns scores are wanted.
    """
    import torch

    before, new = max(past.tokens for past in pasts), max(map(len, texts))
    cache = network.new_cache(len(texts), rows=len(texts), capacity=before + new)
    for row, past in enumerate(pasts):
        if past.tokens:
            cache.place(row, before - past.tokens, past.part)
    cache.advance(before)
    starts = [before - past.tokens for past in pasts]
    fills = [new - len(text) for text in texts]
    mask = None
    if any(starts) or any(fills):
        columns = torch.arange(before + new)
        left, gap = torch.tensor(starts)[:, None], torch.tensor(fills)[:, None]
        mask = ((columns >= left) & (columns < before) | (columns >= before + gap)).to(network.device)
    scores = network.read(
        cache,
        [[0] * fill + list(text) for fill, text in zip(fills, texts, strict=True)],
        # Filled columns count from 0 up to the first token's position or below; nobody looks at them.
        [[max(0, past.tokens + place - fill) for place in range(new)] for fill, past in zip(fills, pasts, strict=True)],
        mask,
        keep,
    )
    spans = [
        [(start, before), (before + fill, before + new)] if start < before else [(before + fill, before + new)]
        for start, fill in zip(starts, fills, strict=True)
    ]
    return Reading(scores, cache, spans)
