"""Write the folder that a training leaves: adapter or full weights, tokenizer, and the record of what was trained."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgpt.config import Method, Model, ModelSource, Tuning
from radgpt.origin import TINY_BASE, Origin
from radgpt.run import Run
from radgpt.training.engine.ranks import wait_for_all
from radgpt.training.tuning.start import Start

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def write_trained(
    run: Run, artifact: str, trainer: Any, tokenizer: "PreTrainedTokenizerBase", model: Model, tuning: Tuning, start: Start
) -> None:
    """Save the trained weights as the run's `artifact`: all ranks take part, since ZeRO-3 gathers them, and rank 0 writes.

    Base weights are never copied, but for those of the tiny model: an adapter names its base, and where that was left by an earlier
    training, the record says in which folder.
    """
    trainer.model.config.use_cache = True
    if run.rank != 0:
        trainer.save_model("written by rank 0")
        wait_for_all()
        return
    with run.write_folder(artifact) as folder:
        trainer.save_model(str(folder))
        tokenizer.save_pretrained(folder)
        for surplus in ("training_args.bin", "README.md"):
            (folder / surplus).unlink(missing_ok=True)
        if tuning.method is Method.lora:
            tidy_adapter_config(folder / "adapter_config.json", model, start)
            if model.source is ModelSource.tiny:
                shutil.copytree(start.base, folder / TINY_BASE)
        origin_of(model, tuning, start, run.path(artifact)).write(folder)
    wait_for_all()


def origin_of(model: Model, tuning: Tuning, start: Start, checkpoint: Path) -> Origin:
    """The record of what was trained, for the folder that will be `checkpoint`."""
    origin = Origin.of(model, tuning.method, tuning.quantization)
    if tuning.method is Method.lora and start.earlier_weights is not None and model.source is not ModelSource.tiny:
        return origin.on(start.earlier_weights, checkpoint)
    return origin


def tidy_adapter_config(file: Path, model: Model, start: Start) -> None:
    """Name the base as the config does, or by the folder of an earlier training's, and sort what peft writes in the order of a set."""
    config = json.loads(file.read_text(encoding="utf-8"))
    base = str(start.earlier_weights.resolve()) if start.earlier_weights else model.name_or_path
    config["base_model_name_or_path"] = TINY_BASE if model.source is ModelSource.tiny else base
    config = {name: sorted(value) if name == "target_modules" and isinstance(value, list) else value for name, value in config.items()}
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
