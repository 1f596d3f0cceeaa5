"""Send what a training tells to Weights & Biases, and its evaluations to the console."""

import contextlib
from typing import Any

from radgpt.artifacts import write_text
from radgpt.run import Run

OF_STEPS = (
    "loss",
    "learning_rate",
    "grad_norm",
    "epoch",
    "tokens_seen",
    "tokens_per_second",
    "pad_waste",
    "peak_memory_gib",
    "mfu",
)
"""Names in the Trainer's log that become `train/<name>`, in an entry about steps; of one about an evaluation all that begin with `eval_`
become `eval/<rest>`."""

AXIS = "train/step"

SINCE_FILE = "curves_since.txt"
"""In the run's folder while it trains: the step after which points may be lost, as a kill leaves W&B no time to write them."""


class Curves:
    """Numbers over optimizer steps.

    A training that goes on after a kill sends the points of its checkpoint's log again, from where W&B was last closed in order, and
    those that follow it as they come; what was not lost then stands twice, with equal losses.
    """

    def __init__(self, run: Run, stage: str) -> None:
        self._run = run
        self._stage = stage
        self._since = run.directory / SINCE_FILE

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Make up for what a kill may have cost."""
        if self._run.rank != 0:
            return
        if self._since.exists():
            since = int(self._since.read_text(encoding="utf-8"))
            for entry in state.log_history:
                if entry["step"] > since:
                    self._send(entry, entry["step"])
        else:
            write_text(self._since, str(state.global_step or -1))

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **rest: Any) -> None:
        """One entry of the Trainer's log: means since the last entry, or an evaluation."""
        self._send(logs, state.global_step)
        if "eval_loss" in logs:
            self._run.say(
                f"{self._stage}: step {state.global_step} of {state.max_steps}, validation loss {logs['eval_loss']:.4f}, "
                f"perplexity {logs['eval_perplexity']:.4g}"
            )

    def close(self) -> None:
        """The process is about to close W&B in order, whatever became of the training."""
        if self._run.rank == 0:
            with contextlib.suppress(FileNotFoundError):
                self._since.unlink()

    def _send(self, logs: dict[str, float], step: int) -> None:
        points = {f"train/{name}": logs[name] for name in OF_STEPS if name in logs} if "loss" in logs else {}
        if "eval_loss" in logs:
            points |= {f"eval/{name.removeprefix('eval_')}": value for name, value in logs.items() if name.startswith("eval_")}
        if points:
            self._run.log(points, step_name=AXIS, step=step)
