"""Turn the settings of `deepspeed` into DeepSpeed's JSON, and check that what trains really is DeepSpeed."""

import importlib.util
from typing import Any

from radgpt.config import DeepSpeed, OffloadDevice, Training, Zero, as_mapping
from radgpt.errors import UserError

FROM_TRAINER = "auto"
"""The value that transformers' Trainer replaces by its own setting."""

SIZED_BY_MODEL = ("reduce_bucket_size", "stage3_prefetch_bucket_size", "stage3_param_persistence_threshold")
"""What the Trainer derives from the model's hidden size, for stage 3."""

OFFLOADABLE = ("adamw_torch", "adamw_torch_fused")
"""Optimizers that DeepSpeed's Adam for CPUs stands in for; it would silently stand in for any other, too."""


def refuse_unusable(settings: DeepSpeed, training: Training) -> None:
    """Raise UserError where DeepSpeed is asked for and would be missing, ignored, or wrong."""
    if not settings.enabled:
        return
    if importlib.util.find_spec("deepspeed") is None:
        raise UserError("deepspeed.enabled=true needs DeepSpeed: pip install 'radgpt[deepspeed]'")
    zero = settings.zero_optimization
    if zero.offload_optimizer.device is not OffloadDevice.none and training.optim not in OFFLOADABLE:
        raise UserError(
            f"training.optim={training.optim} cannot be offloaded: DeepSpeed has AdamW alone for CPUs; choose training.optim=adamw_torch "
            "or deepspeed.zero_optimization.offload_optimizer.device=none"
        )


def deepspeed_json(settings: DeepSpeed, universal: bool = False) -> dict[str, Any] | None:
    """The configuration that `TrainingArguments(deepspeed=…)` takes, or None where DeepSpeed is off.

    Batch sizes, precision, clipping, optimizer and schedule are the Trainer's, so that they stand in one place only.

    Args:
        universal: whether training goes on from a checkpoint that `to_universal` has converted.
    """
    if not settings.enabled:
        return None
    return {
        "zero_optimization": zero_json(settings.zero_optimization),
        "train_micro_batch_size_per_gpu": FROM_TRAINER,
        "gradient_accumulation_steps": FROM_TRAINER,
        "train_batch_size": FROM_TRAINER,
        "gradient_clipping": FROM_TRAINER,
        "bf16": {"enabled": FROM_TRAINER},
        "fp16": {"enabled": FROM_TRAINER},
        "zero_allow_untested_optimizer": settings.zero_allow_untested_optimizer,
        "steps_per_print": settings.steps_per_print,
        "wall_clock_breakdown": settings.wall_clock_breakdown,
        **({"checkpoint": {"load_universal": True}} if universal else {}),
    }


def zero_json(zero: Zero) -> dict[str, Any]:
    """`zero_optimization` without what is null or not offloaded."""
    given = {name: value for name, value in as_mapping(zero).items() if value is not None}
    for name in ("offload_optimizer", "offload_param"):
        section = {key: value for key, value in given.pop(name).items() if value is not None}
        if section["device"] != OffloadDevice.none.name:
            given[name] = section
    if zero.stage == 3:
        # Without it the finished model could not be written as one.
        given["stage3_gather_16bit_weights_on_model_save"] = True
        given |= {name: FROM_TRAINER for name in SIZED_BY_MODEL if name not in given}
    return given


def refuse_other_engine(engine: Any, settings: DeepSpeed) -> None:
    """Raise RuntimeError unless the model that trains is wrapped by DeepSpeed at the stage asked for.

    Libraries between drop DeepSpeed without a word in some combinations (accelerate with `use_cpu` but no LOCAL_RANK, for one).
    """
    if not settings.enabled:
        return
    wanted = settings.zero_optimization.stage
    name = type(engine).__name__
    stage = engine.zero_optimization_stage() if name == "DeepSpeedEngine" else None
    if stage != wanted:
        raise RuntimeError(f"deepspeed.zero_optimization.stage={wanted} was asked for, but a {name} at stage {stage} trains")
