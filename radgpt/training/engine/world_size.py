"""Let a training that N processes began go on in M: the same examples in each optimizer step, and DeepSpeed's shards joined anew."""

import contextlib
import io
import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any

from radgpt.errors import UserError

UNIVERSAL = "universal"
"""Folder inside a checkpoint that holds DeepSpeed's states by parameter instead of by rank."""


def batch_sizes(examples: int, world_size: int, largest: int) -> tuple[int, int]:
    """(per-device batch size, gradient accumulation steps) that put `examples` into an optimizer step of `world_size` processes.

    Args:
        examples: of one optimizer step, over all processes (rows, where batches are packed).
        largest: per-device batch size that is known to fit.

    Raises:
        UserError: the examples of a step cannot be dealt out evenly.
    """
    if examples % world_size:
        fitting = [count for count in range(1, examples + 1) if examples % count == 0 and count <= 2 * world_size]
        raise UserError(
            f"launch.processes: this training takes {examples} examples a step, which {world_size} processes cannot share evenly; "
            f"go on with {', '.join(map(str, fitting))} of them, or begin anew with force=true"
        )
    each = examples // world_size
    size = max(size for size in range(1, min(largest, each) + 1) if each % size == 0)
    return size, each // size


def needs_universal(checkpoint: Path) -> bool:
    """Whether DeepSpeed split the optimizer states of a checkpoint over the ranks (ZeRO 1, 2 and 3 do; at stage 0 they are whole)."""
    return any(checkpoint.glob("global_step*/*_optim_states.pt"))


def to_universal(checkpoint: Path) -> Path:
    """Convert the states of a whole checkpoint, in it, to the form that DeepSpeed loads at any number of processes.

    One process calls it; then all train with `deepspeed_json(…, universal=True)` from the same checkpoint folder. Kept where it
    was made before. The parts that DeepSpeed itself wrote stay as they are.

    Returns:
        The checkpoint.
    """
    latest = checkpoint / "latest_universal"
    if latest.is_file():
        return checkpoint
    from deepspeed.checkpoint.ds_to_universal import main

    made = checkpoint / UNIVERSAL
    shutil.rmtree(made, ignore_errors=True)
    tag = (checkpoint / "latest").read_text(encoding="utf-8").strip()
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        # Workers of its own would be forked from a process that has threads. It writes `latest_universal` last.
        main(
            Namespace(
                input_folder=str(checkpoint / tag),
                output_folder=str(made),
                num_extract_workers=1,
                num_merge_workers=1,
                keep_temp_folder=False,
                strict=True,
                inject_missing_state=True,
            )
        )
    return checkpoint


def mend_loaded(engine: Any, checkpoint: Path) -> None:
    """Give each parameter group its own step count and settings after DeepSpeed has loaded what `to_universal` made.

    At stage 3, DeepSpeed 0.19 gives all groups one tensor to count steps in, which PyTorch's AdamW then raises once for each group, and
    the weight decay of the first group.
    """
    import torch

    if engine.zero_optimization_stage() != 3:
        return
    saved = torch.load(checkpoint / UNIVERSAL / "zero" / "optimizer_state.pt", map_location="cpu", weights_only=False)
    optimizer = engine.optimizer.optimizer
    for group, settings in zip(optimizer.param_groups, saved["optimizer_state_dict"]["param_groups"], strict=True):
        group.update({name: value for name, value in settings.items() if name != "params"})
    for state in optimizer.state.values():
        if torch.is_tensor(state.get("step")):
            state["step"] = state["step"].clone()
