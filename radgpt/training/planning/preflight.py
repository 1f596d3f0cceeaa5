"""Tell before a training what it will take, and refuse what cannot fit."""

import os
from typing import TYPE_CHECKING

from radgpt.config import Method, Model, Pretraining
from radgpt.errors import UserError
from radgpt.models import explained, hub_options, quieten
from radgpt.run import Run
from radgpt.training.engine.accelerators import find
from radgpt.training.planning.device import Device, device_here, gpu
from radgpt.training.planning.memory import GIB, UNCERTAINTY
from radgpt.training.planning.plans import LEARNED, Plan, changes, cheapest, examples_of
from radgpt.training.planning.report import memory_line, report, short, shown
from radgpt.training.recipe import Recipe

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

    from radgpt.training.data.tokens import Tokens


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
    run.say("\n".join(f"  {line}" for line in short(plan, tokens)))
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


def config_of(model: Model, base: str) -> "PreTrainedConfig":
    """The base model's config; raises UserError where it cannot be had."""
    from transformers import AutoConfig

    with explained(model):
        return AutoConfig.from_pretrained(base, **hub_options(model, base))
