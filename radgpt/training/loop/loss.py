"""The loss on learned tokens, computed from the logits of those tokens only."""

import inspect
from contextlib import nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

from radgpt.training.data.collation import IGNORED
from radgpt.training.tuning.attention import segments_apart

if TYPE_CHECKING:
    import torch

CHUNK = 1 << 22
"""Logits that are held in float32 at a time: 16 MiB."""


def summed_loss(model: Any, batch: "dict[str, Any]", selects: bool) -> "tuple[torch.Tensor, torch.Tensor]":
    """The negative log-likelihood, in nats, summed over the learned tokens of a batch.

    Most tokens of a pair are the report, whose logits nobody needs: leaving them out saves time and, with large vocabularies,
    most of the memory beside the weights.

    Args:
        model: the causal language model, as it is wrapped for training; ready for flat rows by `use_segment_attention`.
        batch: what `data.collation.collator` makes, padded or flat, on the model's device.
        selects: whether the model's `forward` can give the logits of chosen positions (`selects_logits`).

    Returns:
        (sum, number of learned tokens), both scalars; the sum is float32. Over all micro-batches and ranks of a step, sums and
        counts add up to the exact mean over the step's tokens, whatever shares a micro-batch.

    Raises:
        UserError: the model does not keep the segments of a flat row apart.
    """
    import torch

    inputs = dict(batch)
    labels = inputs.pop("labels")
    # The logits of a token predict the one after it, and those of the last one nothing.
    targets = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=IGNORED)
    positions = (targets != IGNORED).any(dim=0).nonzero()[:, 0]
    if len(positions) == 0:
        # A batch without anything to learn still takes part in what ranks do together.
        positions = torch.zeros(1, dtype=torch.long, device=labels.device)
    chosen = {"logits_to_keep": positions} if selects else {}
    with segments_apart() if "cu_seq_lens_q" in inputs else nullcontext():
        logits = model(**inputs, use_cache=False, **chosen).logits
    if not selects:
        logits = logits[:, positions]
    targets = targets[:, positions].flatten()
    return summed_cross_entropy()(logits.flatten(0, 1), targets), (targets != IGNORED).sum()


def selects_logits(network: Any) -> bool:
    """Whether an unwrapped model (below LoRA) can give the logits of chosen positions."""
    return "logits_to_keep" in inspect.signature(network.forward).parameters


@cache
def summed_cross_entropy() -> Any:
    """Cross-entropy summed over targets, in float32 whatever the logits' format; (logits (n, vocabulary), targets (n)) -> scalar.

    The gradient is taken along with the loss, a few rows at a time, so that beside the logits one tensor like them is held; torch
    holds four, three of them in float32, which for vocabularies of a quarter million is most of the memory of a step.
    """
    import torch

    class SummedCrossEntropy(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            total = torch.zeros((), dtype=torch.float32, device=logits.device)
            wanted = ctx.needs_input_grad[0]
            # Short of float16's reach: what is scaled up later must not be nothing before.
            kept = torch.float32 if logits.dtype is torch.float16 else logits.dtype
            gradient = torch.empty_like(logits, dtype=kept) if wanted else None
            rows = max(1, CHUNK // logits.shape[-1])
            for start in range(0, len(logits), rows):
                part = slice(start, start + rows)
                target = targets[part, None]
                learned = target != IGNORED
                target = target.clamp(min=0)
                scores = torch.log_softmax(logits[part].float(), dim=-1)
                total -= (scores.gather(1, target) * learned).sum()
                if gradient is not None:
                    scores.exp_().scatter_add_(1, target, torch.full_like(scores[:, :1], -1.0))
                    gradient[part] = scores.mul_(learned)
            ctx.save_for_backward(gradient)
            ctx.dtype = logits.dtype
            return total

        @staticmethod
        def backward(ctx: Any, *upstream: torch.Tensor) -> tuple[torch.Tensor, None]:
            (gradient,) = ctx.saved_tensors
            # In place: autograd refuses a second backward, which would find it changed.
            return gradient.mul_(upstream[0]).to(ctx.dtype), None

    return SummedCrossEntropy.apply
