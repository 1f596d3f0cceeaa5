"""Take the loss on validation pairs, exactly, on any number of ranks."""

from typing import TYPE_CHECKING, Any

from radgpt.training.loss import summed_loss
from radgpt.training.tokens import Collator

if TYPE_CHECKING:
    import datasets


def validation_loss(
    model: Any, selects: bool, rows: "datasets.Dataset", collator: Collator, batch_size: int, rank: int, world_size: int, device: Any
) -> float:
    """The mean negative log-likelihood of all answer tokens, in nats.

    Every rank calls the model equally often, which ZeRO-3 needs; a rank that runs out of rows scores one for nothing. (The
    Trainer's own evaluation weighs batches by rows instead of tokens, and in transformers 5.23 scales each rank's loss wrongly.)

    Args:
        model: as it is trained, wrapped by DDP or DeepSpeed where they are used; left in evaluation mode.
        selects: as `loss.summed_loss` takes it.
        rows: `input_ids` and `mask`, the same on every rank.
        device: where the model's inputs go.
    """
    import pyarrow.compute
    import torch
    from torch import distributed

    model.eval()
    lengths = pyarrow.compute.list_value_length(rows.data.column("input_ids")).to_pylist()
    # Neighbours in this order are of similar length: little padding, and ranks take equally long.
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    total = torch.zeros(2, dtype=torch.float64, device=device)
    for start in range(0, len(order), batch_size * world_size):
        mine = order[start + rank : start + batch_size * world_size : world_size]
        batch = collator([rows[row] for row in mine] or [rows[order[-1]]])
        with torch.inference_mode():
            loss, count = summed_loss(model, {name: tensor.to(device) for name, tensor in batch.items()}, selects)
        if mine:
            total += torch.stack([loss.double(), count.double()])
    if world_size > 1:
        distributed.all_reduce(total)
    return float(total[0] / total[1])
