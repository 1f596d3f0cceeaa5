"""What listens while the Trainer works: curves, progress, checkpoints, and a check of the engine.

Each class has the methods of transformers' TrainerCallback that it needs, and becomes one by `listening` (the base class
cannot stand here: transformers is imported only where it is used).
"""

import math
import sys
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from radgpt.config import DeepSpeed, Training
from radgpt.errors import UserError
from radgpt.run import Run
from radgpt.training import checkpoints
from radgpt.training.deepspeed import refuse_other_engine
from radgpt.training.ranks import wait_for_all

CURVES = {
    "loss": "train/loss",
    "learning_rate": "train/learning_rate",
    "grad_norm": "train/grad_norm",
    "epoch": "train/epoch",
    "eval_loss": "eval/loss",
}
"""Name in the Trainer's log to name of the curve."""


def listening(watcher: Any) -> Any:
    """A watcher as a TrainerCallback."""
    from transformers import TrainerCallback

    watcher.__class__ = type(type(watcher).__name__, (type(watcher), TrainerCallback), {})
    return watcher


class Curves:
    """Sends losses, learning rate and gradient norm to W&B, and ends a training whose loss is no number."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **rest: Any) -> None:
        """One entry of the Trainer's log: means since the last entry, or the loss of an evaluation."""
        if not math.isfinite(logs.get("loss", 0.0)):
            raise UserError(
                f"the training loss became {logs['loss']} by step {state.global_step}; lower training.learning_rate={args.learning_rate:g}"
            )
        if metrics := {name: logs[key] for key, name in CURVES.items() if key in logs and ("loss" in logs or "eval_loss" in logs)}:
            self._run.log(metrics, step_name="train/step", step=state.global_step)
        if "eval_loss" in logs:
            self._run.say(f"finetune: step {state.global_step} of {state.max_steps}, validation loss {logs['eval_loss']:.4f}")


class Progress:
    """Shows a bar with the loss on a terminal, and takes the time of optimizer steps."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._bar: tqdm[Any] | None = None
        self._started = 0.0
        self.seconds = 0.0
        """Spent in optimizer steps by this process: without evaluation, saving and start-up."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Open the bar where a resumed training stands."""
        hidden = None if self._run.rank == 0 else True
        self._bar = tqdm(total=state.max_steps, initial=state.global_step, desc="finetune", unit=" steps", disable=hidden, file=sys.stderr)

    def on_step_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """A step begins with its first micro-batch."""
        self._started = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """The last step is logged too, so that the mean loss covers all of them."""
        self.seconds += time.perf_counter() - self._started
        if self._bar is not None:
            self._bar.update()
        if state.global_step >= state.max_steps:
            control.should_log = True

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **rest: Any) -> None:
        """Show the loss."""
        if self._bar is not None and "loss" in logs:
            self._bar.set_postfix({"loss": f"{logs['loss']:.4f}"})

    def on_train_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()


class Keeper:
    """Marks each checkpoint as whole once all ranks have written theirs, then deletes old ones."""

    def __init__(self, run: Run, training: Training) -> None:
        self._run = run
        self._training = training

    def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """The Trainer has written `checkpoint-<step>`."""
        wait_for_all()
        if self._run.rank == 0:
            folder = Path(args.output_dir)
            checkpoints.seal(folder / f"checkpoint-{state.global_step}", self._run.world_size)
            checkpoints.keep_last(folder, self._training.save_total_limit)


class EngineCheck:
    """Stops a training that was to run under DeepSpeed and does not."""

    def __init__(self, deepspeed: DeepSpeed) -> None:
        self._deepspeed = deepspeed
        self.trainer: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """The model has been wrapped by now."""
        refuse_other_engine(self.trainer.model_wrapped, self._deepspeed)
