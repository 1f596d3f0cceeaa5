"""Find what a training step keeps in memory beside the model's states, by running it on tensors that have shapes but no data."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from radgpt.config import Method, Quantization, Training, Tuning
from radgpt.training.planning.stand_ins import LiveBytes, fused_attention, imitate_device, imitate_quantized

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig

PHASES = ("blocks", "head", "backward")
"""A step: forward through the blocks; the head and the loss, forward and back; back through the blocks."""

DEPTHS = (1, 2)
WIDTHS = (1024, 2048)
"""Blocks and tokens that are traced; what a step holds is linear in each, with an attention that builds no matrix of scores."""

ATTENTION = "radgpt_shapes_only"


@dataclass(frozen=True)
class Bilinear:
    """Bytes that are linear in the number of blocks and in the tokens of a micro-batch."""

    fixed: float
    per_block: float
    per_token: float
    per_block_and_token: float

    @classmethod
    def through(cls, seen: dict[tuple[int, int], float]) -> "Bilinear":
        """The one that takes these values at DEPTHS x WIDTHS."""
        (shallow, deep), (narrow, wide) = DEPTHS, WIDTHS
        step, span = deep - shallow, wide - narrow
        both = (seen[deep, wide] - seen[shallow, wide] - seen[deep, narrow] + seen[shallow, narrow]) / step / span
        per_block = (seen[deep, narrow] - seen[shallow, narrow]) / step - both * narrow
        per_token = (seen[shallow, wide] - seen[shallow, narrow]) / span - both * shallow
        fixed = seen[shallow, narrow] - per_block * shallow - per_token * narrow - both * shallow * narrow
        return cls(fixed, per_block, per_token, both)

    def at(self, blocks: int, tokens: int) -> float:
        """Bytes at this depth and width, at least 0."""
        return max(0.0, self.fixed + self.per_block * blocks + self.per_token * tokens + self.per_block_and_token * blocks * tokens)


@dataclass(frozen=True)
class Activations:
    """What a step holds, in bytes, beside weights, gradients and optimizer states."""

    saved: Bilinear
    """At the end of the blocks: what backward needs of them."""
    blocks: Bilinear
    head: Bilinear
    backward: Bilinear
    """Peaks of the three phases, what is saved included; a gradient counts until it is added to those there were."""


@dataclass(frozen=True)
class Step:
    """How a step runs."""

    tuning: Tuning
    training: Training
    weights: str
    """Number format of the weights, as torch names it."""
    autocast: str | None
    """Number format that matrix products are taken in, where it is another."""
    learned_share: float
    """Share of tokens whose logits are needed."""


def trace(config: "PreTrainedConfig", step: Step, prepare: Callable[[Any], Any]) -> Activations:
    """Run shallow copies of a model on tensors without data, and give what a step holds at any depth and width.

    The modules, adapters and recomputation are those of the real training. Only attention is replaced, by one that keeps what
    fused kernels keep (queries, keys, values, output and the logarithms of the row sums: arXiv 2205.14135).

    Args:
        config: of the whole model.
        prepare: makes of a network one to train, as `adapters.prepare_for_tuning` does.

    Raises:
        Exception: of many kinds, where the model looks at its data (routed experts) or at a device.
    """
    peaks: dict[str, dict[tuple[int, int], float]] = {name: {} for name in ("saved", *PHASES)}
    for blocks in DEPTHS:
        with shapes_only(config, blocks, step, prepare) as (network, trainable):
            for tokens in WIDTHS:
                for name, value in run_step(network, trainable, step, tokens).items():
                    peaks[name][blocks, tokens] = value
    return Activations(**{name: Bilinear.through(seen) for name, seen in peaks.items()})


def by_formula(config: "PreTrainedConfig", step: Step) -> Activations:
    """About what `trace` gives, for a decoder with gated feed-forward layers and fused attention.

    After Korthikanti et al. (arXiv 2205.05198, §4.1), counted for such layers: of each token a block keeps 12 vectors of the hidden
    size and 4 of the feed-forward size, and with recomputation its input alone. Adapters about double that.
    """
    text = config.get_text_config()
    width = 2 if "16" in (step.autocast or step.weights) else 4
    hidden = text.hidden_size
    experts = getattr(text, "num_experts_per_tok", None) or 1
    inner = (getattr(text, "moe_intermediate_size", None) or getattr(text, "intermediate_size", None) or 4 * hidden) * experts
    whole = width * (12 * hidden + 4 * inner) * (2 if step.tuning.method is Method.lora else 1)
    kept = width * hidden if step.training.gradient_checkpointing else whole
    head = step.learned_share * text.vocab_size * 2 * width
    saved = Bilinear(0, 0, 0, kept)
    return Activations(saved, Bilinear(0, 0, whole, kept), Bilinear(0, 0, head, kept), Bilinear(0, 0, 1.5 * whole, kept))


@contextmanager
def shapes_only(
    config: "PreTrainedConfig", blocks: int, step: Step, prepare: Callable[[Any], Any]
) -> "Iterator[tuple[Any, list[torch.nn.Parameter]]]":
    """A model of so many blocks, ready to train, and what of it is trained, with gradients; no tensor has data."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from transformers import AttentionInterface, AutoModelForCausalLM
    from transformers.masking_utils import AttentionMaskInterface

    AttentionInterface.register(ATTENTION, fused_attention)
    AttentionMaskInterface.register(ATTENTION, lambda *given, **named: None)
    # On the meta device first: adapters are put in by moves between devices, which tensors that imitate one do not allow.
    with torch.device("meta"):
        base: Any = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            shortened(config, blocks), dtype=getattr(torch, step.weights), attn_implementation=ATTENTION
        )
        if step.tuning.quantization is not Quantization.none:
            imitate_quantized(base, step.tuning.quantization)
        network = prepare(base)
        if step.autocast is None:
            # DeepSpeed computes in the format of the weights, adapters included.
            network.to(base.dtype)
    network.train()
    if step.training.gradient_checkpointing:
        base.activation_checkpointing_enable({"use_reentrant": False})
    with FakeTensorMode():
        imitate_device(network)
        trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
        for parameter in trainable:
            parameter.grad = torch.zeros_like(parameter)
        yield network, trainable


