"""Causal attention that keeps the segments of a flat row apart, without a mask of tokens by tokens."""

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from radgpt.config import Model, Training
from radgpt.errors import UserError
from radgpt.training.data.batching import FLAT

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

NAME = "radgpt_segments"
"""What transformers knows this attention by."""

SEPARABLE_LAYERS = {"full_attention", "sliding_attention", "sparse", "dense", "moe"}
"""Kinds of layer (transformers' `layer_types`) whose tokens mix in nothing but an attention that takes segment bounds."""

LARGEST_KERNEL_HEAD = 256
"""Longest head vector, in numbers, that flash attention's kernels take."""


@dataclass
class Watched:
    """What a forward pass over a flat row has asked for so far."""

    masks: int = 0
    windowed_masks: int = 0
    attentions: int = 0
    windowed_attentions: int = 0


FLAT_PASS: ContextVar[Watched | None] = ContextVar("FLAT_PASS", default=None)


def use_segment_attention(network: "PreTrainedModel", training: Training, model: Model) -> None:
    """Make a model ready for the rows of `training.batching`; padded modes leave it as it is.

    Everything but a forward pass inside `segments_apart`, such as generation, goes on as with transformers' `sdpa`. A flash
    attention that `model.attn_implementation` names is kept: transformers hands it the same segment bounds.

    Raises:
        UserError: the model mixes tokens by something that cannot be told where segments begin, or by an attention that was
            asked for and would need a mask of tokens by tokens.
    """
    if training.batching not in FLAT:
        return
    if (reason := mixing_otherwise(network)) is not None:
        raise UserError(cannot_separate(reason, training.batching.value))
    asked = model.attn_implementation
    if asked is not None and "flash" in asked:
        if training.share_prefixes:
            raise UserError(f"model.attn_implementation={asked} knows no training.share_prefixes=true; leave one of them out")
        return
    if asked not in (None, "sdpa"):
        raise UserError(
            f"model.attn_implementation={asked} would need a mask of all tokens by all tokens with "
            f"training.batching={training.batching.value}; leave it out, or choose training.batching=grouped"
        )
    register()
    network.set_attn_implementation(NAME)


def cannot_separate(reason: str, batching: str = "padding_free (or packed)") -> str:
    """Why examples cannot share a row of this model, and the mend."""
    return f"training.batching={batching}: {reason}, so that examples in one row would see each other; choose training.batching=grouped"


def mixing_otherwise(network: "PreTrainedModel") -> str | None:
    """Why the segments of a row cannot be kept apart in this model, or None where they can.

    The part that reads text counts: one whose class supports flash attention hands its attention all that the mask holds
    (causality, windows) as arguments.
    """
    import torch

    kind = type(network).__name__
    decoder: Any = network.get_decoder() if hasattr(network, "get_decoder") else network  # type: ignore[no-untyped-call]
    if others := sorted(set(getattr(decoder.config, "layer_types", None) or ()) - SEPARABLE_LAYERS):
        return f"{kind} has layers of {', '.join(others)}"
    if network._is_stateful or any(isinstance(module, torch.nn.Conv1d) for module in decoder.modules()):
        return f"{kind} mixes tokens by more than attention"
    if not (decoder._supports_attention_backend and decoder._supports_sdpa and decoder._supports_flash_attn):
        return f"the attention of {kind} cannot be told where examples begin"
    return None


@cache
def register() -> None:
    """Make transformers know the attention and its masks by NAME."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, mask)


@contextmanager
def segments_apart() -> Iterator[None]:
    """A forward pass over a flat row; afterwards, backward may recompute parts of it anywhere.

    Raises:
        UserError: the model did not hand the row's bounds to its attention, whose outcome would be wrong without a word.
    """
    watched = Watched()
    token = FLAT_PASS.set(watched)
    try:
        yield
    finally:
        FLAT_PASS.reset(token)
    if watched.masks and not watched.attentions:
        raise UserError(cannot_separate("the model does not use the attention that was set"))
    if watched.windowed_masks and not watched.windowed_attentions:
        raise UserError(cannot_separate("the model tells its sliding window to the mask alone"))


def mask(*args: Any, **settings: Any) -> "torch.Tensor | None":
    """No mask for a flat row; otherwise that of transformers' `sdpa`."""
    from transformers.masking_utils import sdpa_mask

    watched = FLAT_PASS.get()
    if watched is None:
        return sdpa_mask(*args, **settings)
    watched.masks += 1
    watched.windowed_masks += settings.get("local_size") is not None
    return None


