"""Turn the settings of `training` and `tuning` into transformers' TrainingArguments and a model to train."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgpt.config import DeepSpeed, Dtype, Method, Model, Training, Tuning, refuse
from radgpt.errors import UserError
from radgpt.models import explained, hub_options, number_format
from radgpt.training.deepspeed import deepspeed_json

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, TrainingArguments

STRATEGIES = ("no", "steps", "epoch")


def training_arguments(
    training: Training, deepspeed: DeepSpeed, model: Model, seed: int, *, output: Path, evaluate: bool, resumed: bool
) -> "TrainingArguments":
    """The Trainer's arguments; settings that both know keep their value.

    Args:
        output: folder for the Trainer's checkpoints.
        evaluate: whether there are validation pairs; if so, the loss is also taken before the first step.
        resumed: whether training goes on from a checkpoint.

    Raises:
        UserError: a setting has a value that transformers does not know.
    """
    import torch
    from torch import distributed
    from transformers import SchedulerType, TrainingArguments

    one_of("save_strategy", training.save_strategy, STRATEGIES)
    one_of("eval_strategy", training.eval_strategy, STRATEGIES)
    one_of("lr_scheduler_type", training.lr_scheduler_type, tuple(kind.value for kind in SchedulerType))
    for name in ("save_steps", "eval_steps", "logging_steps"):
        value = getattr(training, name)
        refuse(value is not None and value <= 0, f"training.{name}={value} must be above 0")
    on_gpu = torch.cuda.is_available()
    many = distributed.is_initialized() and distributed.get_world_size() > 1
    computes_in = number_format(model)
    evaluates = evaluate and training.eval_strategy != "no"
    arguments = TrainingArguments(
        output_dir=str(output),
        num_train_epochs=training.num_train_epochs,
        max_steps=training.max_steps,
        per_device_train_batch_size=training.per_device_train_batch_size,
        per_device_eval_batch_size=training.per_device_eval_batch_size,
        gradient_accumulation_steps=training.gradient_accumulation_steps,
        learning_rate=training.learning_rate,
        weight_decay=training.weight_decay,
        # Below 1 it is a share of all steps: what was `warmup_ratio` before transformers 5.
        warmup_steps=training.warmup_ratio,
        lr_scheduler_type=training.lr_scheduler_type,
        max_grad_norm=training.max_grad_norm,
        activation_checkpointing=training.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if training.gradient_checkpointing else None,
        bf16=computes_in is torch.bfloat16,
        fp16=computes_in is torch.float16,
        save_strategy=training.save_strategy,
        save_steps=training.save_steps,
        eval_strategy=training.eval_strategy if evaluates else "no",
        eval_steps=training.eval_steps,
        eval_on_start=evaluates and not resumed,
        prediction_loss_only=True,
        logging_steps=training.logging_steps,
        # A loss that is not finite ends the training; the Trainer's default shows the last finite one instead.
        logging_nan_inf_filter=False,
        include_num_input_tokens_seen="non_padding",
        dataloader_pin_memory=on_gpu,
        dataloader_num_workers=training.dataloader_num_workers,
        remove_unused_columns=False,
        ddp_timeout=training.ddp_timeout,
        ddp_backend="gloo" if many and not on_gpu else None,
        ddp_find_unused_parameters=False,
        # accelerate drops DeepSpeed without a word where `use_cpu` is set.
        use_cpu=not on_gpu and not deepspeed.enabled,
        deepspeed=deepspeed_json(deepspeed),
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


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise UserError unless `training.<name>` has one of the allowed values."""
    refuse(value not in allowed, f"training.{name}={value} is unknown; choose one of {', '.join(allowed)}")


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


def prepare_for_tuning(network: "PreTrainedModel", tuning: Tuning, training: Training) -> Any:
    """Add LoRA adapters where asked for (random weights come from torch's generator: seed it first), and make checkpointing work.

    Raises:
        UserError: the model has no modules of the names in `tuning.target_modules`.
    """
    tuned: Any = network
    if tuning.method is Method.lora:
        from peft import LoraConfig, get_peft_model

        targets: Any = tuning.target_modules
        if targets == ["all-linear"]:
            targets = "all-linear"
        adapter = LoraConfig(
            r=tuning.r or 0,
            lora_alpha=tuning.lora_alpha or 0,
            lora_dropout=tuning.lora_dropout or 0.0,
            target_modules=targets,
            task_type="CAUSAL_LM",
        )
        try:
            tuned = get_peft_model(network, adapter)
        except ValueError as error:
            raise UserError(
                f"tuning.target_modules={tuning.target_modules}: {str(error).splitlines()[0]}; give names of the model's linear "
                "modules, or [all-linear]"
            ) from None
        # Otherwise each save asks the hub whether the base's vocabulary has changed. The finished checkpoint names its base.
        tuned.peft_config["default"].base_model_name_or_path = ""
    if training.gradient_checkpointing:
        # Recomputed blocks pass gradients on only if their input asks for some, and a frozen embedding's output does not.
        tuned.enable_input_require_grads()
    return tuned
