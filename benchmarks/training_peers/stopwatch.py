"""One stopwatch for every library that trains through transformers' Trainer: call `start`, then let the library train.

The environment variable `TRAINING_STOPWATCH` holds JSON: `started`, the time at which the process was started (seconds since the
epoch); `pad_token_id`; and `result`, the file that the figures are written to once `Trainer.train` returns:

    first_step_s, first_step_cpu_s    from the process's start to the first micro-batch: wall, and processor time with children's
    wall_s, cpu_s                     from then to the return of `train`
    tokens, slots, learned            tokens that are no padding, those with padding, and those with a label
    steps, micro_batches, losses      optimizer steps, calls of the model, and what the Trainer logged for each step
    rss_mib                           peak resident memory
    attention, dtype, trainer         what the model ran with
"""

import json
import os
import resource
import time
from pathlib import Path
from typing import Any

from transformers import Trainer

TOLD = json.loads(os.environ["TRAINING_STOPWATCH"])

# As they are before the stopwatch stands in for them.
train, training_step = Trainer.train, Trainer.training_step
counts = {"tokens": 0, "slots": 0, "learned": 0, "micro_batches": 0}
first: dict[str, float] = {}


def processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def timed_step(self: Any, model: Any, inputs: dict[str, Any], *rest: Any, **named: Any) -> Any:
    """Count a micro-batch and train on it."""
    if not first:
        first.update(wall=time.time(), cpu=processor_seconds())
    ids = inputs["input_ids"]
    # Where radgpt computes once what chats have in common, `key_rows` still holds all tokens of each.
    counts["tokens"] += len(inputs["key_rows"]) if "key_rows" in inputs else int((ids != TOLD["pad_token_id"]).sum())
    counts["slots"] += ids.numel()
    counts["learned"] += int((inputs["labels"] != -100).sum())
    counts["micro_batches"] += 1
    return training_step(self, model, inputs, *rest, **named)


def timed_train(self: Any, *given: Any, **named: Any) -> Any:
    """Train, then write the figures."""
    outcome = train(self, *given, **named)
    figures = counts | {
        "first_step_s": first["wall"] - TOLD["started"],
        "first_step_cpu_s": first["cpu"],
        "wall_s": time.time() - first["wall"],
        "cpu_s": processor_seconds() - first["cpu"],
        "steps": self.state.global_step,
        "losses": [entry["loss"] for entry in self.state.log_history if "loss" in entry],
        "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "attention": self.model.config._attn_implementation,
        "dtype": str(next(self.model.parameters()).dtype),
        "trainer": type(self).__name__,
    }
    Path(TOLD["result"]).write_text(json.dumps(figures), encoding="utf-8")
    return outcome


def start() -> None:
    """Put the stopwatch on every Trainer of this process."""
    Trainer.train, Trainer.training_step = timed_train, timed_step
