"""Check an exported folder against the model that it was made from, by the logits that both give and the prompts that both see."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgpt.chat_format import fitted, training_examples
from radgpt.errors import UserError
from radgpt.models import best_device
from radgpt.records import SPLITS, Pair, read_records

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CONVERSATIONS = 4
"""Conversations that logits are compared on."""
TOKENS = 512
"""Tokens of each that are looked at, up to its end."""
POSITIONS = 64
"""Positions of each whose logits are kept: with 128,000 tokens in the vocabulary, 33 MB a conversation."""

TOLERANCES = {"float32": 1e-4, "float16": 5e-3, "bfloat16": 5e-2}
"""Largest difference of two logits, as a share of the largest logit.

In float32 merging changes the order of additions alone. Shorter formats round every merged weight once: of SmolLM2-135M that moved
logits by 0.07 % (float16) and 0.8 % (bfloat16) of the largest."""


@dataclass(frozen=True)
class Agreement:
    """How near two models' logits are, over all compared positions."""

    largest_difference: float
    typical_difference: float
    """Root of the mean squared difference."""
    largest_logit: float
    """Of the model that is compared with, in absolute value."""
    same_choice: float
    """Share of positions where both hold the same token for likeliest."""

    @property
    def relative(self) -> float:
        """The largest difference as a share of the largest logit, or of 1 where that is greater."""
        return self.largest_difference / max(self.largest_logit, 1.0)


def sample(dataset: Path) -> list[Pair]:
    """The pairs that a check is made on: the first of the test split, else of another; raises UserError where there is none."""
    for split in reversed(SPLITS):
        file = dataset / f"{split}.jsonl"
        if file.exists() and (pairs := list(islice(read_records(file, Pair), CONVERSATIONS))):
            return pairs
    raise UserError(f"inputs.dataset={dataset} holds no pair to compare the exported model on; give a dataset with pairs")


def logits_of(network: "PreTrainedModel", conversations: Iterable[Sequence[int]]) -> "list[torch.Tensor]":
    """Logits over the vocabulary at the last POSITIONS of each conversation (token ids), of which the last TOKENS are read.

    Computed in float32 whatever the weights are held in, on the GPU where the network has room there.

    Returns:
        For each conversation a float32 tensor on the CPU, (positions, vocabulary).
    """
    import torch

    device = roomy_device(network)
    network.to(device)  # type: ignore[arg-type]
    found = []
    with torch.no_grad(), in_float32(network):
        for ids in conversations:
            output: Any = network(input_ids=torch.tensor([ids[-TOKENS:]], device=device))
            found.append(output.logits[0, -POSITIONS:].float().cpu())
    network.to("cpu")  # type: ignore[arg-type]
    return found


def base_logits_of(network: "PreTrainedModel", conversations: Iterable[Sequence[int]]) -> "list[torch.Tensor] | None":
    """The same of the base alone, its adapter switched off; None where there is no adapter."""
    from peft import PeftModel

    if not isinstance(network, PeftModel):
        return None
    with network.disable_adapter():
        return logits_of(network, conversations)


@contextmanager
def in_float32(network: "torch.nn.Module") -> Iterator[None]:
    """Let each layer widen its weights to float32 while it computes: activations are not rounded, and one layer at a time is so large."""
    import torch

    def widen(layer: torch.nn.Module, inputs: Any) -> None:
        for weight in layer.parameters():
            formats[weight] = weight.dtype
            weight.data = weight.data.float()

    def narrow(layer: torch.nn.Module, inputs: Any, output: Any) -> None:
        for weight in layer.parameters():
            weight.data = weight.data.to(formats[weight])

    formats: dict[torch.nn.Parameter, torch.dtype] = {}
    hooks = [hook for layer in layers(network) for hook in (layer.register_forward_pre_hook(widen), layer.register_forward_hook(narrow))]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def layers(module: "torch.nn.Module") -> "Iterator[torch.nn.Module]":
    """The modules of a list, such as a transformer's layers, each whole; and outside of lists all that have weights of their own."""
    import torch

    if isinstance(module, torch.nn.ModuleList):
        yield from module
    elif next(module.parameters(recurse=False), None) is not None:
        yield module
    else:
        for child in module.children():
            yield from layers(child)


def roomy_device(network: "PreTrainedModel") -> "torch.device":
    """This process's GPU if the weights fit into a half of what is free on it, else the CPU."""
    import torch

    device = best_device()
    weights = sum(weight.numel() * weight.element_size() for weight in network.parameters())
    return device if device.type == "cuda" and 2 * weights < torch.cuda.mem_get_info(device)[0] else torch.device("cpu")


def agreement(reference: "Sequence[torch.Tensor]", exported: "Sequence[torch.Tensor]") -> Agreement:
    """Compare two lists of logits, each tensor (positions, vocabulary); what is not a number differs without end."""
    import torch

    one, other = torch.cat(list(reference)), torch.cat(list(exported))
    difference = (one - other).abs().nan_to_num(nan=float("inf"))
    return Agreement(
        largest_difference=difference.max().item(),
        typical_difference=difference.square().mean().sqrt().item(),
        largest_logit=one.abs().max().item(),
        same_choice=(one.argmax(-1) == other.argmax(-1)).float().mean().item(),
    )


def refuse_unlike(found: Agreement, dtype: str) -> None:
    """Raise UserError unless the exported model answers as the trained one does, as far as its number format can."""
    if not found.relative <= TOLERANCES[dtype]:
        raise UserError(
            f"export.dtype={dtype}: the exported model's logits differ from the trained one's by up to {found.largest_difference:.3g} "
            f"({found.relative:.2%} of the largest, where {TOLERANCES[dtype]:.2%} is what {dtype} may round away); nothing was exported; "
            "choose export.dtype=float32"
        )


def rendered(tokenizer: "PreTrainedTokenizerBase", pairs: Iterable[Pair]) -> list[list[int]]:
    """Token ids of whole conversations, as they are trained on."""
    return [training_examples(tokenizer, pair.messages)[-1].ids for pair in pairs]


def rendered_plainly(folder: Path, tokenizer: "PreTrainedTokenizerBase", pairs: Iterable[Pair]) -> list[list[int]]:
    """Token ids that plain transformers makes of the same conversations, messages laid out by `tokenizer`'s template's needs."""
    from transformers import AutoTokenizer

    exported: Any = AutoTokenizer.from_pretrained(folder)
    return [exported.apply_chat_template(fitted(tokenizer, pair.messages), return_dict=False) for pair in pairs]


def refuse_other_prompts(trained: list[list[int]], exported: list[list[int]]) -> None:
    """Raise UserError unless the exported tokenizer renders conversations to the token ids that were trained on."""
    if trained != exported:
        raise UserError(
            "the exported tokenizer's chat template renders conversations otherwise than they were trained on; nothing was exported; "
            "check the template in the checkpoint's folder"
        )