def shortened(config: "PreTrainedConfig", blocks: int) -> "PreTrainedConfig":
    """The config of a model with fewer blocks."""
    short = deepcopy(config)
    text = short.get_text_config()
    text.num_hidden_layers = blocks
    if getattr(text, "layer_types", None):
        text.layer_types = list(text.layer_types[:blocks])
    text.use_cache = False
    return short


def run_step(network: Any, trainable: "list[torch.nn.Parameter]", step: Step, tokens: int) -> dict[str, float]:
    """Bytes held in each phase of a step over one row of tokens."""
    import torch

    from radgpt.training.loop.loss import summed_cross_entropy

    learned = max(1, round(tokens * step.learned_share))
    with LiveBytes([*network.parameters(), *network.buffers(), *(parameter.grad for parameter in trainable)], PHASES[0]) as held:
        head = network.get_output_embeddings()

        def entering(module: Any, inputs: tuple[Any, ...]) -> None:
            held.enter("head")
            if inputs[0].requires_grad:
                inputs[0].register_hook(leaving)

        def leaving(gradient: "torch.Tensor") -> None:
            held.enter("backward")

        hook = head.register_forward_pre_hook(entering)
        row = torch.zeros((1, tokens), dtype=torch.long)
        context = torch.autocast("cpu", dtype=getattr(torch, step.autocast)) if step.autocast else nullcontext()
        with context:
            chosen = torch.zeros(learned, dtype=torch.long)
            logits = network(input_ids=row, position_ids=row, logits_to_keep=chosen, use_cache=False).logits
            loss = summed_cross_entropy()(logits.flatten(0, 1), chosen)
            del logits
        loss.backward()
        hook.remove()
    return {"saved": float(held.on_entry["head"]), **{phase: float(held.peak.get(phase, 0)) for phase in PHASES}}
