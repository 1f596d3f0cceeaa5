"""Train a model with transformers' Trainer, on micro-batches and with a loss of our own, and tell how it went."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgpt.config import Batching, DeepSpeed, Training
from radgpt.errors import UserError
from radgpt.run import Run
from radgpt.training.batching import MicroBatches
from radgpt.training.collation import collator
from radgpt.training.curves import Curves
from radgpt.training.flops import operations_per_token
from radgpt.training.guard import Guard
from radgpt.training.interrupts import Interrupts
from radgpt.training.keeper import Keeper, room_for
from radgpt.training.loss import selects_logits, summed_loss
from radgpt.training.meter import Meter
from radgpt.training.progress import Progress
from radgpt.training.ranks import wait_for_all
from radgpt.training.resume import Resume
from radgpt.training.samples import SAMPLES_FILE, Samples
from radgpt.training.schedule import Schedule, evaluated_at
from radgpt.training.speed import Speed, operations_per_second, peak_memory_gib
from radgpt.training.tokens import Tokens
from radgpt.training.validation import validate
from radgpt.training.watch import EngineCheck, listening
from radgpt.training.world_size import to_universal

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, TrainingArguments


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
    """Of the weights that are kept; None without evaluation."""
    perplexity: float | None
    """The same, as its exponential."""
    best_step: int | None
    """The step whose weights are kept, where those are the best and not the last."""
    tokens_seen: int
    """Non-padding tokens of all ranks and steps, those before a resume included."""
    tokens_per_second: float | None
    """The same, during the steps of this process; None if it made no step."""
    pad_waste: float | None
    """Share of padding among what this process computed."""
    peak_memory_gib: float
    """Of rank 0's GPU, or of its process."""
    engine: str
    """`single`, `ddp`, `fsdp2` or `deepspeed-zero<stage>`."""


