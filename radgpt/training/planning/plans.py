"""Work out what a training takes under given settings, and which change of settings would let it fit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from radgpt.config import (
    Batching,
    DeepSpeed,
    Method,
    Model,
    OffloadDevice,
    OffloadOptimizer,
    OffloadParam,
    Quantization,
    Training,
    Tuning,
    Zero,
)
from radgpt.training.data.batching import FLAT, MicroBatches
from radgpt.training.data.prefixes import shared_with_previous
from radgpt.training.planning.activations import Activations, Step, by_formula, trace
from radgpt.training.planning.memory import GIB, Estimate, Formats, Shape, States, estimate, shape_of, states

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

LEARNED = 0.25
"""Share of tokens taken to be learned where the dataset is not there to count; all of them in pre-training."""

TO_HOST = OffloadOptimizer(OffloadDevice.cpu)
SHARDING = {
    "zero1": Zero(stage=1),
    "zero2": Zero(stage=2, overlap_comm=True),
    "zero3": Zero(stage=3, overlap_comm=True),
    "zero2_offload": Zero(stage=2, overlap_comm=True, offload_optimizer=TO_HOST),
    "zero3_offload": Zero(stage=3, overlap_comm=True, offload_param=OffloadParam(OffloadDevice.cpu), offload_optimizer=TO_HOST),
}
"""Options of conf/deepspeed that save memory, as far as it matters for that."""


@dataclass(frozen=True)
class Examples:
    """What is known of the training examples, row by row."""

    tokens: np.ndarray
    learned: np.ndarray
    """Number of learned tokens."""
    first: np.ndarray
    last: np.ndarray
    """Places of the first and the last learned token."""
    shared: np.ndarray | None = None
    """With `training.share_prefixes`, as `batching.MicroBatches` takes it."""


@dataclass(frozen=True)
class Load:
    """The largest micro-batch that a device is given."""

    rows: int
    tokens: int
    """Padding included."""
    learned: int
    """Positions whose logits are taken."""


@dataclass(frozen=True)
class Plan:
    """A training, as far as it determines its memory."""

    config: "PreTrainedConfig"
    model: Model
    tuning: Tuning
    training: Training
    deepspeed: DeepSpeed
    world_size: int
    on_gpu: bool
    seed: int
    examples: Examples | None
    """None: not known yet; micro-batches are then taken to be full."""
    learned_share: float = LEARNED
    """Where `examples` is None."""
    known: dict[str, Any] = field(default_factory=dict, compare=False)
    """What has been counted and traced before, also for variations of this plan."""

    @property
    def formats(self) -> Formats:
        """Number formats that it trains in."""
        return Formats.planned(self.model, self.tuning, self.training, self.deepspeed, self.on_gpu)

    @property
    def load(self) -> Load:
        """Its largest micro-batch."""
        return largest_load(self.examples, self.training, self.world_size, self.seed, self.learned_share)

    @property
    def shape(self) -> Shape:
        """Its model."""
        name = f"shape {self.tuning} {self.formats.weights}"
        if name not in self.known:
            self.known[name] = shape_of(self.config, self.tuning, self.formats.weights, self.prepare)
        return self.known[name]

    @property
    def held(self) -> Activations:
        """What a step holds beside states, at any size of micro-batch."""
        # One share for all variations, so that few are traced: what is held is linear in tokens.
        share = self.known.setdefault("share", self.load.learned / self.load.tokens)
        step = Step(self.tuning, self.training, self.formats.weights, self.formats.autocast, share)
        name = f"held {self.tuning} {self.training.gradient_checkpointing} {self.formats}"
        if name not in self.known:
            try:
                self.known[name] = trace(self.config, step, self.prepare)
            except Exception:
                # Models that look at their data or at a device cannot run without; which, only trying tells.
                self.known[name] = by_formula(self.config, step)
                self.known["by formula"] = True
        return self.known[name]

    def prepare(self, network: Any) -> Any:
        """The network with adapters; a base that is quantised is not so here, but counted as if it were."""
        from radgpt.training.tuning.adapters import prepare_for_tuning

        plain = replace(self.tuning, quantization=Quantization.none)
        return prepare_for_tuning(network, plain, replace(self.training, neftune_noise_alpha=None))

    @property
    def estimate(self) -> Estimate:
        """Its memory on each device."""
        load, accumulates = self.load, self.training.gradient_accumulation_steps > 1
        masks = self.mask_bytes(load)
        return estimate(self.shape, self.held, self.states, load.tokens, accumulates, self.world_size, self.on_gpu, masks)

    @property
    def states(self) -> States:
        """What it keeps on each device whatever the batch."""
        short = self.formats.weights != "float32"
        return states(self.shape, self.training, self.deepspeed, self.world_size, self.on_gpu, short)

    def mask_bytes(self, load: Load) -> float:
        """Bytes of attention masks: padded rows have one of tokens by tokens, which each block's attention keeps in its own format."""
        if self.training.batching in FLAT:
            return 0.0
        width = 2 if "16" in (self.formats.autocast or self.formats.weights) else 4
        copies = 1 if self.training.gradient_checkpointing else self.shape.blocks
        return float(load.rows * (load.tokens / load.rows) ** 2 * (width * copies + 1))

    def with_micro_batch(self, size: int) -> "Plan":
        """The same examples in a step, by smaller or larger micro-batches."""
        step = self.training.per_device_train_batch_size * self.training.gradient_accumulation_steps
        training = replace(self.training, per_device_train_batch_size=size, gradient_accumulation_steps=max(1, step // size))
        return replace(self, training=training)

    def sharded(self, option: str) -> "Plan":
        """The same under an option of conf/deepspeed."""
        return replace(
            self, deepspeed=DeepSpeed(enabled=True, zero_optimization=SHARDING[option]), training=replace(self.training, fsdp=False)
        )


def largest_load(examples: Examples | None, training: Training, world_size: int, seed: int, learned_share: float) -> Load:
    """The largest micro-batch of the first epoch on any rank; full rows where examples are not known."""
    size = training.per_device_train_batch_size
    if examples is None:
        tokens = size * training.model_max_length
        return Load(size, tokens, max(1, round(tokens * learned_share)))
    flat = training.batching in FLAT
    loads = [
        load_of(examples, np.asarray(batch), flat)
        for step in MicroBatches(examples.tokens, training, world_size, 0, seed, examples.shared).steps()
        for batch in step
        if batch
    ]
    largest = Load(*(max(values) for values in zip(*((load.rows, load.tokens, load.learned) for load in loads), strict=True)))
    if packs(training):
        # What examples share is counted for each of them here, and computed once.
        return replace(largest, tokens=min(largest.tokens, size * training.model_max_length))
    return largest


def load_of(examples: Examples, batch: np.ndarray, flat: bool) -> Load:
    """One micro-batch. In padded rows the logits of a place are taken for all rows as soon as one of them learns it."""
    if flat:
        return Load(1, int(examples.tokens[batch].sum()), int(examples.learned[batch].sum()))
    span = int(examples.last[batch].max() - examples.first[batch].min()) + 1
    return Load(len(batch), len(batch) * int(examples.tokens[batch].max()), len(batch) * span)


def examples_of(tokens: Any, share_prefixes: bool = False) -> Examples:
    """What is known of the rows of `tokens.Tokens.train`."""
    column = tokens.data.column("mask").combine_chunks()
    offsets = np.asarray(column.offsets)
    starts, ends = offsets[:-1], offsets[1:]
    learned = np.flatnonzero(np.asarray(column.values))
    # Of each row, which of all learned tokens are its own.
    low, high = np.searchsorted(learned, starts), np.searchsorted(learned, ends)
    some = high > low
    first, last = np.zeros(len(starts), dtype=np.int64), np.zeros(len(starts), dtype=np.int64)
    first[some], last[some] = learned[low[some]] - starts[some], learned[high[some] - 1] - starts[some]
    return Examples(ends - starts, high - low, first, last, shared_with_previous(tokens) if share_prefixes else None)


def divisors(size: int) -> list[int]:
    """Sizes that divide a micro-batch, the largest first."""
    return [part for part in range(size, 0, -1) if size % part == 0]


@dataclass(frozen=True)
class Change:
    """Settings to type, and the plan that they give."""

    typed: tuple[str, ...]
    plan: Plan


def changes(plan: Plan) -> Iterator[Change]:
    """Changes that take less memory, from those that cost least: smaller micro-batches in the same step, recomputation, sharding over
    the processes, the host's memory, and a base in 4 bits."""
    leaner: list[tuple[tuple[str, ...], Plan]] = [((), plan)]
    if not plan.training.gradient_checkpointing:
        leaner.append(
            (("training.gradient_checkpointing=true",), replace(plan, training=replace(plan.training, gradient_checkpointing=True)))
        )
    typed, lean = leaner[-1]
    for option in options(plan):
        leaner.append(((*typed, f"deepspeed={option}"), lean.sharded(option)))
    if plan.tuning.method is Method.lora and plan.tuning.quantization is not Quantization.nf4 and not plan.tuning.use_dora:
        quantized = replace(lean, tuning=replace(plan.tuning, quantization=Quantization.nf4))
        if sharded_weights(quantized):
            quantized = quantized.sharded("zero2") if plan.world_size > 1 else replace(quantized, deepspeed=DeepSpeed())
            typed = (*typed, "deepspeed=zero2" if plan.world_size > 1 else "deepspeed=none")
        leaner.append(((*typed, "tuning.quantization=nf4"), quantized))
    for typed, variation in leaner:
        for size in divisors(plan.training.per_device_train_batch_size):
            smaller = variation.with_micro_batch(size)
            if size == plan.training.per_device_train_batch_size:
                if typed:
                    yield Change(typed, smaller)
                continue
            accumulated = smaller.training.gradient_accumulation_steps
            yield Change(
                (*typed, f"training.per_device_train_batch_size={size}", f"training.gradient_accumulation_steps={accumulated}"), smaller
            )


def options(plan: Plan) -> list[str]:
    """Options of conf/deepspeed that take less than the plan's own, the least hindrance first."""
    zero = plan.deepspeed.zero_optimization if plan.deepspeed.enabled else Zero()
    some = plan.world_size > 1
    offloads = zero.offload_optimizer.device is not OffloadDevice.none
    chosen = ["zero2"] if some and zero.stage < 2 and not plan.training.fsdp else []
    if some and zero.stage < 3 and plan.tuning.quantization is Quantization.none and not plan.training.fsdp:
        chosen.append("zero3")
    if plan.tuning.quantization is not Quantization.none:
        return chosen + ([] if offloads else ["zero2_offload"])
    if zero.offload_param.device is OffloadDevice.none:
        chosen.append("zero3_offload")
    return chosen


def sharded_weights(plan: Plan) -> bool:
    """Whether each device holds a part of each weight, which quantised ones do not allow."""
    return plan.training.fsdp or (plan.deepspeed.enabled and plan.deepspeed.zero_optimization.stage == 3)


def cheapest(plan: Plan, memory_gib: float) -> Change | None:
    """The first change that fits a device; None if none does."""
    return next((change for change in changes(plan) if change.plan.estimate.peak <= memory_gib * GIB), None)


def table(plan: Plan, sizes: Sequence[int]) -> dict[str, list[Estimate]]:
    """Estimates by option of conf/deepspeed and micro-batch; the first row is the plan's own engine."""
    quantized = plan.tuning.quantization is not Quantization.none
    names = ["zero1", "zero2", "zero3", "zero3_offload"] if plan.world_size > 1 else ["zero2_offload", "zero3_offload"]
    rows = {"as chosen": plan} | {f"deepspeed={name}": plan.sharded(name) for name in names if not (quantized and name.startswith("zero3"))}
    return {name: [row.with_micro_batch(size).estimate for size in sizes] for name, row in rows.items()}


def packs(training: Training) -> bool:
    """Whether the units of a micro-batch are full rows rather than examples."""
    return training.batching is Batching.packed
