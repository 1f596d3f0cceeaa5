"""Estimate the memory that training takes on each device, part by part."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from radgpt.config import DeepSpeed, Dtype, Method, Model, OffloadDevice, Quantization, Training, Tuning
from radgpt.training.planning.activations import Activations

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

GIB = 2**30

UNCERTAINTY = 0.1
"""Share by which an estimate may be wrong: what exceeds the memory by more is refused, and what comes this near is said to."""

NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Of a weight in 4 bits: 64 share an 8-bit scale, 256 of those a float32 (double quantisation, arXiv 2305.14314)."""

STATE_BYTES = {"adamw_torch": 8.0, "adafactor": 0.02, "sgd": 0.0, "rmsprop": 4.0, "adagrad": 4.0, "lion": 4.0}
"""Optimizer states of a float32 weight, by the beginning of the optimizer's name; 8-bit variants take a quarter (arXiv 2110.02861)."""

CONTEXT = 0.7 * GIB
"""CUDA's context with the kernels and workspaces of PyTorch, which no allocator of PyTorch counts."""

COLLECTIVES = 0.5 * GIB
"""Buffers of NCCL, where several processes train."""

FRAGMENTS = 0.05
"""Share that PyTorch's caching allocator holds beyond what tensors of changing sizes need."""

DDP_COPIES = 1.0
"""Buckets that DistributedDataParallel reduces gradients in, as a multiple of the gradients."""


@dataclass(frozen=True)
class Shape:
    """What a model's states are counted by; numbers are weights unless they are bytes."""

    frozen: int
    frozen_bytes: int
    """Of frozen weights that are not quantised."""
    quantized: int
    quantized_bytes: int
    trained: int
    trained_bytes: int
    blocks: int
    largest_block: int
    beside_blocks: int
    """Embeddings, the last norm and the head."""
    largest_tensor_bytes: int
    hidden_size: int

    @property
    def parameters(self) -> int:
        """All of them, adapters included."""
        return self.frozen + self.quantized + self.trained


def shape_of(config: "PreTrainedConfig", tuning: Tuning, weights: str, prepare: Callable[[Any], Any]) -> Shape:
    """Count a model's weights on the meta device, where they take no memory.

    Args:
        weights: number format of the weights, as torch names it.
        prepare: as for `activations.trace`.
    """
    import torch

    with meta_network(config, weights) as base:
        linear = {id(module.weight) for module in base.modules() if type(module) is torch.nn.Linear}
        linear -= {id(base.get_output_embeddings().weight)}
        chosen = linear if tuning.quantization is not Quantization.none else set()
        blocks = blocks_of(base)
        network = prepare(base)
    rows = sum(weight.shape[0] for weight in network.parameters() if id(weight) in chosen)
    all_weights = list(network.parameters())
    trained = [weight for weight in all_weights if weight.requires_grad]
    frozen = [weight for weight in all_weights if not weight.requires_grad and id(weight) not in chosen]
    quantized = sum(weight.numel() for weight in all_weights if id(weight) in chosen)
    sizes = [sum(weight.numel() for weight in block.parameters()) for block in blocks]
    return Shape(
        frozen=sum(weight.numel() for weight in frozen),
        frozen_bytes=bytes_of(frozen),
        quantized=quantized,
        quantized_bytes=round(quantized * NF4_BYTES) if tuning.quantization is Quantization.nf4 else quantized + 4 * rows,
        trained=sum(weight.numel() for weight in trained),
        trained_bytes=bytes_of(trained),
        blocks=len(blocks),
        largest_block=max(sizes),
        beside_blocks=sum(weight.numel() for weight in all_weights) - sum(sizes),
        largest_tensor_bytes=max(bytes_of([weight]) for weight in trained),
        hidden_size=config.get_text_config().hidden_size,
    )


@contextmanager
def meta_network(config: "PreTrainedConfig", weights: str) -> Iterator[Any]:
    """A model whose tensors have shapes but no data, as have all that are made inside the block."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        yield AutoModelForCausalLM.from_config(config, dtype=getattr(torch, weights))  # type: ignore[no-untyped-call]


def blocks_of(network: Any) -> list[Any]:
    """The decoder's blocks: the longest list of modules in it."""
    import torch

    lists = [list(module) for module in network.modules() if isinstance(module, torch.nn.ModuleList)]
    return max(lists, key=len, default=[network])


