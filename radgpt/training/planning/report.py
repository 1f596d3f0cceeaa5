"""Put into lines what a training will take: parameters, data, steps, memory and time."""

import math
from typing import TYPE_CHECKING

from radgpt.training.data.batching import MicroBatches, pad_waste
from radgpt.training.planning.advice import advice
from radgpt.training.planning.device import Device
from radgpt.training.planning.memory import GIB, UNCERTAINTY, Estimate, meta_network
from radgpt.training.planning.plans import Plan, packs, table
from radgpt.training.watching.flops import operations_per_token

if TYPE_CHECKING:
    from radgpt.training.data.tokens import Tokens

ASSUMED_USE = 0.4
"""Share of a data sheet's speed that training is taken to reach (MFU), for want of a measurement."""

SIZES = (1, 2, 4, 8, 16)
"""Micro-batches that the table of what fits has."""


def report(plan: Plan, device: Device, tokens: "Tokens | None") -> list[str]:
    """All that is known of a training, line by line; `tokens` is None where the dataset is not there yet."""
    told = short(plan, tokens)
    lines = [*told, memory_line(plan.estimate, device), *parts(plan.estimate)]
    if "by formula" in plan.known:
        lines.append("             activations by formula: this model cannot be gone through without its weights")
    if plan.examples is not None and device.tflops is not None:
        lines.append(time_line(plan, device.tflops))
    if device.is_gpu:
        return [*lines, *fits(plan, device)]
    return [*lines, "fits         preflight.gpu=NAME, such as A100-80GB, tells for a GPU, in processes that launch.processes=N gives"]


def short(plan: Plan, tokens: "Tokens | None") -> list[str]:
    """What is trained, on what, in which steps, and what of that would seldom be meant."""
    return [model_line(plan), data_line(tokens), steps_line(plan), *advice(plan)]


def model_line(plan: Plan) -> str:
    """What is trained."""
    shape, formats = plan.shape, plan.formats
    base = f", {shape.quantized / shape.parameters:.0%} of it in {plan.tuning.quantization.name}" if shape.quantized else ""
    return (
        f"model        {plan.model.name_or_path}: {counted(shape.parameters)} parameters in {shape.blocks} blocks, "
        f"{formats.weights}{base}; {counted(shape.trained)} are trained ({shape.trained / shape.parameters:.2%})"
    )


def data_line(tokens: "Tokens | None") -> str:
    """What there is to learn from."""
    if tokens is None:
        return "data         not made yet: tokens, steps and padding are unknown, and memory is for full micro-batches"
    counts = tokens.counts
    of_train = counts.train
    line = (
        f"data         {of_train.examples:,} examples, {of_train.tokens:,} tokens an epoch, "
        f"{of_train.learned_tokens / of_train.tokens:.1%} learned, the longest {of_train.longest:,}"
    )
    if counts.dropped_too_long:
        line += f"; left out as too long: {counts.dropped_too_long:,}"
    return line + (f"; reports cut: {counts.cut_reports:,}" if counts.cut_reports else "")


def steps_line(plan: Plan) -> str:
    """How it goes through that."""
    training, processes = plan.training, f"{plan.world_size} process{'es' if plan.world_size > 1 else ''}"
    size, accumulated = training.per_device_train_batch_size, training.gradient_accumulation_steps
    unit = "rows" if packs(training) else "examples"
    line = f"{size * accumulated * plan.world_size} {unit} a step ({size} x {accumulated} accumulated x {processes})"
    if plan.examples is not None:
        each, total = steps_of(plan)
        waste = pad_waste(plan.examples.tokens, training, plan.world_size, plan.seed)
        line = f"{total:,} of {line}, {each:,} an epoch; {waste:.1%} padding"
    return f"steps        {line}; at most {plan.load.tokens:,} tokens a micro-batch"


