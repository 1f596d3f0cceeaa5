"""Tell before a training what it will take: parameters, memory, steps and tokens; refuse what cannot fit."""

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from radgpt.config import Method, Model, Pretraining
from radgpt.errors import UserError
from radgpt.models import explained, hub_options, quieten
from radgpt.run import Run
from radgpt.training.data.batching import MicroBatches, pad_waste
from radgpt.training.engine.accelerators import Accelerator, find, this_accelerator
from radgpt.training.planning.advice import advice
from radgpt.training.planning.memory import CONTEXT, GIB, Estimate, meta_network
from radgpt.training.planning.plans import LEARNED, Plan, changes, cheapest, examples_of, packs, table
from radgpt.training.recipe import Recipe
from radgpt.training.watching.flops import operations_per_token

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

    from radgpt.training.data.tokens import Tokens

UNCERTAINTY = 0.1
"""Share by which an estimate may be wrong: what exceeds the memory by more is refused, and what comes this near is said to."""

ASSUMED_USE = 0.4
"""Share of a data sheet's speed that training is taken to reach (MFU), for want of a measurement."""

SIZES = (1, 2, 4, 8, 16)
"""Micro-batches that the table of what fits has."""


@dataclass(frozen=True)
class Device:
    """Where it trains, or would."""

    name: str
    memory_gib: float
    """What one process can have."""
    tflops: float | None
    is_gpu: bool


def gpu(accelerator: Accelerator, free_gib: float | None = None) -> Device:
    """A GPU, with what is free on it, or all of its memory."""
    return Device(accelerator.name, free_gib or accelerator.memory_gib, accelerator.bf16_tflops, True)


def device_here(processes: int) -> Device:
    """This process's GPU and what is free on it, or its share of the host's memory.

    Args:
        processes: of this training, on this machine.
    """
    import psutil
    import torch

    here = this_accelerator()
    if here is None:
        return Device("CPU", psutil.virtual_memory().available / processes / GIB, None, False)
    # This process's own context is there already, and is counted with what the training takes.
    return gpu(here, (torch.cuda.mem_get_info()[0] + CONTEXT) / GIB)


