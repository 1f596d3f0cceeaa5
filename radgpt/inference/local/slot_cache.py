"""Keys and values of several rows in buffers with room to grow, so that no step copies what stands there.

transformers' DynamicCache joins a new tensor at every token: for 16 rows of 300 tokens of SmolLM2-135M that is 220 MB a step.
"""

from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicLayer, DynamicSlidingWindowLayer

from radgpt.inference.local.keys_values import KeysValues

SPARE_COLUMNS = 128
"""Columns that a buffer gets beyond those needed now; each time that they are used up, everything is copied once."""


class SlotLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """One layer's buffers: `keys` and `values`, both (slots, heads, capacity, size of a head).

    A layer with a sliding window keeps all tokens too, and shows of them what the window holds, so that a conversation can go back.
    """

    is_croppable = True
    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, cache: "SlotCache", sliding_window: int | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.cache = cache
        self.sliding_window = sliding_window

    @property
    def is_sliding(self) -> bool:
        """Whether transformers is to give this layer the mask of a window."""
        return self.sliding_window is not None

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Make buffers for rows as these, (rows, heads, columns, size of a head)."""
        self.keys, self.values = (
            torch.zeros((self.cache.slots, states.shape[1], self.cache.capacity, states.shape[3]), dtype=states.dtype, device=states.device)
            for states in (key_states, value_states)
        )
        self.is_initialized = True

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new columns behind the last ones; give those that attention sees, (rows, heads, columns, size of a head)."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        rows, right, new = self.cache.rows, self.cache.right, key_states.shape[-2]
        first = self.cache.left + self.get_mask_sizes(new)[1]
        seen = []
        for buffer, states in ((self.keys, key_states), (self.values, value_states)):
            buffer[:rows, :, right : right + new] = states
            seen.append(buffer[:rows, :, first : right + new])
        return seen[0], seen[1]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """(columns that attention sees, columns before them) when `query_length` more come."""
        columns = self.cache.columns + query_length
        seen = columns if self.sliding_window is None else min(columns, self.sliding_window - 1 + query_length)
        return seen, columns - seen

    def get_seq_length(self) -> int:
        """Columns in use."""
        return self.cache.columns

    def get_max_length(self) -> int:
        """As transformers says «no end»."""
        return -1


class SlotCache(Cache):
    """Rows in slots 0 to `rows` of buffers, their columns `left` to `right` in use.

    The last token of every row stands in column `right - 1`, so that all rows grow by one column at a time. What stands before a row's
    first token is masked.
    """

    def __init__(self, config: Any, slots: int, rows: int = 0, capacity: int = SPARE_COLUMNS) -> None:
        """Empty buffers for a model with this config (transformers')."""
        self.slots, self.rows, self.capacity = slots, rows, capacity
        self.left = self.right = 0
        kinds = DynamicCache(config=config).layers
        self.slot_layers = [SlotLayer(self, getattr(layer, "sliding_window", None)) for layer in kinds]
        super().__init__(layers=list(self.slot_layers))

    @property
    def columns(self) -> int:
        """Columns in use."""
        return self.right - self.left

    def reserve(self, columns: int, before: int = 0) -> None:
        """Make room for so many columns behind those in use, and for `before` ahead of them."""
        if self.right + columns <= self.capacity and before <= self.left:
            return
        used = slice(self.left, self.right)
        self.capacity = before + self.columns + columns + SPARE_COLUMNS
        self.left, self.right = before, before + self.columns
        for layer in self.slot_layers:
            if layer.is_initialized:
                old = (layer.keys, layer.values)
                layer.lazy_initialization(*old)
                for buffer, earlier in zip((layer.keys, layer.values), old, strict=True):
                    buffer[: self.rows, :, self.left : self.right] = earlier[: self.rows, :, used]

    def advance(self, columns: int) -> None:
        """Take columns that a forward pass has written into use. Until then a pass that failed has changed nothing."""
        self.right += columns

    def forget(self, columns: int) -> None:
        """Drop so many of the last columns."""
        self.right -= columns

    def taken(self, row: int, start: int, end: int) -> KeysValues:
        """What stands in columns of a row, by layer: (keys, values), each (heads, columns, size of a head)."""
        return [(layer.keys[row, :, start:end], layer.values[row, :, start:end]) for layer in self.slot_layers]

    def place(self, row: int, column: int, part: KeysValues) -> None:
        """Write what `taken` gave into a row, from a column on."""
        for layer, (keys, values) in zip(self.slot_layers, part, strict=True):
            if not layer.is_initialized:
                layer.lazy_initialization(keys[None], values[None])
            layer.keys[row, :, column : column + keys.shape[1]] = keys
            layer.values[row, :, column : column + values.shape[1]] = values

    def drop(self, row: int) -> None:
        """Take a row out; the last row gets its slot."""
        self.rows -= 1
        if row < self.rows:
            for layer in self.slot_layers:
                for buffer in (layer.keys, layer.values):
                    buffer[row, :, self.left : self.right] = buffer[self.rows, :, self.left : self.right]


def takes_slots(config: Any) -> bool:
    """Whether all layers of a model with this config keep plain keys and values, of all tokens or of a sliding window."""
    layers = DynamicCache(config=config).layers
    return bool(layers) and all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


def attends_fully(config: Any) -> bool:
    """Whether every layer's attention sees all tokens."""
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)
