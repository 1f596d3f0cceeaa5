"""Train a model from its start or its last checkpoint, and tell how it went."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from radgpt.config import Batching, Training
from radgpt.errors import UserError
from radgpt.run import Run
from radgpt.training.data.tokens import Tokens
from radgpt.training.engine.engine_check import EngineCheck
from radgpt.training.engine.ranks import draw_apart
from radgpt.training.loop.keeper import Keeper
from radgpt.training.loop.resume import Resume
from radgpt.training.loop.schedule import Schedule, evaluated_at
from radgpt.training.loop.token_trainer import Pieces, build_trainer
from radgpt.training.recipe import Recipe
from radgpt.training.watching.curves import Curves
from radgpt.training.watching.flops import operations_per_token
from radgpt.training.watching.guard import Guard
from radgpt.training.watching.progress import Progress
from radgpt.training.watching.speed import Speed, operations_per_second, peak_memory_gib

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


def train(
    run: Run,
    stage: str,
    model: Any,
    arguments: "TrainingArguments",
    tokens: Tokens,
    tokenizer: "PreTrainedTokenizerBase",
    recipe: Recipe,
    where: Resume,
) -> tuple[Any, Outcome]:
    """Train `model` in place (on every rank); give the Trainer, which can save it, and the outcome.

    Raises:
        UserError: the GPU's memory is too small, the disk is full, or the loss is no number any more, or leaps.
        RuntimeError: DeepSpeed was asked for and does not train.
        KeyboardInterrupt: the process was asked to stop, and has saved a checkpoint.
    """
    import torch

    training = recipe.training
    pieces = Pieces(run, tokens, training, tokenizer, recipe.seed)
    meter = pieces.meter
    curves = Curves(run, stage)
    speed = Speed(meter, operations_per_token(model, pieces.lengths), operations_per_second(), run.world_size)
    progress, check = (
        Progress(stage, meter, shown=run.rank == 0),
        EngineCheck(recipe.deepspeed, where.checkpoint if where.universal else None),
    )
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
    # A checkpoint holds each rank's generator, and replaces what is set here.
    draw_apart(recipe.seed, run.rank)
    try:
        with pieces.interrupts.heeded():
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except torch.OutOfMemoryError:
        raise UserError(out_of_memory(training)) from None
    finally:
        run.told_to_stop = pieces.interrupts.asked
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
