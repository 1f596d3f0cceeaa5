"""Turn the settings of `deepspeed` into DeepSpeed's JSON, and check that what trains really is DeepSpeed."""

import importlib.util
from typing import Any

from radgpt.config import DeepSpeed
from radgpt.errors import UserError

FROM_TRAINER = "auto"
"""The value that transformers' Trainer replaces by its own setting."""


def refuse_unusable(settings: DeepSpeed, world_size: int) -> None:
    """Raise UserError where DeepSpeed is asked for and would be missing, ignored, or wrong."""
    import torch

    if not settings.enabled:
        return
    if importlib.util.find_spec("deepspeed") is None:
        raise UserError("deepspeed.enabled=true needs DeepSpeed: pip install 'radgpt[deepspeed]'")
    if world_size > 1 and not torch.cuda.is_available():
        # accelerate takes DeepSpeed's ranks for one process there and would give each the same batches.
        raise UserError(
            f"deepspeed.enabled=true cannot split training over {world_size} processes on CPUs; choose deepspeed=none or launch=single"
        )
    zero = settings.zero_optimization
    if zero.get("stage") == 3 and not zero.get("stage3_gather_16bit_weights_on_model_save", True):
        raise UserError(
            "deepspeed.zero_optimization.stage3_gather_16bit_weights_on_model_save=false would leave no checkpoint to load; set it to true"
        )


def deepspeed_json(settings: DeepSpeed) -> dict[str, Any] | None:
    """The configuration that `TrainingArguments(deepspeed=…)` takes, or None where DeepSpeed is off.

    Batch sizes, precision and clipping are the Trainer's, so that they stand in one place only.
    """
    if not settings.enabled:
        return None
    zero = dict(settings.zero_optimization)
    if zero["stage"] == 3:
        zero.setdefault("stage3_gather_16bit_weights_on_model_save", True)
    optimizer = {
        "type": "AdamW",
        "params": {"lr": FROM_TRAINER, "betas": FROM_TRAINER, "eps": FROM_TRAINER, "weight_decay": FROM_TRAINER},
    }
    return {
        "zero_optimization": zero,
        "train_micro_batch_size_per_gpu": FROM_TRAINER,
        "gradient_accumulation_steps": FROM_TRAINER,
        "train_batch_size": FROM_TRAINER,
        "gradient_clipping": FROM_TRAINER,
        "bf16": {"enabled": FROM_TRAINER},
        "fp16": {"enabled": FROM_TRAINER},
        "zero_allow_untested_optimizer": settings.zero_allow_untested_optimizer,
        "steps_per_print": settings.steps_per_print,
        "wall_clock_breakdown": settings.wall_clock_breakdown,
        # An offloaded state needs DeepSpeed's own Adam for CPUs, which it builds itself; else the Trainer's optimizer is used.
        **({"optimizer": optimizer} if "offload_optimizer" in zero else {}),
    }


def refuse_other_engine(engine: Any, settings: DeepSpeed) -> None:
    """Raise RuntimeError unless the model that trains is wrapped by DeepSpeed at the stage asked for.

    Libraries between drop DeepSpeed without a word in some combinations (accelerate with `use_cpu`, for one).
    """
    if not settings.enabled:
        return
    wanted = settings.zero_optimization["stage"]
    name = type(engine).__name__
    stage = engine.zero_optimization_stage() if name == "DeepSpeedEngine" else None
    if stage != wanted:
        raise RuntimeError(f"deepspeed.zero_optimization.stage={wanted} was asked for, but a {name} at stage {stage} trains")