def attention(
    module: Any,
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    attention_mask: "torch.Tensor | None",
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    cu_seq_lens_q: "torch.Tensor | None" = None,
    max_length_q: int | None = None,
    cu_seq_lens_k: "torch.Tensor | None" = None,
    max_length_k: int | None = None,
    key_rows: "torch.Tensor | None" = None,
    **rest: Any,
) -> "tuple[torch.Tensor, None]":
    """Attention as transformers calls it: causal inside each segment where bounds are given, else that of `sdpa`.

    Args:
        query: (rows, heads, tokens, head size); one row where bounds are given.
        key, value: (rows, key-value heads, tokens, head size).
        sliding_window: how many tokens a token sees, itself included; None: all before it.
        cu_seq_lens_q: (segments + 1) bounds, from 0 to tokens.
        max_length_q: tokens of the longest segment.
        key_rows: the tokens that each segment's may see, segment by segment, its own last (`collation.Shared`); None: its own.
        cu_seq_lens_k: with `key_rows`, the bounds of segments therein; else as `cu_seq_lens_q`.
        max_length_k: the most tokens between two of these bounds.

    Returns:
        (rows, tokens, heads, head size), and no weights.
    """
    watched = FLAT_PASS.get()
    if cu_seq_lens_q is None or attention_mask is not None:
        if watched is not None:
            raise UserError(cannot_separate("the model does not hand its attention where examples begin"))
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **rest)
    if watched is not None:
        watched.attentions += 1
        watched.windowed_attentions += sliding_window is not None
    unknown = [name for name in ("softcap", "s_aux", "position_bias") if rest.get(name) is not None]
    if unknown or rest.get("is_causal") is False or not getattr(module, "is_causal", True):
        raise UserError(cannot_separate(f"the model's attention has {unknown[0] if unknown else 'no causality'}, which is unknown here"))
    query, key, value = in_one_format(query, key, value)
    bounds, longest = (cu_seq_lens_q, cu_seq_lens_q), (max_length_q or 0, max_length_q or 0)
    if key_rows is not None and cu_seq_lens_k is not None:
        key, value = gathered(key, key_rows), gathered(value, key_rows)
        bounds, longest = (cu_seq_lens_q, cu_seq_lens_k), (max_length_q or 0, max_length_k or 0)
    kernel = varlen_kernel(query, value, dropout)
    if kernel is not None:
        return by_kernel(kernel, query, key, value, bounds, longest, dropout, scaling, sliding_window), None
    sizes = [side.diff().tolist() for side in bounds]
    return segment_by_segment(query, key, value, sizes[0], sizes[1], dropout, scaling, sliding_window), None


def gathered(tensor: "torch.Tensor", places: "torch.Tensor") -> "torch.Tensor":
    """The tokens at `places` (n), some of them several times: (1, heads, tokens, head size) to (1, heads, n, head size)."""
    from torch.nn.functional import embedding

    # An embedding is the gather whose gradient, a sum over repeated places, torch takes fast everywhere.
    table = tensor[0].transpose(0, 1)
    return embedding(places, table.flatten(1)).view(-1, *table.shape[1:]).transpose(0, 1)[None]


def in_one_format(*tensors: "torch.Tensor") -> "tuple[torch.Tensor, ...]":
    """Tensors in autocast's number format, where it is on: norms inside attention leave some in float32."""
    import torch

    device = tensors[0].device.type
    if not torch.is_autocast_enabled(device):
        return tensors
    wanted = torch.get_autocast_dtype(device)
    return tuple(tensor.to(wanted) for tensor in tensors)


