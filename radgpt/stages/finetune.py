"""Fine-tune the base model on the training pairs."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgpt.config import DeepSpeed, Method, Model, ModelSource, Training, Tuning
from radgpt.models import TINY_BASE, Origin, load_base, load_tokenizer, prepare_base
from radgpt.records import Pair, read_records
from radgpt.run import Run
from radgpt.training import checkpoints
from radgpt.training.ranks import process_group, wait_for_all

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WRITES = {"checkpoint": "checkpoint"}

PARALLEL = True


def run(run: Run, dataset: Path, model: Model, tuning: Tuning, training: Training, deepspeed: DeepSpeed, seed: int) -> None:
    """Train on dataset/train.jsonl and write the checkpoint folder that `models.load_trained` loads.

    It holds LoRA's adapter or the full weights, the tokenizer with its chat template, and a record of what was trained; for
    `tuning=none` only that record. Base weights are never copied, but for the tiny model that is made here.

    A killed run goes on from the last whole checkpoint of the Trainer in the run's folder.
    """
    if tuning.method is Method.none:
        if run.rank == 0:
            write_untrained(run, dataset, model, seed)
        run.summarise(steps=0, trainable_parameters=0)
        return
    from radgpt.training.deepspeed import refuse_unusable
    from radgpt.training.trainer import clear_traces

    refuse_unusable(deepspeed, run.world_size)
    with process_group(run.world_size, training.ddp_timeout, always=deepspeed.enabled):
        try:
            fine_tune(run, dataset, model, tuning, training, deepspeed, seed)
        finally:
            clear_traces()
    if run.rank == 0:
        for name in ("checkpoints", "tokens", TINY_BASE):
            checkpoints.discard(run.directory / name)


def write_untrained(run: Run, dataset: Path, model: Model, seed: int) -> None:
    """The checkpoint of `tuning=none`: a record that stands for the base model."""
    with run.write_folder("checkpoint") as folder:
        if model.source is ModelSource.tiny:
            make_tiny_base(dataset, model, seed, folder / TINY_BASE)
        else:
            prepare_base(model, run.cache)
        Origin.of(model, Method.none).write(folder)


def fine_tune(run: Run, dataset: Path, model: Model, tuning: Tuning, training: Training, deepspeed: DeepSpeed, seed: int) -> None:
    """Prepare on rank 0, train on all ranks, write the artifact."""
    from transformers import set_seed

    from radgpt.training.arguments import prepare_for_tuning, refuse_too_long, training_arguments, weight_format
    from radgpt.training.tokens import read_tokens, write_tokens
    from radgpt.training.trainer import train

    work = run.directory / "checkpoints"
    if run.rank == 0:
        if model.source is ModelSource.tiny and not (run.directory / TINY_BASE).is_dir():
            make_tiny_base(dataset, model, seed, run.directory / TINY_BASE)
        base = base_of(run, model)
        refuse_too_long(training, model, base)
        if not (run.directory / "tokens").is_dir():
            write_tokens(dataset, training, seed, load_tokenizer(model, base), run.directory / "tokens")
        for checkpoint in checkpoints.unusable(work, run.world_size):
            run.say(f"finetune: {checkpoint.name} is torn or of another number of processes; it is deleted")
            checkpoints.discard(checkpoint)
    if run.world_size == 1 < gpu_count():
        run.say(f"finetune: one of {gpu_count()} GPUs trains; launch=torchrun uses all of them")
    wait_for_all()
    base = base_of(run, model)
    tokenizer = load_tokenizer(model, base)
    tokens = read_tokens(run.directory / "tokens")
    resume_from = checkpoints.last_whole(work, run.world_size)
    if resume_from:
        run.say(f"finetune: goes on from {resume_from.name}")
    # Before the model is loaded: ZeRO-3 shards weights while they are read, if these arguments stand.
    arguments = training_arguments(
        training, deepspeed, model, seed, output=work, evaluate=tokens.validation is not None, resumed=resume_from is not None
    )
    set_seed(seed)
    network = prepare_for_tuning(load_base(model, base, weight_format(model, tuning, deepspeed)), tuning, training)
    trainable = sum(getattr(p, "ds_numel", p.numel()) for p in network.parameters() if p.requires_grad)

    trainer, outcome = train(run, network, arguments, tokens, int(tokenizer.pad_token_id), training, deepspeed, resume_from)
    write_checkpoint(run, trainer, tokenizer, model, tuning)
    run.summarise(
        steps=outcome.steps,
        train_loss=outcome.train_loss,
        eval_loss_before=outcome.eval_loss_before,
        eval_loss=outcome.eval_loss,
        trainable_parameters=trainable,
        tokens_per_second=outcome.tokens_per_second,
        dropped_too_long=tokens.dropped_too_long,
        device=device_name(arguments.device),
        engine=outcome.engine,
    )


def make_tiny_base(dataset: Path, model: Model, seed: int, folder: Path) -> None:
    """The base of `model=tiny`, its tokenizer fit to the training pairs."""
    from radgpt.artifacts import write_folder
    from radgpt.training.tiny import make_tiny

    texts = (message["content"] for pair in read_records(dataset / "train.jsonl", Pair) for message in pair.messages)
    with write_folder(folder) as temporary:
        make_tiny(model, texts, seed, temporary)


def base_of(run: Run, model: Model) -> str:
    """What `from_pretrained` takes for the base of this run."""
    return str(run.directory / TINY_BASE) if model.source is ModelSource.tiny else prepare_base(model, run.cache)


def write_checkpoint(run: Run, trainer: Any, tokenizer: "PreTrainedTokenizerBase", model: Model, tuning: Tuning) -> None:
    """Save the trained weights: all ranks take part, since ZeRO-3 gathers them, and rank 0 writes."""
    trainer.model.config.use_cache = True
    if run.rank != 0:
        trainer.save_model("written by rank 0")
        wait_for_all()
        return
    with run.write_folder("checkpoint") as folder:
        trainer.save_model(str(folder))
        tokenizer.save_pretrained(folder)
        for surplus in ("training_args.bin", "README.md"):
            (folder / surplus).unlink(missing_ok=True)
        if tuning.method is Method.lora:
            tidy_adapter_config(folder / "adapter_config.json", model)
            if model.source is ModelSource.tiny:
                shutil.copytree(run.directory / TINY_BASE, folder / TINY_BASE)
        Origin.of(model, tuning.method).write(folder)
    wait_for_all()


def tidy_adapter_config(file: Path, model: Model) -> None:
    """Name the base as the config does rather than by a folder of this machine, and sort what peft writes in the order of a set."""
    config = json.loads(file.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = TINY_BASE if model.source is ModelSource.tiny else model.name_or_path
    config = {name: sorted(value) if name == "target_modules" and isinstance(value, list) else value for name, value in config.items()}
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def gpu_count() -> int:
    """GPUs that this process sees."""
    import torch

    return torch.cuda.device_count()


def device_name(device: Any) -> str:
    """The GPU's name, or `cpu`."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device.type)
