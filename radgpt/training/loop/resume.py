"""Find the checkpoint that a training goes on from, and how it goes on where the number of processes has changed."""

from dataclasses import dataclass, replace
from pathlib import Path

from radgpt.config import Training
from radgpt.run import Run
from radgpt.training.engine.world_size import batch_sizes, needs_universal, to_universal
from radgpt.training.loop import checkpoints


@dataclass(frozen=True)
class Resume:
    """Where training begins."""

    checkpoint: Path | None
    """None: at its first step."""
    training: Training
    """With the batch sizes that leave each optimizer step its examples."""
    universal: bool
    """Whether DeepSpeed loads the states in the form for any number of processes."""


def tidy_checkpoints(run: Run, stage: str, folder: Path) -> None:
    """Delete torn checkpoints, and convert the last one if other processes saved it; one process does so before `resume`."""
    for checkpoint in checkpoints.torn(folder):
        run.say(f"{stage}: {checkpoint.name} is torn: the run ended while it was written; it is deleted")
        checkpoints.discard(checkpoint)
    last = checkpoints.last_whole(folder)
    saved = checkpoints.saved_by(last) if last else None
    if last and saved and saved.world_size != run.world_size and needs_universal(last):
        to_universal(last)


def resume(run: Run, stage: str, folder: Path, training: Training) -> Resume:
    """What stands in the folder of checkpoints; the same on all ranks.

    Raises:
        UserError: the processes cannot share the examples of a step evenly.
    """
    last = checkpoints.last_whole(folder)
    saved = checkpoints.saved_by(last) if last else None
    if last is None or saved is None:
        return Resume(None, training, universal=False)
    if saved.world_size == run.world_size:
        sizes = saved.per_device_train_batch_size, saved.gradient_accumulation_steps
        run.say(f"{stage}: goes on from {last.name}")
    else:
        sizes = batch_sizes(saved.step, run.world_size, training.per_device_train_batch_size)
        run.say(
            f"{stage}: goes on from {last.name}, saved by {saved.world_size} processes; {run.world_size} take the same examples in each "
            f"step, with per_device_train_batch_size={sizes[0]} and gradient_accumulation_steps={sizes[1]}"
        )
    same_steps = replace(training, per_device_train_batch_size=sizes[0], gradient_accumulation_steps=sizes[1])
    return Resume(last, same_steps, universal=(last / "latest_universal").is_file() and saved.world_size != run.world_size)
