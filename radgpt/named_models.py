"""The models that `models` names: each is the same configuration, composed again with a few settings of its own."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from radgpt import stages
from radgpt.commands import command_to_make
from radgpt.config import Config
from radgpt.errors import UserError
from radgpt.governance.endpoints import endpoint_of
from radgpt.inference.backend import NamedModel
from radgpt.lookup import Lookup, Reads
from radgpt.mistakes import explain
from radgpt.validation import validated

OWN = "this"
"""The configuration's own model, where `models` does not name it."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
"""Names stand in paths of files and on pages."""

NOT_OF_A_MODEL = ("stage", "pipeline", "name", "outputs", "models", "force", "dry_run", "objective", "hydra")
"""Settings that say what is done and where, not who answers."""

SAID_OF_A_COMMAND = ("stage", "pipeline", "compare", "chat", "serve", "rate", "force", "dry_run", "objective")
"""Settings of a command that are nothing to the one that trains a model."""

DESCRIBED_BY_GROUP = ("model", "tuning", "backend")
"""Groups whose other settings describe the option that was chosen: a model that chooses another one does not take them over."""


def named_configs(config: Config, overrides: Sequence[str]) -> dict[str, Config]:
    """Name to configuration of every model, the configuration's own first.

    Args:
        overrides: the command line that gave `config`; each model's settings come after it. Where they choose another `model`, `tuning`
            or `backend`, what the command line says of the one before (such as `tuning.r=8`) is left out.

    Raises:
        UserError: a name that cannot name a file, or settings that do not compose; the message names `models.NAME`.
    """
    own, others = own_name(config), {}
    for name, text in config.models.items():
        if not NAME.fullmatch(name):
            raise UserError(
                f"models.{name}: a model's name is up to 40 letters, digits, '-', '_' and '.', and begins with none of these signs"
            )
        if name != own:
            others[name] = composed(name, words_of(name, text), overrides)
    return {own: config, **others}


def own_name(config: Config) -> str:
    """What the configuration's own model is called: the name in `models` that has no settings, else `this`.

    Raises:
        UserError: several names have none, or `this` has some.
    """
    unset = [name for name, text in config.models.items() if not text.strip()]
    if len(unset) > 1:
        raise UserError(
            f"models: {' and '.join(unset)} have no settings and would be the same model; give all but one some, or leave them out"
        )
    if not unset and OWN in config.models:
        raise UserError(f"models.{OWN} is the configuration's own model and takes no settings; choose another name")
    return unset[0] if unset else OWN


def words_of(name: str, text: str) -> list[str]:
    """A model's overrides, split as a shell does; raises UserError for quotes that do not match, and for what is not a model's to set."""
    try:
        words = shlex.split(text)
    except ValueError:
        raise UserError(f"models.{name}: its quotes do not match; write settings as on the command line, such as 'tuning=none'") from None
    for word in words:
        if (setting := root_of(word)) in NOT_OF_A_MODEL:
            raise UserError(f"models.{name}: {setting} is set for the whole command, not for one model; leave it out there")
    return words


def root_of(override: str) -> str:
    """The group or section that an override sets, `tuning` for `+tuning.r=8`."""
    return re.split(r"[.=@/]", override.lstrip("+~"), maxsplit=1)[0]