def check_before_training(run: Run, base: str, recipe: Recipe, tokens: "Tokens") -> None:
    """Say in a few lines what the training will take, on rank 0 and before weights are loaded.

    On a CPU, where other programs share the memory, only what is there whatever the batch is counted.

    Args:
        base: what `from_pretrained` takes for the base model; only its config is read.

    Raises:
        UserError: it cannot fit the device, with the cheapest change that would.
    """
    if run.rank != 0 or not recipe.preflight.enabled:
        return
    device = device_here(int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
    plan = plan_of(recipe, config_of(recipe.model, base), run.world_size, device, tokens)
    told = [model_line(plan), data_line(plan, tokens), steps_line(plan), *advice(plan)]
    run.say("\n".join(f"  {line}" for line in told))
    if device.is_gpu:
        run.say(f"  {memory_line(plan.estimate, device)}")
    refuse_unfit(plan, device)


def foretell(run: Run, recipe: Recipe, config: "PreTrainedConfig", tokens: "Tokens | None") -> None:
    """Print all that is known of a training of `run.world_size` processes, on `preflight.gpu` or the device that is here.

    Args:
        config: the base model's.
        tokens: None where the dataset is not there yet; micro-batches are then taken to be full.

    Raises:
        UserError: it cannot fit the device, with the cheapest change that would.
    """
    quieten()
    device = gpu(find(recipe.preflight.gpu)) if recipe.preflight.gpu else device_here(run.world_size)
    plan = plan_of(recipe, config, run.world_size, device, tokens)
    run.say("\n".join(f"  {line}" for line in report(plan, device, tokens)))
    if recipe.preflight.enabled:
        refuse_unfit(plan, device)


def plan_of(recipe: Recipe, config: "PreTrainedConfig", world_size: int, device: Device, tokens: "Tokens | None") -> Plan:
    """The training by its recipe, on a device; `tokens` as in `foretell`."""
    training = recipe.training
    return Plan(
        config,
        recipe.model,
        recipe.tuning,
        training,
        recipe.deepspeed,
        world_size,
        device.is_gpu,
        recipe.seed,
        examples=None if tokens is None else examples_of(tokens.train, training.share_prefixes),
        learned_share=1.0 if isinstance(training, Pretraining) else LEARNED,
    )


def report(plan: Plan, device: Device, tokens: "Tokens | None") -> list[str]:
    """What `foretell` prints."""
    told = [model_line(plan), data_line(plan, tokens), steps_line(plan), *advice(plan)]
    lines = [*told, memory_line(plan.estimate, device), *parts(plan.estimate)]
    if "by formula" in plan.known:
        lines.append("             activations by formula: this model cannot be gone through without its weights")
    if plan.examples is not None and device.tflops is not None:
        lines.append(time_line(plan, device.tflops))
    if device.is_gpu:
        return [*lines, *fits(plan, device)]
    return [*lines, "fits         preflight.gpu=NAME, such as A100-80GB, tells for a GPU, in processes that launch.processes=N gives"]


def model_line(plan: Plan) -> str:
    """What is trained."""
    shape, formats = plan.shape, plan.formats
    base = f", {shape.quantized / shape.parameters:.0%} of it in {plan.tuning.quantization.name}" if shape.quantized else ""
    return (
        f"model        {plan.model.name_or_path}: {counted(shape.parameters)} parameters in {shape.blocks} blocks, "
        f"{formats.weights}{base}; {counted(shape.trained)} are trained ({shape.trained / shape.parameters:.2%})"
    )


def data_line(plan: Plan, tokens: "Tokens | None") -> str:
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


def refuse_unfit(plan: Plan, device: Device) -> None:
    """Raise UserError where a training cannot fit a GPU, or where a CPU's memory does not even hold its states."""
    if device.is_gpu:
        refuse_impossible(plan, device)
    else:
        refuse_impossible_here(plan, device)


def refuse_impossible(plan: Plan, device: Device) -> None:
    """Raise UserError where even an estimate that is too high by UNCERTAINTY does not fit, with the cheapest change that does."""
    needed = plan.estimate.peak
    if needed * (1 - UNCERTAINTY) <= device.memory_gib * GIB:
        return
    change = cheapest(plan, device.memory_gib)
    if change is not None:
        mend = f"{' '.join(change.typed)} would do, with about {shown(change.plan.estimate.peak)}"
    else:
        least = min(each.plan.estimate.peak for each in changes(plan))
        mend = (
            f"no smaller batch, sharding or quantisation fits either ({shown(least)} at the least): choose a smaller model, a smaller "
            "training.model_max_length, more processes, or a larger GPU"
        )
    raise UserError(
        f"training.per_device_train_batch_size={plan.training.per_device_train_batch_size}: training would take about {shown(needed)} on "
        f"each device, and {device.name} has {device.memory_gib:.1f}; {mend}; preflight.enabled=false tries all the same"
    )


def refuse_impossible_here(plan: Plan, device: Device) -> None:
    """Raise UserError where weights, gradients and optimizer states alone exceed what is free in the host's memory."""
    kept = plan.states
    needed = kept.weights + kept.optimizer + kept.gradients + kept.host
    if needed <= device.memory_gib * GIB:
        return
    lighter = "a smaller model, or tuning=lora" if plan.tuning.method is Method.full else "a smaller model"
    raise UserError(
        f"model.name_or_path={plan.model.name_or_path}: weights, gradients and optimizer states take {shown(needed)} for each process, "
        f"and {device.memory_gib:.1f} GiB of this machine's memory are free for it; choose {lighter}; "
        "preflight.enabled=false tries all the same"
    )


def counted(number: int) -> str:
    """A number of weights, in millions or billions."""
    return f"{number / 1e9:,.2f} billion" if number >= 1e9 else f"{number / 1e6:,.2f} million"


def shown(size: float) -> str:
    """Bytes, to about three figures."""
    return f"{gib(size)} GiB" if size >= GIB else f"{size / 2**20:,.1f} MiB"


def gib(size: float) -> str:
    """Bytes in GiB, to about three figures."""
    return f"{size / GIB:,.{1 if size >= 10 * GIB else 2}f}"


def config_of(model: Model, base: str) -> "PreTrainedConfig":
    """The base model's config; raises UserError where it cannot be had."""
    from transformers import AutoConfig

    with explained(model):
        return AutoConfig.from_pretrained(base, **hub_options(model, base))
