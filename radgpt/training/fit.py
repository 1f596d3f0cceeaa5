"""What the stages that train have in common: prepare on rank 0, train on all ranks, write the artifact."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgpt.artifacts import write_text
from radgpt.chat_format import stop_at_answer_end
from radgpt.config import Model, ModelSource
from radgpt.models import load_base, load_tokenizer, quieten
from radgpt.origin import TINY_BASE
from radgpt.quantization import refuse_missing
from radgpt.run import Run
from radgpt.training.engine.libraries import import_libraries
from radgpt.training.engine.ranks import process_group, wait_for_all
from radgpt.training.loop import checkpoints
from radgpt.training.loop.keeper import room_for
from radgpt.training.loop.resume import resume, tidy_checkpoints
from radgpt.training.recipe import Recipe
from radgpt.training.tuning.start import Start, start_of
from radgpt.training.tuning.trained_folder import write_trained

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


OUTCOME_FILE = "outcome.json"
"""In the run's folder: the summary of a training that has come to its end."""


@dataclass(frozen=True)
class Course:
    """What a stage trains on and leaves."""

    stage: str
    """Its name, for the console."""
    artifact: str
    """Name of the folder artifact with the trained model."""
    texts: Callable[[], Iterable[str]]
    """The training texts, which the tokenizer of `model=tiny` is fit to."""
    tokens: "Callable[[PreTrainedTokenizerBase, Path], Path]"
    """Makes or finds, in the folder for all of them, a folder that `tokens.read_tokens` reads; called on rank 0 first."""
    pretrained: Path | None = None
    """Folder of the model that an earlier stage trained and that training starts from; None: `tuning.init_from`, or the base model."""


def fit(run: Run, course: Course, recipe: Recipe) -> None:
    """Train and write the course's artifact, a folder that `inference.opening` loads. Called on every rank.

    A killed run goes on from the last whole checkpoint of the Trainer in the run's folder, and one that had trained to its end does
    not train again. A dry run prints what it would take.
    """
    if run.dry_run:
        forecast(run, course, recipe)
        return
    if (outcome := outcome_before(run, course)) is not None:
        run.say(f"{course.stage}: the training had ended before the run did; nothing is left to train")
        run.summarise(**outcome)
        return
    import_libraries()
    from radgpt.training.engine.deepspeed import refuse_unusable
    from radgpt.training.engine.fsdp import refuse_unsharded
    from radgpt.training.loop.arguments import refuse_unknown
    from radgpt.training.loop.trainer import clear_traces

    refuse_unknown(recipe.training)
    refuse_unusable(recipe.deepspeed, recipe.training)
    refuse_unsharded(recipe.training, recipe.deepspeed, run.world_size)
    with process_group(run.world_size, recipe.training.ddp_timeout, with_deepspeed=recipe.deepspeed.enabled):
        try:
            prepare_and_train(run, course, recipe)
        finally:
            clear_traces()
    if run.rank == 0:
        # From here on what it takes to train again is deleted, and the run may still be killed before its manifest says that it is done.
        write_text(run.directory / OUTCOME_FILE, json.dumps(run.summary, indent=2) + "\n")
        for name in ("checkpoints", "tokens", TINY_BASE):
            checkpoints.discard(run.directory / name)


