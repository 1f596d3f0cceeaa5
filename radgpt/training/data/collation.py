"""Turn the rows of a micro-batch into tensors: padded on the right, or laid end to end in one row."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from radgpt.config import Training
from radgpt.training.data.batching import FLAT
from radgpt.training.data.prefixes import in_sharing_order

if TYPE_CHECKING:
    import torch

IGNORED = -100
"""The label that torch's cross-entropy passes over."""

Rows = Sequence[dict[str, Any]]
"""Each with `input_ids` and, of equal length, `mask` (1 where the token is learned): lists or arrays."""


def collator(training: Training, pad_token_id: int, bos_token_id: int | None = None) -> "Callable[[Rows], dict[str, Any]]":
    """What makes the micro-batches of `training.batching`.

    Labels are the token itself where it is learned, and IGNORED elsewhere and at the first token of each example, which nothing
    predicts. They go by the mask, never by the padding token, which in many models also ends a turn. No rows (a rank that has
    run out of examples) give a batch of one padding token, with nothing to learn.
    """
    if training.faithful and bos_token_id is not None:
        return Padded(bos_token_id, hidden=bos_token_id)
    if training.batching in FLAT:
        return Shared(pad_token_id) if training.share_prefixes else Flat(pad_token_id)
    return Padded(pad_token_id)


class Padded:
    """Pads each row on the right to the longest."""

    def __init__(self, pad_token_id: int, hidden: int | None = None) -> None:
        """`hidden` is a token that attention leaves out wherever it stands (`training.faithful`)."""
        self._pad_token_id = pad_token_id
        self._hidden = hidden

    def __call__(self, rows: Rows) -> "dict[str, torch.Tensor]":
        """input_ids, attention_mask and labels, each (rows, longest row), int64."""
        import torch

        width = max((len(row["input_ids"]) for row in rows), default=1)
        shape = (max(len(rows), 1), width)
        input_ids = np.full(shape, self._pad_token_id, dtype=np.int64)
        labels = np.full(shape, IGNORED, dtype=np.int64)
        attention_mask = np.zeros(shape, dtype=np.int64)
        if not rows:
            # Attention over nothing at all is not a number.
            attention_mask[:] = 1
        for number, row in enumerate(rows):
            length = len(row["input_ids"])
            write(row, input_ids[number, :length], labels[number, :length])
            attention_mask[number, :length] = 1
        if rows and self._hidden is not None:
            attention_mask[input_ids == self._hidden] = 0
        arrays = {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


class Flat:
    """Lays rows end to end, as segments that attention must keep apart."""

    def __init__(self, pad_token_id: int) -> None:
        self._pad_token_id = pad_token_id

    def __call__(self, rows: Rows) -> dict[str, Any]:
        """One row of all tokens, and where segments begin.

        Returns:
            input_ids, position_ids (from 0 in each segment) and labels, each (1, tokens), int64; `cu_seq_lens_q` and
            `cu_seq_lens_k`, the same (segments + 1) bounds, int32, from 0 to tokens; `max_length_q` and `max_length_k`, the
            longest segment, as numbers. These are the names that transformers' models hand to their attention. There is no
            attention_mask: with one, even of ones, transformers would let segments see each other.
        """
        import torch

        sizes = [len(row["input_ids"]) for row in rows] or [1]
        bounds = np.concatenate([[0], np.cumsum(sizes)])
        input_ids = np.full((1, bounds[-1]), self._pad_token_id, dtype=np.int64)
        labels = np.full((1, bounds[-1]), IGNORED, dtype=np.int64)
        for row, start, end in zip(rows, bounds[:-1], bounds[1:], strict=False):
            write(row, input_ids[0, start:end], labels[0, start:end])
        position_ids = np.arange(bounds[-1])[None] - np.repeat(bounds[:-1], sizes)[None]
        starts = torch.from_numpy(bounds.astype(np.int32))
        return {
            "input_ids": torch.from_numpy(input_ids),
            "position_ids": torch.from_numpy(position_ids),
            "labels": torch.from_numpy(labels),
            "cu_seq_lens_q": starts,
            "cu_seq_lens_k": starts,
            "max_length_q": max(sizes),
            "max_length_k": max(sizes),
        }


class Shared(Flat):
    """Lays rows end to end, but what a row has in common with an earlier one, at its beginning, only once."""

    def __call__(self, rows: Rows) -> dict[str, Any]:
        """As `Flat`, where a row's segment holds only the tokens that are its own; what it takes from others is never learned.

        `position_ids` count what a row takes, `cu_seq_lens_q` bounds the segments' own tokens. `key_rows` (tokens of all rows, int64)
        says where each token of each row stands, row by row, and `cu_seq_lens_k` bounds the rows therein: attention lets a
        segment's tokens see these, up to themselves.
        """
        import torch

        if len(rows) < 2:
            return super().__call__(rows)
        ids, labels, positions, places = [], [], [], []
        place, filled = np.empty(0, dtype=np.int64), 0
        for row, taken in in_sharing_order(rows):
            tokens, learned = (np.full(len(row["input_ids"]), IGNORED, dtype=np.int64) for _ in range(2))
            write(row, tokens, learned)
            own = len(tokens) - taken
            place = np.concatenate([place[:taken], np.arange(filled, filled + own)])
            filled += own
            ids.append(tokens[taken:])
            labels.append(learned[taken:])
            positions.append(np.arange(taken, len(tokens)))
            places.append(place)
        arrays = {"input_ids": ids, "position_ids": positions, "labels": labels}
        queries, keys = (np.array([len(part) for part in parts]) for parts in (ids, places))
        return {name: torch.from_numpy(np.concatenate(parts)[None]) for name, parts in arrays.items()} | {
            "cu_seq_lens_q": torch.from_numpy(np.concatenate([[0], queries.cumsum()]).astype(np.int32)),
            "cu_seq_lens_k": torch.from_numpy(np.concatenate([[0], keys.cumsum()]).astype(np.int32)),
            "max_length_q": int(queries.max()),
            "max_length_k": int(keys.max()),
            "key_rows": torch.from_numpy(np.concatenate(places)),
        }


def write(row: dict[str, Any], input_ids: np.ndarray, labels: np.ndarray) -> None:
    """Put an example into its place in both arrays."""
    input_ids[:] = row["input_ids"]
    np.copyto(labels[1:], input_ids[1:], where=np.asarray(row["mask"], dtype=bool)[1:])
