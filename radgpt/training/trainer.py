"""Train a model with transformers' Trainer, from the last whole checkpoint on, and tell how it went."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgpt.config import DeepSpeed, Training
from radgpt.errors import UserError
from radgpt.run import Run
from radgpt.training.loss import selects_logits, summed_loss
from radgpt.training.tokens import Collator, Tokens
from radgpt.training.validation import validation_loss
from radgpt.training.watch import Curves, EngineCheck, Keeper, Progress, listening

if TYPE_CHECKING:
    from transformers import TrainingArguments


@dataclass(frozen=True)
class Outcome:
    """How a training went."""

    steps: int
    """Optimizer steps, those before a resume included."""
    train_loss: float | None
    """Mean over all steps."""
    eval_loss_before: float | None
    """Before the first step."""
    eval_loss: float | None
    """After the last step; None without evaluation."""
    tokens_per_second: float | None
    """Non-padding tokens of all ranks, during the steps of this process; None if it made no step."""
    engine: str
    """`single`, `ddp` or `deepspeed-zero<stage>`."""


def build_trainer(model: Any, arguments: "TrainingArguments", tokens: Tokens, pad_token_id: int, watchers: Sequence[Any]) -> Any:
    """A Trainer with an exact validation loss that pads little: micro-batches of one optimizer step hold examples of similar length.

    Which examples share an optimizer step stays random, and the loss is a mean over all answer tokens of the step, whatever the
    micro-batches: the sampler (transformers' BatchRebalanceSampler) saves time and changes no gradient. It draws the order from
    the seed and the epoch, so that a resumed training goes on with the same one.
    """
    import pyarrow.compute
    from transformers import PrinterCallback, Trainer
    from transformers.trainer_pt_utils import BatchRebalanceSampler

    lengths = pyarrow.compute.list_value_length(tokens.train.data.column("input_ids")).to_pylist()

    collator = Collator(pad_token_id)
    selects = selects_logits(model.get_base_model() if hasattr(model, "get_base_model") else model)

    class BalancedTrainer(Trainer):
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            args = self.args
            return BatchRebalanceSampler(
                lengths=lengths,
                effective_batch_size=args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size,
                dp_size=args.world_size,
                grad_accum=args.gradient_accumulation_steps,
                rank=args.process_index,
                seed=args.seed,
                drop_last=False,
            )

        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
            total, _ = summed_loss(model, inputs, selects)
            # DDP and DeepSpeed take the mean over ranks of what each gives; the count is that of all of them.
            return total / num_items_in_batch * self.args.world_size

        def evaluate(self, *given: Any, **settings: Any) -> dict[str, float]:
            args = self.args
            with self.compute_loss_context_manager():
                loss = validation_loss(
                    self.model_wrapped,
                    selects,
                    tokens.validation,
                    collator,
                    args.per_device_eval_batch_size,
                    args.process_index,
                    args.world_size,
                    args.device,
                )
            metrics = {"eval_loss": loss}
            self.log(metrics)
            return metrics

    trainer = BalancedTrainer(
        model=model,
        args=arguments,
        data_collator=collator,
        train_dataset=tokens.train,
        eval_dataset=tokens.validation,
        callbacks=[listening(watcher) for watcher in watchers],
    )
    trainer.remove_callback(PrinterCallback)
    # Makes the Trainer count the learned tokens of each optimizer step over all ranks, and leave the loss as it is.
    trainer.model_accepts_loss_kwargs = True
    return trainer


def train(
    run: Run,
    model: Any,
    arguments: "TrainingArguments",
    tokens: Tokens,
    pad_token_id: int,
    training: Training,
    deepspeed: DeepSpeed,
    resume_from: Path | None,
) -> tuple[Any, Outcome]:
    """Train `model` in place (on every rank); give the Trainer, which can save it, and the outcome.

    Raises:
        UserError: the GPU's memory is too small, or the loss is no number any more.
        RuntimeError: DeepSpeed was asked for and does not train.
    """
    import torch

    progress, check = Progress(run), EngineCheck(deepspeed)
    trainer = build_trainer(model, arguments, tokens, pad_token_id, [Curves(run), progress, Keeper(run, training), check])
    check.trainer = trainer
    try:
        trainer.train(resume_from_checkpoint=str(resume_from) if resume_from else None)
    except torch.OutOfMemoryError:
        raise UserError(
            f"the GPU's memory is full at training.per_device_train_batch_size={training.per_device_train_batch_size}: lower it and raise "
            "training.gradient_accumulation_steps, or set training.gradient_checkpointing=true, or choose deepspeed=zero3 (zero3_offload)"
        ) from None
    tokens_here = trainer.state.num_input_tokens_seen - trainer._initial_num_input_tokens_seen
    log = trainer.state.log_history
    return trainer, Outcome(
        steps=trainer.state.global_step,
        train_loss=mean_loss(log),
        eval_loss_before=eval_loss_at(log, 0),
        eval_loss=final_eval_loss(trainer),
        tokens_per_second=tokens_here / progress.seconds if progress.seconds else None,
        engine=engine_name(trainer.model_wrapped),
    )


def final_eval_loss(trainer: Any) -> float | None:
    """The validation loss after the last step, taken now unless the log has it."""
    if trainer.args.eval_strategy == "no":
        return None
    logged = eval_loss_at(trainer.state.log_history, trainer.state.global_step)
    return logged if logged is not None else float(trainer.evaluate()["eval_loss"])


def mean_loss(log: list[dict[str, Any]]) -> float | None:
    """The mean training loss over all steps of a Trainer's log, whose entries are means since the one before."""
    total, last = 0.0, 0
    for entry in log:
        if "loss" in entry:
            total += entry["loss"] * (entry["step"] - last)
            last = entry["step"]
    return total / last if last else None


def eval_loss_at(log: list[dict[str, Any]], step: int) -> float | None:
    """The validation loss that a Trainer's log has for a step."""
    return next((entry["eval_loss"] for entry in log if "eval_loss" in entry and entry["step"] == step), None)


def engine_name(engine: Any) -> str:
    """What drives the model, by its class."""
    name = type(engine).__name__
    if name == "DeepSpeedEngine":
        return f"deepspeed-zero{engine.zero_optimization_stage()}"
    return "ddp" if name == "DistributedDataParallel" else "single"


def clear_traces() -> None:
    """Make transformers forget the DeepSpeed configuration, which would shard every model loaded later in this process."""
    from accelerate.state import AcceleratorState
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    unset_hf_deepspeed_config()  # type: ignore[no-untyped-call]
    AcceleratorState._reset_state(reset_partial_state=True)
