"""The loss on answer tokens, computed from the logits of those tokens only."""

import inspect
from typing import TYPE_CHECKING, Any

from radgpt.training.tokens import IGNORED

if TYPE_CHECKING:
    import torch


def summed_loss(model: Any, batch: "dict[str, torch.Tensor]", selects: bool) -> "tuple[torch.Tensor, torch.Tensor]":
    """The negative log-likelihood, in nats, summed over the learned tokens of a batch.

    Most tokens of a pair are the report, whose logits nobody needs: leaving them out saves time and, with large vocabularies,
    most of the memory beside the weights.

    Args:
        model: the causal language model, as it is wrapped for training.
        batch: input_ids, attention_mask, labels, each (rows, tokens), on the model's device.
        selects: whether the model's `forward` can give the logits of chosen positions (`selects_logits`).

    Returns:
        (sum, number of learned tokens), both scalars.
    """
    from torch.nn.functional import cross_entropy

    # The logits of a token predict the one after it.
    targets = batch["labels"][:, 1:]
    positions = (targets != IGNORED).any(dim=0).nonzero()[:, 0]
    chosen = {"logits_to_keep": positions} if selects else {}
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], **chosen).logits
    if not selects:
        logits = logits[:, positions]
    targets = targets[:, positions]
    total = cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum")
    return total, (targets != IGNORED).sum()


def selects_logits(network: Any) -> bool:
    """Whether an unwrapped model (below LoRA) can give the logits of chosen positions."""
    return "logits_to_keep" in inspect.signature(network.forward).parameters