def segment_by_segment(
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    queries: list[int],
    keys: list[int],
    dropout: float,
    scaling: float | None,
    sliding_window: int | None,
) -> "torch.Tensor":
    """One call of torch's attention for each segment, on any device; shapes as in `attention`.

    Args:
        queries: tokens of each segment in `query`.
        keys: the same in `key` and `value`, whose last tokens are the segment's in `query`.
    """
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    grouped = query.shape[1] != key.shape[1]
    if grouped and query.device.type != "cpu":
        # Kernels that take float32 or a mask on other devices want as many key heads as query heads.
        repeats = query.shape[1] // key.shape[1]
        key, value, grouped = key.repeat_interleave(repeats, dim=1), value.repeat_interleave(repeats, dim=1), False
    # Split rather than sliced: the gradient of each slice would be as long as the row.
    parts = (torch.split(tensor, sizes, dim=2) for tensor, sizes in ((query, queries), (key, keys), (value, keys)))
    outputs = []
    for q, k, v in zip(*parts, strict=True):
        tokens, seen = q.shape[2], k.shape[2]
        # Torch's own causal mask has the first query see the first key alone.
        masked = seen > tokens or (sliding_window is not None and seen > sliding_window)
        window = band(tokens, seen, sliding_window or seen, q.device) if masked else None
        output = scaled_dot_product_attention(
            q, k, v, attn_mask=window, dropout_p=dropout, is_causal=window is None, scale=scaling, enable_gqa=grouped
        )
        outputs.append(output.transpose(1, 2))
    return torch.cat(outputs, dim=1)


@lru_cache(maxsize=256)
def band(tokens: int, seen: int, window: int, device: "torch.device") -> "torch.Tensor":
    """(tokens, seen), True where one of the last `tokens` of `seen` tokens sees another: itself and the `window` - 1 before it."""
    import torch

    distance = torch.arange(seen - tokens, seen, device=device)[:, None] - torch.arange(seen, device=device)[None]
    return (distance >= 0) & (distance < window)


def varlen_kernel(query: "torch.Tensor", value: "torch.Tensor", dropout: float) -> str | None:
    """Which kernel takes all segments at once: `flash_attn` where it is installed, else torch's own, else None."""
    import torch

    if query.device.type != "cuda" or query.dtype not in (torch.float16, torch.bfloat16):
        return None
    if query.shape[-1] != value.shape[-1] or query.shape[-1] > LARGEST_KERNEL_HEAD or query.shape[-1] % 8:
        return None
    if torch.cuda.get_device_capability(query.device) < (8, 0):
        return None
    if installed("flash_attn"):
        return "flash_attn"
    return "torch" if dropout == 0 and installed("torch.nn.attention.varlen") else None


@cache
def installed(module: str) -> bool:
    """Whether a module is there, without importing it."""
    return importlib.util.find_spec(module) is not None


def by_kernel(
    kernel: str,
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    bounds: "tuple[torch.Tensor, torch.Tensor]",
    longest: tuple[int, int],
    dropout: float,
    scaling: float | None,
    sliding_window: int | None,
) -> "torch.Tensor":
    """All segments in one call of flash attention (arXiv 2307.08691); shapes as in `attention`, `bounds` and `longest` of queries and
    of keys, whose last are the queries' own: its causal mask is aligned to the last of both."""
    q, k, v = (tensor[0].transpose(0, 1) for tensor in (query, key, value))
    # Both count the tokens before: a window of one is a token that sees itself alone.
    before = -1 if sliding_window is None else sliding_window - 1
    output: Any
    if kernel == "flash_attn":
        output = importlib.import_module("flash_attn").flash_attn_varlen_func(
            q, k, v, *bounds, *longest, dropout_p=dropout, softmax_scale=scaling, causal=True, window_size=(before, before)
        )
    else:
        from torch.nn.attention.varlen import varlen_attn

        grouped = q.shape[1] != k.shape[1]
        output = varlen_attn(q, k, v, *bounds, *longest, scale=scaling, window_size=(before, 0), enable_gqa=grouped)
    return output[None]