class Pieces:
    """What the Trainer is given beside its arguments."""

    def __init__(self, run: Run, tokens: Tokens, training: Training, tokenizer: "PreTrainedTokenizerBase", seed: int) -> None:
        """For the tokens, on each rank alike."""
        import pyarrow.compute

        self.run = run
        self.training = training
        self.seed = seed
        self.validation = tokens.validation
        self.train_rows = tokens.train.select_columns(["input_ids", "mask"])
        self.lengths: list[int] = pyarrow.compute.list_value_length(tokens.train.data.column("input_ids")).to_pylist()
        self.names = tokens.train["id"]
        self.batches = MicroBatches(self.lengths, training, run.world_size, run.rank, seed)
        self.collate = collator(training, int(tokenizer.pad_token_id), tokenizer.bos_token_id)
        self.interrupts = Interrupts()
        self.meter = Meter(run.world_size, lambda: self.interrupts.asked)
        self.samples = Samples(
            tokens.validation, training.sample_generations, seed, tokenizer, run.directory / SAMPLES_FILE if run.rank == 0 else None
        )

    def examples_of(self, step: int) -> list[list[str]]:
        """The ids of the examples in each micro-batch of an optimizer step (from 1) of all ranks, as `Guard` takes them."""
        steps_in_epoch = -(-len(self.batches) // self.training.gradient_accumulation_steps)
        self.batches.set_epoch((step - 1) // steps_in_epoch)
        chosen = next(islice(self.batches.steps(), (step - 1) % steps_in_epoch, None))
        return [[self.names[row] for row in batch] for batch in chosen]


def build_trainer(
    model: Any, arguments: "TrainingArguments", pieces: Pieces, speed: Speed, watchers: list[Any], universal: bool = False
) -> Any:
    """A Trainer with our micro-batches, and losses that are exact means over the learned tokens of a step, and of all validation.

    Its order of examples follows from the seed and the epoch alone, so that a resumed training goes on with the same one.
    """
    from torch.utils.data import DataLoader
    from transformers import PrinterCallback, Trainer

    run, meter = pieces.run, pieces.meter
    selects = selects_logits(model.get_base_model() if hasattr(model, "get_base_model") else model)

    class EpochLoader(DataLoader[Any]):
        def set_epoch(self, epoch: int) -> None:
            pieces.batches.set_epoch(epoch)

    class TokenTrainer(Trainer):
        def get_train_dataloader(self) -> Any:
            import torch

            # Not prepared by accelerate, which would split among ranks what is split already. Workers are seeded by a generator of
            # their own: drawing from torch's would shift the dropout that follows.
            return EpochLoader(
                pieces.train_rows,
                batch_sampler=pieces.batches,
                collate_fn=pieces.collate,
                num_workers=self.args.dataloader_num_workers,
                pin_memory=self.args.dataloader_pin_memory,
                generator=torch.Generator().manual_seed(pieces.seed),
            )

        def get_batch_samples(self, epoch_iterator: Iterator[Any], num_batches: int, device: Any) -> tuple[list[Any], Any]:
            meter.begin()
            batches = list(islice(epoch_iterator, num_batches))
            return batches, meter.took(batches, device)

        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
            total, _ = summed_loss(model, inputs, selects)
            # DDP and DeepSpeed take the mean over ranks of what each gives; the count is that of all of them.
            loss = total / num_items_in_batch * run.world_size
            meter.losses.append(loss.detach())
            return loss

        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            # Kept in checkpoints, with the rest of the log.
            super().log(logs | (speed.since_last(self.state.num_input_tokens_seen) if "loss" in logs else {}), start_time)

        def floating_point_ops(self, inputs: Any) -> int:
            return 0

        def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
            norm = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[no-untyped-call]
            meter.grad_norm = None if norm is None else float(norm)
            return norm

        def evaluate(self, *given: Any, **settings: Any) -> dict[str, float]:
            args = self.args
            with self.compute_loss_context_manager():
                found = validate(
                    self.model_wrapped,
                    selects,
                    pieces.validation,
                    pieces.collate,
                    pieces.training,
                    run.rank,
                    run.world_size,
                    args.device,
                )
                metrics = found.metrics | {
                    f"eval_{name}": value for name, value in pieces.samples.take(self.model, self.state.global_step).items()
                }
            refuse_unknown_metric(args.metric_for_best_model, metrics, pieces.training)
            self.log(metrics)
            self.control = self.callback_handler.on_evaluate(args, self.state, self.control, metrics)
            return metrics

        def _run_epoch(self, *given: Any, **settings: Any) -> None:
            # A resumed training may have nothing left to do; the Trainer would take one more step.
            if not self.control.should_training_stop:
                super()._run_epoch(*given, **settings)  # type: ignore[no-untyped-call]

        def _load_best_model(self) -> None:
            if universal:
                if run.rank == 0:
                    to_universal(Path(str(self.state.best_model_checkpoint)))
                wait_for_all()
            super()._load_best_model()

        def _save_checkpoint(self, *given: Any, **settings: Any) -> None:
            with room_for(Path(str(self.args.output_dir)) / f"checkpoint-{self.state.global_step}"):
                super()._save_checkpoint(*given, **settings)

    trainer = TokenTrainer(
        model=model,
        args=arguments,
        train_dataset=pieces.train_rows,
        eval_dataset=pieces.validation,
        callbacks=[listening(w) for w in watchers],
    )
    trainer.remove_callback(PrinterCallback)
    # The Trainer leaves the loss as it is.
    trainer.model_accepts_loss_kwargs = True
    return trainer


def refuse_unknown_metric(metric: str | None, metrics: dict[str, float], training: Training) -> None:
    """Raise UserError where `metric_for_best_model` is wanted and is no loss that an evaluation gives."""
    wanted = training.load_best_model_at_end or training.early_stopping_patience is not None
    losses = [name for name in metrics if not name.startswith("eval_sample_")]
    if wanted and metric not in losses:
        raise UserError(f"training.metric_for_best_model={metric} is none of {', '.join(losses)}")


def train(
    run: Run,
    stage: str,
    model: Any,
    arguments: "TrainingArguments",
    tokens: Tokens,
    tokenizer: "PreTrainedTokenizerBase",
    training: Training,
    deepspeed: DeepSpeed,
    seed: int,
    where: Resume,
) -> tuple[Any, Outcome]:
    """Train `model` in place (on every rank); give the Trainer, which can save it, and the outcome.

    Raises:
        UserError: the GPU's memory is too small, the disk is full, or the loss is no number any more, or leaps.
        RuntimeError: DeepSpeed was asked for and does not train.
        KeyboardInterrupt: the process was asked to stop, and has saved a checkpoint.
    """
    import torch

    pieces = Pieces(run, tokens, training, tokenizer, seed)
    meter = pieces.meter
    curves = Curves(run, stage)
    speed = Speed(meter, operations_per_token(model, pieces.lengths), operations_per_second(), run.world_size)
    progress, check = Progress(stage, meter, shown=run.rank == 0), EngineCheck(deepspeed, where.checkpoint if where.universal else None)
    schedule = Schedule(meter, training.early_stopping_patience, training.metric_for_best_model)
    watchers = [
        meter,
        Guard(meter, pieces.examples_of, training.max_loss_spike, run.world_size, run.rank),
        curves,
        progress,
        check,
        schedule,
        Keeper(run, meter, training.save_total_limit),
    ]
    trainer = build_trainer(model, arguments, pieces, speed, watchers, where.universal)
    check.trainer = schedule.trainer = trainer
    checkpoint = where.checkpoint
    pieces.samples.begin(int(checkpoint.name.rpartition("-")[2]) if checkpoint else -1)
    try:
        with pieces.interrupts.heeded():
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except torch.OutOfMemoryError:
        raise UserError(out_of_memory(training)) from None
    finally:
        progress.close()
        curves.close()
    state = trainer.state
    kept = final_evaluation(trainer)
    return trainer, Outcome(
        steps=state.global_step,
        train_loss=mean_loss(state.log_history),
        eval_loss_before=(evaluated_at(state.log_history, 0) or {}).get("eval_loss"),
        eval_loss=kept.get("eval_loss"),
        perplexity=kept.get("eval_perplexity"),
        best_step=state.best_global_step if best_is_kept(trainer) else None,
        tokens_seen=state.num_input_tokens_seen,
        tokens_per_second=meter.tokens / meter.seconds if meter.seconds else None,
        pad_waste=1 - meter.tokens / meter.slots if meter.slots else None,
        peak_memory_gib=peak_memory_gib(),
        engine=engine_name(trainer.model_wrapped),
    )


def out_of_memory(training: Training) -> str:
    """What to do where a GPU's memory is full."""
    size = training.per_device_train_batch_size
    rows = f" (rows of training.model_max_length={training.model_max_length} tokens)" if training.batching is Batching.packed else ""
    return (
        f"the GPU's memory is full at training.per_device_train_batch_size={size}{rows}: lower it and raise "
        "training.gradient_accumulation_steps, or set training.gradient_checkpointing=true, or choose deepspeed=zero3 (zero3_offload); "
        f"if it happened in an evaluation, lower training.per_device_eval_batch_size={training.per_device_eval_batch_size}"
    )


def best_is_kept(trainer: Any) -> bool:
    """Whether the Trainer has gone back to its best checkpoint."""
    return bool(trainer.args.load_best_model_at_end and trainer.state.best_model_checkpoint)


def final_evaluation(trainer: Any) -> dict[str, Any]:
    """The evaluation of the weights that are kept, taken now unless the log has it; nothing without evaluation."""
    if trainer.args.eval_strategy == "no":
        return {}
    state = trainer.state
    step = state.best_global_step if best_is_kept(trainer) else state.global_step
    return evaluated_at(state.log_history, step) or trainer.evaluate()


def mean_loss(log: list[dict[str, Any]]) -> float | None:
    """The mean training loss over all steps of a Trainer's log, whose entries are means since the one before."""
    total, last = 0.0, 0
    for entry in log:
        if "loss" in entry:
            total += entry["loss"] * (entry["step"] - last)
            last = entry["step"]
    return total / last if last else None


def engine_name(engine: Any) -> str:
    """What drives the model, by its class."""
    name = type(engine).__name__
    if name == "DeepSpeedEngine":
        return f"deepspeed-zero{engine.zero_optimization_stage()}"
    if name.startswith("FSDP"):
        return "fsdp2"
    return "ddp" if name == "DistributedDataParallel" else "single"


def clear_traces() -> None:
    """Make transformers forget the DeepSpeed configuration, which would shard every model loaded later in this process."""
    from accelerate.state import AcceleratorState
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    unset_hf_deepspeed_config()  # type: ignore[no-untyped-call]
    AcceleratorState._reset_state(reset_partial_state=True)