def overrides_of(words: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """The command line's overrides that a model takes over, then its own."""
    chosen = {group for group in DESCRIBED_BY_GROUP if any(word.startswith(f"{group}=") for word in words)}
    return [*(override for override in overrides if root_of(override) not in chosen | {"models"}), *words]


def composed(name: str, words: Sequence[str], overrides: Sequence[str]) -> Config:
    """The configuration of one model; raises UserError that names `models.NAME` where it does not compose or breaks a rule."""
    from hydra import compose
    from hydra.core.hydra_config import HydraConfig

    config_name = HydraConfig.get().job.config_name if HydraConfig.initialized() else None
    with told_of(name), hydra_ready():
        return validated(compose(config_name or "config", overrides=overrides_of(words, overrides)))


@contextmanager
def told_of(name: str) -> Iterator[None]:
    """Let what the user is told of a mistake in the block begin with `models.NAME`."""
    try:
        yield
    except Exception as error:
        line = explain(error)
        if line is None:
            raise
        raise UserError(f"models.{name}: {line}") from None


@contextmanager
def hydra_ready() -> Iterator[None]:
    """Compose as the running job does; outside of one, from the files of `conf`."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    from radgpt.cli import conf_folder, register_schema

    if GlobalHydra().is_initialized():
        yield
        return
    register_schema()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        yield


def named_models(config: Config, stage: stages.Stage, reads: Reads, overrides: Sequence[str]) -> tuple[dict[str, NamedModel], list[str]]:
    """The models that a stage may open, its configuration's own first.

    A stage whose outcome stands for a key gets its own one alone, since that key holds nothing of others. Others whose checkpoint is not
    made yet are left out.

    Returns:
        Name to model; and a line for the user on each that was left out, with the command that makes it.

    Raises:
        UserError: as `named_configs` does.
    """
    own = own_name(config)
    checkpoint = Path(reads["checkpoint"]["path"]) if "checkpoint" in reads else None
    models = {own: model_of(own, config, checkpoint)}
    left_out: list[str] = []
    if stage.cached:
        return models, left_out
    for name, its in named_configs(config, overrides).items():
        if name == own:
            continue
        with told_of(name):
            found = checkpoint_of(its)
        if found is None and its.needs_checkpoint:
            how = how_to_make(unmade("checkpoint", its, Lookup(its)), words_of(name, config.models[name]), overrides)
            left_out.append(f"models.{name} is left out, as it is not trained yet; to train it: {how}")
        else:
            models[name] = model_of(name, its, found)
    return models, left_out


def model_of(name: str, config: Config, checkpoint: Path | None) -> NamedModel:
    """The parts of a configuration that it takes to open its model."""
    return NamedModel(name, config.model, config.backend, config.decoding, checkpoint)


def checkpoint_of(config: Config) -> Path | None:
    """Where the checkpoint of a configuration's model stands; None where it needs none, or has none yet.

    Raises:
        UserError: `inputs.checkpoint` names none.
    """
    if not config.needs_checkpoint:
        return None
    lookup = Lookup(config)
    if config.inputs.checkpoint is None and unmade("checkpoint", config, lookup):
        return None
    return Path(lookup.artifact("checkpoint", "predict")["path"])


def unmade(artifact: str, config: Config, lookup: Lookup) -> list[str]:
    """The stages that must run, in this order, before an artifact stands under its key; none where it does."""
    if getattr(config.inputs, artifact):
        return []
    maker = stages.producer(artifact)
    before = [stage for needed in stages.reads(maker, config) for stage in unmade(needed, config, lookup)]
    if before or lookup.done(maker) is None:
        return [*dict.fromkeys(before), maker]
    return []


def how_to_make(missing: Sequence[str], words: Sequence[str], overrides: Sequence[str]) -> str:
    """The command line that runs the stages that a model is lacking.

    Args:
        words: the model's own overrides.
        overrides: of the command line that names it.
    """
    kept = [word for word in overrides_of(words, overrides) if root_of(word) not in SAID_OF_A_COMMAND]
    return command_to_make(missing, kept)


def checkpoints(models: Mapping[str, NamedModel]) -> Iterator[tuple[str, Path]]:
    """(setting, place) of all that models are loaded from, for the class that their answers must obey."""
    for name, model in models.items():
        if model.checkpoint is not None:
            yield f"models.{name}", model.checkpoint
        if model.backend.in_process and model.model.name_or_path:
            yield f"models.{name}", Path(model.model.name_or_path)


def refuse_endpoints(models: Mapping[str, NamedModel], config: Config) -> None:
    """Raise UserError where the class of the run keeps its reports from a model's endpoint."""
    for name, model in models.items():
        if not model.backend.in_process:
            with told_of(name):
                endpoint_of(model.backend, config.data.governance, config.governance.attestation)