def steps_of(plan: Plan) -> tuple[int, int]:
    """Optimizer steps in an epoch, and in all."""
    if plan.examples is None:
        raise ValueError("without examples there are no steps to count")
    batches = len(MicroBatches(plan.examples.tokens, plan.training, plan.world_size, 0, plan.seed, plan.examples.shared))
    each = math.ceil(batches / plan.training.gradient_accumulation_steps)
    return each, plan.training.max_steps if plan.training.max_steps > 0 else math.ceil(plan.training.num_train_epochs * each)


def memory_line(needed: Estimate, device: Device) -> str:
    """What of the device's memory is taken."""
    share = needed.peak / GIB / device.memory_gib
    verdict = "does not fit" if share > 1 else "tight" if share > 1 - UNCERTAINTY else "fits"
    line = f"memory       about {shown(needed.peak)} of {device.memory_gib:.1f} GiB a process on {device.name}: {verdict}"
    return line + (f"; {shown(needed.host)} of the host's memory for each" if needed.host else "")


def parts(needed: Estimate) -> list[str]:
    """The estimate at the fullest moment, part by part."""
    always = {
        "weights": needed.weights,
        "gradients": needed.gradients,
        "optimizer states": needed.optimizer,
        "activations": needed.activations,
        "logits and loss": needed.loss,
        "working memory": needed.temporary,
    }
    some = {"exchange between processes": needed.buffers, "CUDA and fragments": needed.overhead}
    shares = always | {name: value for name, value in some.items() if value}
    return [f"               {name:<28}{shown(value):>12}" for name, value in shares.items()]


def time_line(plan: Plan, tflops: float) -> str:
    """About how long it takes."""
    if plan.examples is None:
        raise ValueError("without examples there is no time to tell")
    each, total = steps_of(plan)
    tokens = float(plan.examples.tokens.sum()) * total / each
    # The forward pass is a third of the operations of full training, and half of those beside adapters: recomputation adds it again.
    again = (4 / 3 if plan.shape.trained == plan.shape.parameters else 3 / 2) if plan.training.gradient_checkpointing else 1.0
    seconds = tokens * operations(plan) * again / (plan.world_size * tflops * 1e12 * ASSUMED_USE)
    span = f"{seconds / 3600:,.1f} hours" if seconds >= 3600 else f"{seconds / 60:,.0f} minutes"
    return f"time         about {span}, if {ASSUMED_USE:.0%} of the data sheet's {tflops:,.0f} TFLOP/s are reached (assumed)"


def operations(plan: Plan) -> float:
    """Floating-point operations for each token, recomputation left out."""
    if plan.examples is None:
        raise ValueError("without examples the length that attention spans is not known")
    with meta_network(plan.config, plan.formats.weights) as network:
        return operations_per_token(plan.prepare(network), plan.examples.tokens.tolist())


def fits(plan: Plan, device: Device) -> list[str]:
    """A table of the memory by way of sharding and micro-batch."""
    sizes = sorted({*SIZES, plan.training.per_device_train_batch_size})
    recomputes = "with" if plan.training.gradient_checkpointing else "without"
    lines = [f"fits         GiB a process by micro-batch, {recomputes} gradient checkpointing; in brackets what does not fit {device.name}"]
    lines.append(f"               {'':<26}" + "".join(f"{size:>9}" for size in sizes))
    for name, estimates in table(plan, sizes).items():
        cells = [gib(each.peak) if each.peak <= device.memory_gib * GIB else f"({gib(each.peak)})" for each in estimates]
        lines.append(f"               {name:<26}" + "".join(f"{cell:>9}" for cell in cells))
    return lines


def counted(number: int) -> str:
    """A number of weights, in millions or billions."""
    return f"{number / 1e9:,.2f} billion" if number >= 1e9 else f"{number / 1e6:,.2f} million"


def shown(size: float) -> str:
    """Bytes, to about three figures."""
    return f"{gib(size)} GiB" if size >= GIB else f"{size / 2**20:,.1f} MiB"


def gib(size: float) -> str:
    """Bytes in GiB, to about three figures."""
    return f"{size / GIB:,.{1 if size >= 10 * GIB else 2}f}"
