"""Take the loss on validation examples, exactly, for each task, on any number of ranks."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from radgpt.config import Training
from radgpt.training.data.batching import evaluation_batches
from radgpt.training.loop.loss import summed_loss

if TYPE_CHECKING:
    import datasets


@dataclass(frozen=True)
class Validation:
    """Mean negative log-likelihoods of learned tokens, in nats."""

    loss: float
    """Of all tokens."""
    of_task: dict[str, float]
    """Of each task's tokens."""

    @property
    def metrics(self) -> dict[str, float]:
        """As the Trainer's log has them: `eval_loss`, `eval_perplexity`, and `eval_loss/<task>`."""
        try:
            perplexity = math.exp(self.loss)
        except OverflowError:
            perplexity = math.inf
        return {"eval_loss": self.loss, "eval_perplexity": perplexity} | {f"eval_loss/{task}": loss for task, loss in self.of_task.items()}


def validate(
    model: Any,
    selects: bool,
    rows: "datasets.Dataset",
    collate: Callable[[list[dict[str, Any]]], dict[str, Any]],
    training: Training,
    rank: int,
    world_size: int,
    device: Any,
) -> Validation:
    """Go through the validation examples once, task by task.

    Every rank calls the model equally often, which ZeRO-3 needs; a rank that runs out of rows scores an empty batch. (The
    Trainer's own evaluation weighs batches by rows instead of tokens, and in transformers 5.23 scales each rank's loss wrongly.)

    Args:
        model: as it is trained, wrapped by DDP or DeepSpeed where they are used; left in evaluation mode.
        selects: as `loss.summed_loss` takes it.
        rows: `input_ids`, `mask` and `task`, the same on every rank.
        device: where the model's inputs go.
    """
    import pyarrow.compute
    import torch
    from torch import distributed

    model.eval()
    lengths = pyarrow.compute.list_value_length(rows.data.column("input_ids")).to_pylist()
    of_task: dict[str, list[int]] = {}
    for row, task in enumerate(rows["task"]):
        of_task.setdefault(task, []).append(row)
    tasks = sorted(of_task)
    # (tasks, 2): the sum over learned tokens, and how many there are.
    totals = torch.zeros(len(tasks), 2, dtype=torch.float64, device=device)
    for number, task in enumerate(tasks):
        members = of_task[task]
        for batch in evaluation_batches([lengths[row] for row in members], training, world_size, rank):
            inputs = collate([rows[members[place]] for place in batch])
            # Not inference mode: FSDP would keep tensors of it that later cannot be trained.
            with torch.no_grad():
                loss, count = summed_loss(model, on_device(inputs, device), selects)
            totals[number] += torch.stack([loss.double(), count.double()])
    if world_size > 1:
        distributed.all_reduce(totals)
    overall = totals.sum(dim=0)
    return Validation(float(overall[0] / overall[1]), {task: float(sums[0] / sums[1]) for task, sums in zip(tasks, totals, strict=True)})


def on_device(batch: dict[str, Any], device: Any) -> dict[str, Any]:
    """A collated batch with its tensors on a device."""
    return {name: value.to(device) if hasattr(value, "to") else value for name, value in batch.items()}
