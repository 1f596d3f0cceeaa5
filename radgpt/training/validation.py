"""Take the loss on validation pairs, exactly, on any number of ranks."""

from typing import TYPE_CHECKING, Any

from radgpt.training.tokens import IGNORED, Collator

if TYPE_CHECKING:
    import datasets


def validation_loss(model: Any, rows: "datasets.Dataset", collator: Collator, batch_size: int, rank: int, world_size: int, device: Any) -> float:
    """The mean negative log-likelihood of all answer tokens, in nats.

    Every rank calls the model equally often, which ZeRO-3 needs; a rank that runs out of rows scores one for nothing. (The
    Trainer's own evaluation weighs batches by rows instead of tokens, and in transformers 5.23 scales each rank's loss wrongly.)

    Args:
        model: as it is trained, wrapped by DDP or DeepSpeed where they are used; left in evaluation mode.
        rows: `input_ids` and `mask`, the same on every rank.
        device: where the model's inputs go.
    """
    import pyarrow.compute
    import torch
    from torch import distributed
    from torch.nn.functional import cross_entropy

    model.eval()
    lengths = pyarrow.compute.list_value_length(rows.data.column("input_ids")).to_pylist()
    # Neighbours in this order are of similar length: little padding, and ranks take equally long.
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    total = torch.zeros(2, dtype=torch.float64, device=device)
    for start in range(0, len(order), batch_size * world_size):
        mine = order[start + rank : start + batch_size * world_size : world_size]
        batch = collator([rows[row] for row in mine] or [rows[order[-1]]])
        with torch.inference_mode():
            logits = model(input_ids=batch["input_ids"].to(device), attention_mask=batch["attention_mask"].to(device)).logits
            targets = batch["labels"][:, 1:].to(device)
            loss = cross_entropy(logits[:, :-1].float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum")
        if mine:
            total += torch.stack([loss.double(), (targets != IGNORED).sum().double()])
    if world_size > 1:
        distributed.all_reduce(total)
    return float(total[0] / total[1])