def outcome_before(run: Run, course: Course) -> dict[str, Any] | None:
    """What an earlier process summarised of the training, if it got to the end of it; the same on all ranks."""
    try:
        outcome = json.loads((run.directory / OUTCOME_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return outcome if run.path(course.artifact).is_dir() else None


def forecast(run: Run, course: Course, recipe: Recipe) -> None:
    """Prepare in the dry run's folder and print what training would take, without loading weights."""
    from radgpt.training.data.tokens import read_tokens
    from radgpt.training.engine.accelerators import find
    from radgpt.training.loop.arguments import refuse_unknown
    from radgpt.training.planning.preflight import config_of, foretell

    quieten()
    # What is misspelt is said before the minutes that tokenising takes.
    refuse_unknown(recipe.training)
    if recipe.preflight.gpu is not None:
        find(recipe.preflight.gpu)
    start, _, folder = make_ready(run, course, recipe)
    config, tokens = config_of(recipe.model, start.base), read_tokens(folder)
    foretell(run, recipe, config, tokens)


def prepare_and_train(run: Run, course: Course, recipe: Recipe) -> None:
    """`fit`, inside the process group."""
    quieten()
    model, tuning, seed = recipe.model, recipe.tuning, recipe.seed
    refuse_missing(tuning.quantization)
    from transformers import set_seed

    from radgpt.training.data.tokens import read_tokens
    from radgpt.training.loop.arguments import training_arguments, weight_format
    from radgpt.training.loop.trainer import train
    from radgpt.training.planning.preflight import check_before_training
    from radgpt.training.tuning.adapters import prepare_for_tuning
    from radgpt.training.tuning.attention import use_segment_attention

    work = run.directory / "checkpoints"
    ready = make_ready(run, course, recipe) if run.rank == 0 else None
    if run.world_size == 1 < gpu_count():
        run.say(f"{course.stage}: one of {gpu_count()} GPUs trains; launch=torchrun uses all of them")
    wait_for_all()
    start, tokenizer, folder = ready or make_ready(run, course, recipe)
    tokens = read_tokens(folder)
    where = resume(run, course.stage, work, recipe.training)
    recipe = replace(recipe, training=where.training)
    check_before_training(run, start.base, recipe, tokens)
    # Before the model is loaded: ZeRO-3 shards weights while they are read, if these arguments stand.
    arguments = training_arguments(
        recipe.training,
        recipe.deepspeed,
        model,
        seed,
        output=work,
        evaluate=tokens.validation is not None,
        resumed=where.checkpoint is not None,
        universal=where.universal,
    )
    set_seed(seed)
    network = load_base(model, start.base, weight_format(model, tuning, recipe.deepspeed), tuning.quantization)
    stop_at_answer_end(network.generation_config, tokenizer)
    use_segment_attention(network, recipe.training, model)
    network = prepare_for_tuning(network, tuning, recipe.training, start.adapter)
    trainable = sum(getattr(p, "ds_numel", p.numel()) for p in network.parameters() if p.requires_grad)

    trainer, outcome = train(run, course.stage, network, arguments, tokens, tokenizer, recipe, where)
    with room_for(run.path(course.artifact)):
        write_trained(run, course.artifact, trainer, tokenizer, model, tuning, start)
    run.summarise(
        **asdict(outcome),
        trainable_parameters=trainable,
        dropped_too_long=tokens.counts.dropped_too_long,
        cut_reports=tokens.counts.cut_reports,
        device=device_name(arguments.device),
    )


def make_ready(run: Run, course: Course, recipe: Recipe) -> "tuple[Start, PreTrainedTokenizerBase, Path]":
    """Where training starts, the tokenizer, and the folder of tokens: made by rank 0, and then found by the others."""
    from radgpt.training.loop.arguments import refuse_too_long

    model = recipe.model
    from_scratch = course.pretrained is None and recipe.tuning.init_from is None
    if run.rank == 0 and model.source is ModelSource.tiny and from_scratch and not (run.directory / TINY_BASE).is_dir():
        make_tiny_base(course.texts(), model, recipe.seed, run.directory / TINY_BASE, weights=not run.dry_run)
    start = start_of(run, model, recipe.tuning, course.pretrained)
    tokenizer = load_tokenizer(model, start.tokenizer)
    if run.rank == 0:
        refuse_too_long(recipe.training, model, start.base)
        tidy_checkpoints(run, course.stage, run.directory / "checkpoints")
    return start, tokenizer, course.tokens(tokenizer, run.shared or run.directory / "tokens")


def make_tiny_base(texts: Iterable[str], model: Model, seed: int, folder: Path, *, weights: bool = True) -> None:
    """The base of `model=tiny`, its tokenizer fit to the training texts; without `weights`, the config alone stands for the model."""
    from radgpt.artifacts import write_folder
    from radgpt.training.tiny import make_tiny

    with write_folder(folder) as temporary:
        make_tiny(model, texts, seed, temporary, weights=weights)


def gpu_count() -> int:
    """GPUs that this process sees."""
    import torch

    return torch.cuda.device_count()


def device_name(device: Any) -> str:
    """The GPU's name, or `cpu`."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device.type)
