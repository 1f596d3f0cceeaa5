"""Turn settings into transformers' TrainingArguments and the number format of weights, and refuse what cannot be trained so."""

from pathlib import Path
from typing import TYPE_CHECKING

from radgpt.config import DeepSpeed, Dtype, Method, Model, Training, Tuning, refuse
from radgpt.errors import UserError
from radgpt.models import explained, hub_options, number_format
from radgpt.training.engine.deepspeed import deepspeed_json
from radgpt.training.engine.fsdp import fsdp_arguments
from radgpt.validation import suggestion

if TYPE_CHECKING:
    import torch
    from transformers import TrainingArguments


def training_arguments(
    training: Training,
    deepspeed: DeepSpeed,
    model: Model,
    seed: int,
    *,
    output: Path,
    evaluate: bool,
    resumed: bool,
    universal: bool = False,
) -> "TrainingArguments":
    """The Trainer's arguments; settings that both know keep their value.

    Args:
        output: folder for the Trainer's checkpoints.
        evaluate: whether there are validation pairs; if so, the loss is also taken before the first step.
        resumed: whether training goes on from a checkpoint.
        universal: whether that checkpoint holds DeepSpeed's states in the form that any number of processes loads.

    Raises:
        UserError: a setting has a value that transformers does not know.
    """
    import torch
    from torch import distributed
    from transformers import TrainingArguments

    refuse_unknown(training)
    on_gpu = torch.cuda.is_available()
    many = distributed.is_initialized() and distributed.get_world_size() > 1
    computes_in = number_format(model)
    evaluates = evaluate and training.eval_strategy != "no"
    refuse_unwatched(training, evaluates)
    arguments = TrainingArguments(
        output_dir=str(output),
        num_train_epochs=training.num_train_epochs,
        max_steps=training.max_steps,
        per_device_train_batch_size=training.per_device_train_batch_size,
        per_device_eval_batch_size=training.per_device_eval_batch_size,
        gradient_accumulation_steps=training.gradient_accumulation_steps,
        learning_rate=training.learning_rate,
        weight_decay=training.weight_decay,
        optim=training.optim,
        adam_beta1=training.adam_beta1,
        adam_beta2=training.adam_beta2,
        adam_epsilon=training.adam_epsilon,
        # Below 1 it is a share of all steps: what was `warmup_ratio` before transformers 5.
        warmup_steps=training.warmup_ratio if training.warmup_steps is None else training.warmup_steps,
        lr_scheduler_type=training.lr_scheduler_type,
        max_grad_norm=training.max_grad_norm,
        **fsdp_arguments(training),
        bf16=computes_in is torch.bfloat16,
        fp16=computes_in is torch.float16,
        save_strategy=training.save_strategy,
        save_steps=training.save_steps,
        eval_strategy=training.eval_strategy if evaluates else "no",
        eval_steps=training.eval_steps,
        eval_on_start=evaluates and not resumed,
        load_best_model_at_end=training.load_best_model_at_end and evaluates,
        metric_for_best_model=training.metric_for_best_model if evaluates else None,
        greater_is_better=False,
        prediction_loss_only=True,
        logging_steps=training.logging_steps,
        # A loss that is not finite ends the training; the Trainer's default shows the last finite one instead.
        logging_nan_inf_filter=False,
        dataloader_pin_memory=on_gpu,
        dataloader_num_workers=training.dataloader_num_workers,
        remove_unused_columns=False,
        ddp_timeout=training.ddp_timeout,
        ddp_backend="gloo" if many and not on_gpu else None,
        ddp_find_unused_parameters=False,
        use_cpu=not on_gpu,
        deepspeed=deepspeed_json(deepspeed, universal),
        seed=seed,
        data_seed=seed,
        report_to=[],
        disable_tqdm=True,
        log_level="error",
    )
    if arguments.n_gpu > 1:
        # Otherwise the Trainer spreads one process over all GPUs it sees and multiplies the batch, which no setting asked for.
        arguments._n_gpu = 1
    return arguments


def refuse_unknown(training: Training) -> None:
    """Raise UserError for the name of an optimizer or a schedule that transformers does not know."""
    from transformers import SchedulerType
    from transformers.training_args import OptimizerNames

    known = {"lr_scheduler_type": [kind.value for kind in SchedulerType], "optim": [kind.value for kind in OptimizerNames]}
    for name, names in known.items():
        value = getattr(training, name)
        near = suggestion(value, names, f"training.{name}={{}}")
        refuse(value not in names, f"training.{name}={value} is unknown{near}; choose one of {', '.join(names)}")


def refuse_unwatched(training: Training, evaluates: bool) -> None:
    """Raise UserError where the best checkpoint, or the time to stop, would be chosen by what is never measured."""
    best, patience = training.load_best_model_at_end, training.early_stopping_patience
    asked = "training.load_best_model_at_end=true" if best else f"training.early_stopping_patience={patience}"
    refuse((best or patience is not None) and not evaluates, f"{asked} needs evaluations, and there is no validation pair; leave it out")


def weight_format(model: Model, tuning: Tuning, deepspeed: DeepSpeed) -> "torch.dtype":
    """The number format of the weights while they are trained.

    Full fine-tuning with `model.dtype=auto` keeps float32 weights and computes in shorter formats, since AdamW's small steps
    vanish in bfloat16's eight bits; DeepSpeed keeps such a copy itself. LoRA's own weights are always float32 outside DeepSpeed.

    Raises:
        UserError: float16 where it cannot be trained.
    """
    import torch

    chosen = number_format(model)
    if chosen is torch.float16 and (not torch.cuda.is_available() or (tuning.method is Method.full and not deepspeed.enabled)):
        raise UserError("model.dtype=float16 cannot be trained here (a CPU, or tuning=full without DeepSpeed); choose model.dtype=auto")
    if tuning.method is Method.full and model.dtype is Dtype.auto and not deepspeed.enabled:
        return torch.float32
    return chosen


def refuse_too_long(training: Training, model: Model, base: str) -> None:
    """Raise UserError if examples may be longer than the model's positions."""
    from transformers import AutoConfig

    with explained(model):
        positions = getattr(AutoConfig.from_pretrained(base, **hub_options(model, base)), "max_position_embeddings", None)
    if positions is not None and training.model_max_length > positions:
        raise UserError(
            f"training.model_max_length={training.model_max_length} exceeds the {positions} positions of "
            f"model.name_or_path={model.name_or_path}; set training.model_max_length={positions}"
        )
