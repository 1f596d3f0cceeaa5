"""Measure each optimizer step over all ranks: its loss, its tokens, its time, and whether a rank was asked to stop."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from radgpt.training.data.collation import IGNORED

if TYPE_CHECKING:
    import torch


class Meter:
    """What the last optimizer step was, and all steps of this process. The first of the Trainer's watchers: others read it."""

    def __init__(self, world_size: int, asked_to_stop: Callable[[], bool]) -> None:
        self._world_size = world_size
        self._asked_to_stop = asked_to_stop
        self._began = 0.0
        self._counts = (0, 0)
        self.losses: list[torch.Tensor] = []
        """Of this rank's micro-batches in the last step; their mean over ranks, summed, is the step's loss."""
        self.grad_norm: float | None = None
        """Before clipping, in the last step; None where the engine does not tell."""
        self.loss = 0.0
        """Mean negative log-likelihood of the last step's learned tokens, in nats."""
        self.tokens = 0
        """Non-padding tokens, over all steps of this process and all ranks."""
        self.slots = 0
        """The same with padding."""
        self.seconds = 0.0
        """In all steps of this process, loading of data included, without evaluation, saving and start-up."""
        self.stops = False
        """Whether some rank was asked to stop; the same on all ranks."""

    def begin(self) -> None:
        """A step begins, with the loading of its data."""
        self._began = time.perf_counter()
        self.losses, self.grad_norm = [], None

    def took(self, batches: "Sequence[dict[str, Any]]", device: Any) -> "torch.Tensor":
        """Count a step's micro-batches on this rank; give the learned tokens of all ranks, a scalar on `device`."""
        import torch

        learned = torch.tensor(sum(int((batch["labels"] != IGNORED).sum()) for batch in batches), device=device)
        sizes = [token_counts(batch) for batch in batches]
        self._counts = sum(tokens for tokens, _ in sizes), sum(slots for _, slots in sizes)
        return self._over_ranks(learned).clamp(min=1)

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Add up what the ranks have; the Trainer's state keeps the tokens over a resume."""
        import torch

        mine = [float(sum(self.losses)), *self._counts, float(self._asked_to_stop())]
        loss, tokens, slots, stops = self._over_ranks(torch.tensor(mine, dtype=torch.float64, device=args.device)).tolist()
        self.loss, self.stops = loss / self._world_size, stops > 0
        self.tokens += int(tokens)
        self.slots += int(slots)
        self.seconds += time.perf_counter() - self._began
        state.num_input_tokens_seen += int(tokens)

    def _over_ranks(self, values: "torch.Tensor") -> "torch.Tensor":
        if self._world_size > 1:
            from torch import distributed

            distributed.all_reduce(values)
        return values


def token_counts(batch: dict[str, Any]) -> tuple[int, int]:
    """(tokens of examples, slots) of a collated micro-batch; that of a rank which has run out of examples is one slot."""
    slots = batch["input_ids"].numel()
    if slots == 1:
        return 0, 1
    if "key_rows" in batch:
        # What examples share counts for each of them, as if each had been computed alone.
        return len(batch["key_rows"]), len(batch["key_rows"])
    return int(batch["attention_mask"].sum()) if "attention_mask" in batch else slots, slots
