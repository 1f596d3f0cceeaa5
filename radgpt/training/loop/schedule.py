"""Say after which optimizer step the Trainer logs, evaluates, saves and stops."""

from typing import Any

from radgpt.training.watching.meter import Meter


class Schedule:
    """Adds to the Trainer's own rules what an exact resume needs.

    The end of an epoch counts as a part of its last step: the Trainer evaluates and saves after it, and what a kill in between
    would lose is not made up for. Every checkpoint holds the loss up to its step. What was asked to stop saves first.
    """

    def __init__(self, meter: Meter, patience: int | None, metric: str) -> None:
        self._meter = meter
        self._patience = patience
        self._metric = metric
        self.trainer: Any = None
        self._steps_in_epoch = 0
        self._saved_at = -1

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """A resumed training makes up for the evaluation that the one before was too hurried for, and may be over already."""
        batches = len(self.trainer.callback_handler.train_dataloader)
        self._steps_in_epoch = -(-batches // args.gradient_accumulation_steps)
        self._saved_at = state.global_step
        if state.global_step > 0 and self.evaluates_after(args, state) and not evaluated_at(state.log_history, state.global_step):
            self.trainer._determine_best_metric(self.trainer.evaluate(), None)
        if state.global_step >= state.max_steps or self._out_of_patience(state):
            control.should_training_stop = True

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """After the Trainer's own rules."""
        if self.ends_epoch(state):
            control.should_evaluate |= args.eval_strategy == "epoch"
            control.should_save |= args.save_strategy == "epoch"
        if self._meter.stops:
            control.should_training_stop = control.should_save = True
            # What asks a training to stop may not wait for long.
            control.should_evaluate = False
        control.should_log |= control.should_save or control.should_evaluate or state.global_step >= state.max_steps

    def on_epoch_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """All is done by now."""
        control.should_evaluate = control.should_save = False

    def on_evaluate(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Stop early where nothing gets better."""
        if self._out_of_patience(state):
            control.should_training_stop = True

    def ends_epoch(self, state: Any) -> bool:
        """Whether the last step was the last of its epoch, or of all."""
        return state.global_step % self._steps_in_epoch == 0 or state.global_step >= state.max_steps

    def evaluates_after(self, args: Any, state: Any) -> bool:
        """Whether there is an evaluation after the last step."""
        if args.eval_strategy == "epoch":
            return self.ends_epoch(state)
        return args.eval_strategy == "steps" and (state.global_step % state.eval_steps == 0 or state.global_step >= state.max_steps)

    def _out_of_patience(self, state: Any) -> bool:
        return self._patience is not None and evaluations_since_best(state.log_history, self._metric) >= self._patience


def evaluated_at(log: list[dict[str, Any]], step: int) -> dict[str, Any] | None:
    """The evaluation that a Trainer's log has for a step."""
    return next((entry for entry in log if "eval_loss" in entry and entry["step"] == step), None)


def evaluations_since_best(log: list[dict[str, Any]], metric: str) -> int:
    """How many evaluations of trained weights a Trainer's log holds after the one with the least `metric`."""
    values = [entry[metric] for entry in log if metric in entry and entry["step"] > 0]
    return len(values) - 1 - values.index(min(values)) if values else 0
