"""What a model remembers of tokens that it has read."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

KeysValues = list[tuple["torch.Tensor", "torch.Tensor"]]
"""By layer, of one row: (keys, values), each (heads, tokens, size of a head)."""
