"""Turn `training.fsdp` into arguments of the Trainer, and check that what trains really is PyTorch's FSDP2."""

from typing import Any

from radgpt.config import DeepSpeed, Training
from radgpt.errors import UserError


def refuse_unsharded(training: Training, deepspeed: DeepSpeed, world_size: int) -> None:
    """Raise UserError where FSDP2 is asked for and would be ignored."""
    import torch

    if not training.fsdp:
        return
    if deepspeed.enabled:
        raise UserError("training.fsdp=true and deepspeed.enabled=true both shard the model; choose deepspeed=none or training.fsdp=false")
    if not torch.cuda.is_available():
        # accelerate 1.15 knows of no FSDP over CPUs, and would train with DDP instead without a word.
        raise UserError("training.fsdp=true shards over GPUs only; on CPUs choose training.fsdp=false with deepspeed=zero3")
    if world_size == 1:
        raise UserError("training.fsdp=true shards over several processes; add launch=torchrun, or choose training.fsdp=false")


def fsdp_arguments(training: Training) -> dict[str, Any]:
    """What `TrainingArguments` takes for it, recomputation of activations included; nothing but that where FSDP2 is off."""
    if not training.fsdp:
        return {
            "activation_checkpointing": training.gradient_checkpointing,
            "activation_checkpointing_kwargs": {"use_reentrant": False} if training.gradient_checkpointing else None,
        }
    return {
        "fsdp": True,
        "fsdp_config": {
            "version": 2,
            "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "reshard_after_forward": True,
            # Checkpoints and the finished model hold whole tensors, which plain transformers loads, at any number of processes.
            "state_dict_type": "FULL_STATE_DICT",
            # FSDP's own: the Trainer's gathers each block's weights once more.
            "activation_checkpointing": training.gradient_checkpointing,
        },
    }


def refuse_other_wrapping(engine: Any, asked: bool) -> None:
    """Raise RuntimeError unless the model that trains is sharded by FSDP2, where that was asked for."""
    if not asked:
        return
    from torch.distributed.fsdp import FSDPModule

    if not isinstance(engine, FSDPModule):
        raise RuntimeError(f"training.fsdp=true was asked for, but a {type(engine).__name__} trains")
