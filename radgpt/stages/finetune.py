"""Fine-tune the base model on the training pairs."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from radgpt.config import DeepSpeed, Method, Model, ModelSource, Preflight, Quantization, Training, Tuning
from radgpt.models import prepare_base
from radgpt.origin import TINY_BASE, Origin
from radgpt.records import Pair, read_records
from radgpt.run import Run
from radgpt.training.data.held_out import patients_of, record_trained, refuse_seen, trained_on
from radgpt.training.fit import Course, fit, make_tiny_base
from radgpt.training.recipe import Recipe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WRITES = {"checkpoint": "checkpoint"}

PARALLEL = True

OPTIONAL = {"pretrained": "tuning.after_pretraining"}


def run(
    run: Run,
    dataset: Path,
    model: Model,
    tuning: Tuning,
    training: Training,
    deepspeed: DeepSpeed,
    preflight: Preflight,
    seed: int,
    pretrained: Path | None = None,
) -> None:
    """Train on dataset/train.jsonl and write the checkpoint folder that `inference.opening` loads.

    It holds LoRA's adapter or the full weights, the tokenizer with its chat template, and a record of what was trained; for
    `tuning=none` only that record. Base weights are never copied, but for the tiny model that is made here.

    A killed run goes on from the last whole checkpoint of the Trainer in the run's folder.
    """
    if tuning.method is Method.none:
        if run.rank == 0:
            write_untrained(run, dataset, model, tuning.quantization, seed)
        run.summarise(steps=0, trainable_parameters=0)
        return

    earlier: set[str] = set()
    if pretrained is not None or tuning.init_from is not None:
        before = pretrained or Path(tuning.init_from or "").expanduser()
        refuse_seen(before, dataset, "tuning.after_pretraining=true" if pretrained else f"tuning.init_from={tuning.init_from}")
        earlier = trained_on(before)
    if run.rank == 0:
        record_trained(run.directory, earlier | patients_of(dataset, ("train",)))

    def tokens(tokenizer: "PreTrainedTokenizerBase", shared: Path) -> Path:
        from radgpt.training.data.tokens import prepared_tokens, write_tokens

        return prepared_tokens(write_tokens, dataset, training, seed, tokenizer, shared)

    course = Course("finetune", "checkpoint", texts=lambda: texts_of(dataset), tokens=tokens, pretrained=pretrained)
    fit(run, course, Recipe(model, tuning, training, deepspeed, preflight, seed))


def write_untrained(run: Run, dataset: Path, model: Model, quantization: Quantization, seed: int) -> None:
    """The checkpoint of `tuning=none`: a record that stands for the base model."""
    with run.write_folder("checkpoint") as folder:
        if model.source is ModelSource.tiny:
            make_tiny_base(texts_of(dataset), model, seed, folder / TINY_BASE)
        else:
            prepare_base(model, run.cache)
        Origin.of(model, Method.none, quantization).write(folder)


def texts_of(dataset: Path) -> Iterator[str]:
    """What is said in the training pairs."""
    return (message["content"] for pair in read_records(dataset / "train.jsonl", Pair) for message in pair.messages)