def bytes_of(weights: "list[Any]") -> int:
    """Bytes of tensors."""
    return sum(weight.numel() * weight.element_size() for weight in weights)


@dataclass(frozen=True)
class Formats:
    """Number formats, as torch names them."""

    weights: str
    autocast: str | None
    """What matrix products are taken in, where PyTorch casts for each."""

    @classmethod
    def planned(cls, model: Model, tuning: Tuning, training: Training, deepspeed: DeepSpeed, on_gpu: bool) -> "Formats":
        """Those that `arguments.training_arguments` and `arguments.weight_format` choose on such a device."""
        chosen = model.dtype.name if model.dtype is not Dtype.auto else "bfloat16" if on_gpu else "float32"
        short = None if chosen == "float32" else chosen
        if deepspeed.enabled:
            return cls(chosen, None)
        masters = (tuning.method is Method.full and model.dtype is Dtype.auto) or training.fsdp
        return cls("float32" if masters else chosen, short)


@dataclass(frozen=True)
class States:
    """Bytes on one device, whatever the batch."""

    weights: float
    optimizer: float
    gradients: float
    """During forward and backward."""
    step_gradients: float
    """During the optimizer's step."""
    step_work: float
    """The step's own copies."""
    buffers: float
    """What ranks exchange: buckets of gradients, gathered weights."""
    host: float = 0.0
    """Offloaded by this process to the host's memory."""


def states(shape: Shape, training: Training, deepspeed: DeepSpeed, world_size: int, on_gpu: bool, short: bool) -> States:
    """What weights, gradients and optimizer states take on each of `world_size` devices.

    Args:
        short: whether DeepSpeed computes in 16 bits; it then keeps float32 copies of what is trained.
    """
    if deepspeed.enabled:
        return zero_states(shape, training, deepspeed, world_size, on_gpu, short)
    weights = shape.frozen_bytes + shape.quantized_bytes + shape.trained_bytes
    gradients = float(shape.trained_bytes)
    optimizer = shape.trained_bytes / 4 * state_bytes(training.optim)
    work = step_work(training.optim, gradients, shape.largest_tensor_bytes, on_gpu)
    if not training.fsdp:
        return States(weights, optimizer, gradients, gradients, work, gradients * DDP_COPIES if world_size > 1 else 0.0)
    gathered = 2.0 if on_gpu else 4.0
    # A block is gathered while the one before it computes, with the gradients of both; what is beside the blocks stays.
    buffers = gathered * (4 * shape.largest_block + 2 * shape.beside_blocks) if world_size > 1 else 0.0
    return States(weights / world_size, optimizer / world_size, gradients / world_size, gradients / world_size, work / world_size, buffers)


def zero_states(shape: Shape, training: Training, deepspeed: DeepSpeed, world_size: int, on_gpu: bool, short: bool) -> States:
    """`states` under DeepSpeed, after its source (0.19: `stage_1_and_2.py`, `stage3.py`) and ZeRO's paper (arXiv 1910.02054, §3)."""
    zero = deepspeed.zero_optimization
    width = 2.0 if short else 4.0
    optimizer_offloaded = zero.offload_optimizer.device is not OffloadDevice.none
    weights_offloaded = zero.offload_param.device is not OffloadDevice.none
    share = 1 / world_size if zero.stage >= 1 else 1.0
    masters = 4.0 * shape.trained * share if short or zero.stage >= 1 else 0.0
    optimizer = masters + state_bytes(training.optim) * shape.trained * share
    gradients = width * shape.trained * (share if zero.stage >= 2 else 1.0)
    # At stage 3 the step goes through groups of weights, one after the other.
    at_once = shape.trained * share if zero.stage < 3 else min(shape.trained * share, zero.sub_group_size or 1e9)
    kept = gradients if zero.stage == 3 else 0.0
    step_gradients = kept + 4.0 * at_once
    work = step_work(training.optim, 4.0 * at_once, 4.0 * at_once, on_gpu)
    whole = width * (shape.frozen + shape.trained)
    weights = shape.quantized_bytes + whole * (share if zero.stage == 3 else 1.0)
    buffers = zero_buffers(shape, deepspeed, width)
    host = 0.0
    if optimizer_offloaded:
        ratio = zero.offload_optimizer.ratio if zero.stage == 3 else 1.0
        host += ratio * (optimizer + 4.0 * shape.trained * share)
        optimizer, step_gradients, work = (1 - ratio) * optimizer, (1 - ratio) * step_gradients, (1 - ratio) * work
        gradients = gradients if zero.stage == 1 else 0.0
    if weights_offloaded:
        host += weights
        weights = 0.0
    return States(weights, optimizer, gradients, step_gradients, work, buffers, host)


