"""End a training whose loss is no number any more, or leaps, and name the examples it happened at."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from radgpt.errors import UserError
from radgpt.training.watching.meter import Meter

WINDOW = 50
"""Steps whose median a loss is compared with."""
ENOUGH = 10
"""Steps that a median is taken of at least."""
LEAST_MEDIAN = 0.1
"""Nats: a median below counts as this much, since a model that knows its examples by heart has small losses that vary by multiples."""
NAMED = 20
"""Examples that a message names at most."""


class Guard:
    """Looks at the loss of every step, however seldom it is logged, before anything of that step is saved."""

    def __init__(
        self, meter: Meter, examples: Callable[[int], list[list[str]]], max_spike: float | None, world_size: int, rank: int
    ) -> None:
        """Watch with `examples(step)`: the ids in each micro-batch of a step, that of rank r in slot s at s x world_size + r."""
        self._meter = meter
        self._examples = examples
        self._max_spike = max_spike
        self._world_size = world_size
        self._rank = rank
        self._warm_up = 0
        self._losses: deque[float] = deque(maxlen=WINDOW)

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """A resumed training compares with the steps before."""
        self._warm_up = args.get_warmup_steps(state.max_steps)
        self._losses.extend(entry["loss"] for entry in state.log_history if "loss" in entry and entry["step"] > self._warm_up)

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Compare the step that was just taken.

        Raises:
            UserError: the training cannot go on well; the same on all ranks.
        """
        loss, norm, step = self._meter.loss, self._meter.grad_norm, state.global_step
        wrong = None
        if not math.isfinite(loss):
            wrong = f"the training loss became {loss} at step {step}"
        # float16's scaler meets infinite gradients on purpose, and leaves those steps out.
        elif norm is not None and not math.isfinite(norm) and not args.fp16:
            wrong = f"the gradient norm became {norm} at step {step}"
        elif self._max_spike is not None and (usual := self._usual()) is not None and loss > self._max_spike * usual:
            limit = f"training.max_loss_spike={self._max_spike:g} times the usual {usual:.4g}"
            wrong = f"the training loss leapt to {loss:.4g} at step {step}, over {limit}"
        if wrong is not None:
            batches = self._examples(step)
            if not math.isfinite(loss):
                batches = [batches[number] for number in self._not_finite(len(batches), args.device)] or batches
            raise UserError(
                f"{wrong}, with the examples {shown([name for batch in batches for name in batch])}; "
                f"lower training.learning_rate={args.learning_rate:g} or look at these examples; checkpoints saved before it are kept"
            )
        if step > self._warm_up:
            self._losses.append(loss)

    def _usual(self) -> float | None:
        return max(median(self._losses), LEAST_MEDIAN) if len(self._losses) >= ENOUGH else None

    def _not_finite(self, batches: int, device: Any) -> list[int]:
        """Which micro-batches of all ranks have a loss that is no number."""
        import torch

        flags = torch.zeros(batches, device=device)
        for slot, loss in enumerate(self._meter.losses):
            flags[slot * self._world_size + self._rank] = float(not math.isfinite(float(loss)))
        if self._world_size > 1:
            torch.distributed.all_reduce(flags)
        return [int(number) for number in flags.nonzero()[:, 0]]


def shown(names: Sequence[str]) -> str:
    """Ids of examples, all or the first ones."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