def zero_buffers(shape: Shape, deepspeed: DeepSpeed, width: float) -> float:
    """Bytes of DeepSpeed's buckets, and of the weights that stage 3 gathers ahead and holds for backward."""
    zero = deepspeed.zero_optimization
    if zero.stage == 0:
        return 0.0
    if zero.stage < 3:
        return width * (zero.reduce_bucket_size or 5e8) * (2 if zero.overlap_comm else 1)
    bucket = zero.reduce_bucket_size or shape.hidden_size**2
    whole = shape.frozen + shape.trained
    live = min(zero.stage3_max_live_parameters or 1e9, zero.stage3_max_reuse_distance or 1e9)
    gathered = min(whole, max(live, 2 * shape.largest_block, shape.beside_blocks))
    return width * (bucket + gathered)


def state_bytes(optim: str) -> float:
    """Bytes of an optimizer's states for each float32 weight on the device; those of unknown ones are taken for AdamW's."""
    if optim.startswith("paged_"):
        return 0.0
    known = next((size for name, size in STATE_BYTES.items() if optim.startswith(name)), 8.0)
    return known / 4 if optim.endswith("8bit") else known


def step_work(optim: str, all_bytes: float, largest_bytes: float, on_gpu: bool) -> float:
    """Bytes that a step holds of its own: PyTorch's AdamW takes all weights at once on GPUs, one after the other on CPUs."""
    if not on_gpu:
        return 2.0 * largest_bytes
    return all_bytes if optim == "adamw_torch" else 0.0


@dataclass(frozen=True)
class Estimate:
    """Bytes on one device when most are in use, by what uses them; they add up."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    """What the blocks keep for backward."""
    loss: float
    """Logits of learned tokens and their gradient."""
    temporary: float
    """What a block, or the optimizer's step, holds for a moment."""
    buffers: float
    overhead: float
    host: float = 0.0
    """Offloaded to the host's memory by this process; not part of the sum."""

    @property
    def peak(self) -> float:
        """All of them."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.loss + self.temporary + self.buffers + self.overhead


def estimate(
    shape: Shape, held: Activations, kept: States, tokens: int, accumulates: bool, world_size: int, on_gpu: bool, mask_bytes: float = 0.0
) -> Estimate:
    """The fullest moment of a training step: in forward, in backward, or in the optimizer's step.

    Args:
        tokens: of the largest micro-batch, padding included.
        accumulates: whether gradients of an earlier micro-batch are there from the start.
        mask_bytes: of attention masks.
    """
    saved = held.saved.at(shape.blocks, tokens) + mask_bytes
    forward = max(held.blocks.at(shape.blocks, tokens), held.head.at(shape.blocks, tokens)) + mask_bytes
    loss = max(0.0, held.head.at(shape.blocks, tokens) + mask_bytes - saved)
    backward = held.backward.at(shape.blocks, tokens) + mask_bytes
    last_block = held.backward.at(1, tokens) + mask_bytes
    # Without earlier gradients, those of the blocks come to be while the activations of the same blocks go.
    ahead = kept.gradients if accumulates else 0.0
    in_pass = max(ahead + forward, ahead + backward, kept.gradients + last_block)
    in_step = kept.step_gradients + kept.step_work
    if in_step > in_pass:
        parts = {"gradients": kept.step_gradients, "activations": 0.0, "loss": 0.0, "temporary": kept.step_work}
    elif in_pass == kept.gradients + last_block and not accumulates:
        parts = {"gradients": kept.gradients, "activations": 0.0, "loss": 0.0, "temporary": last_block}
    else:
        beyond = max(0.0, in_pass - ahead - saved - loss)
        parts = {"gradients": ahead, "activations": saved, "loss": loss, "temporary": beyond}
    moving = max(in_pass, in_step)
    overhead = CONTEXT + (COLLECTIVES if world_size > 1 else 0.0) + FRAGMENTS * moving if on_gpu else 0.0
    return Estimate(weights=kept.weights, optimizer=kept.optimizer, buffers=kept.buffers, overhead=overhead, host=kept.host, **parts)
