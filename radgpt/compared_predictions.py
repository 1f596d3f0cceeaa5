"""Find the predictions of every model that is compared, and make those that are missing: the same questions for all, no training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from radgpt import stages
from radgpt.config import Compare, Config
from radgpt.errors import UserError
from radgpt.keys import input_key, key
from radgpt.lookup import Lookup
from radgpt.named_models import how_to_make, named_configs, overrides_of, own_name, told_of, unmade, words_of

THE_SAME_FOR_ALL = ("split", "file", "limit")
"""Settings of `prediction` that say what is asked."""

Predict = Callable[[Config, list[str]], None]
"""Runs `stage=predict` for a configuration and the overrides that gave it."""


def needs_predictions(config: Config, stage: str) -> bool:
    """Whether what a stage does depends on which models are compared: it compares them, or reads what comparing made."""
    if Compare in stages.load(stage).sections.values():
        return True
    return any(needs_predictions(config, stages.producer(name)) for name in stages.reads(stage, config) if not getattr(config.inputs, name))


def with_predictions(config: Config, overrides: Sequence[str], predict: Predict | None) -> Config:
    """The configuration with the predictions of every compared model in `compare.predictions`, its own model's first.

    Args:
        overrides: the command line that gave `config`.
        predict: makes what is missing; None: nothing may be made now.

    Raises:
        UserError: as `compared_configs`; a model is not trained (with the command that trains it); predictions are missing and may not be
            made.
    """
    configs = compared_configs(config, overrides)
    refuse_untrained({name: unmade_of(name, its) for name, its in configs.items()}, config, overrides)
    asked = asking_the_same(configs, config)
    refuse_twins(asked)
    found = {name: str(made(name, its, overrides_of(words_for(name, config), overrides), predict)) for name, its in asked.items()}
    return replace(config, compare=replace(config.compare, predictions=found | config.compare.predictions))


def compared_configs(config: Config, overrides: Sequence[str]) -> dict[str, Config]:
    """Name to configuration of the models whose predictions come by key; files that `compare.predictions` names stand beside them.

    These are the configuration's own model and those of `models`. Where several files are named and `models` is empty, only those are
    compared.

    Raises:
        UserError: fewer than two models in all, a name twice, or a model with settings of its own for what is asked.
    """
    files = config.compare.predictions
    configs = {} if len(files) > 1 and not config.models else named_configs(config, overrides)
    if both := sorted(files.keys() & configs.keys()):
        raise UserError(f"compare.predictions.{both[0]}: models has that name too; give one of them another")
    if len(configs) + len(files) < 2:
        raise UserError(
            "compare: one model alone is compared with nothing (stage=evaluate measures it against floors); name others, such as "
            "'models={base: \"tuning=none\"}', or give files of theirs, such as compare.predictions={other: predictions.jsonl}"
        )
    for name, its in configs.items():
        for setting in THE_SAME_FOR_ALL:
            if getattr(its.prediction, setting) != getattr(config.prediction, setting):
                raise UserError(
                    f"models.{name}: prediction.{setting} is the same for all models that are compared; set it for the whole command"
                )
    # The flag is for comparing again, not for having all models answer again.
    return {name: replace(its, force=False) for name, its in configs.items()}


def asking_the_same(configs: Mapping[str, Config], config: Config) -> dict[str, Config]:
    """The configurations with the questions of `config`'s dataset, whatever data a model was trained on."""
    if not config.prediction.of_dataset:
        return dict(configs)
    asked = {}
    for name, its in configs.items():
        with told_of(name):
            same = input_key(its, "dataset") == input_key(config, "dataset")
        if not same:
            dataset = Lookup(config).artifact("dataset", "predict")["path"]
            with told_of(name):
                checkpoint = Lookup(its).artifact("checkpoint", "predict")["path"] if its.needs_checkpoint else None
            its = replace(its, inputs=replace(its.inputs, dataset=dataset, checkpoint=checkpoint))
        asked[name] = its
    return asked


def refuse_twins(asked: Mapping[str, Config]) -> None:
    """Raise UserError where two models would share one file of predictions, as two servers do that call their models alike."""
    names: dict[str, str] = {}
    for name, its in asked.items():
        first = names.setdefault(key(its, "predict"), name)
        if first != name:
            raise UserError(
                f"models.{name}: nothing that tells answers apart differs from {first} (an address does not); "
                "give it a backend.model or other settings of its own, or leave it out"
            )


def unmade_of(name: str, its: Config) -> list[str]:
    """The stages that must run before the model of this name, with its configuration, can answer."""
    with told_of(name):
        lookup = Lookup(its)
        return list(dict.fromkeys(stage for artifact in stages.reads("predict", its) for stage in unmade(artifact, its, lookup)))


def refuse_untrained(lacking: Mapping[str, Sequence[str]], config: Config, overrides: Sequence[str]) -> None:
    """Raise UserError with the commands that run what models are lacking.

    Args:
        lacking: name of a model to the stages that must run before it can answer; none for one that can.
    """
    commands = {name: how_to_make(missing, words_for(name, config), overrides) for name, missing in lacking.items() if missing}
    if commands:
        together = " && ".join(dict.fromkeys(commands.values()))
        raise UserError(f"compare: {' and '.join(commands)} cannot answer yet, and comparing trains nothing; run first: {together}")


def refuse_unforeseen(config: Config, overrides: Sequence[str], pipeline: Sequence[str]) -> None:
    """Raise UserError before a pipeline begins that will compare models which it does not train: not after hours of training others."""
    comparing = next((place for place, stage in enumerate(pipeline) if needs_predictions(config, stage)), None)
    if comparing is None:
        return
    coming = {stage: key(config, stage) for stage in pipeline[:comparing]}
    lacking = {
        name: [stage for stage in unmade_of(name, its) if stage not in coming or coming[stage] != key(its, stage)]
        for name, its in compared_configs(config, overrides).items()
        if name != own_name(config)
    }
    refuse_untrained(lacking, config, overrides)


def made(name: str, its: Config, overrides: list[str], predict: Predict | None) -> Path:
    """Where a model's predictions stand, after making them where there are none; raises UserError where that may not be done now."""
    with told_of(name):
        done = Lookup(its).done("predict")
        # Rows of an endpoint that failed are asked again.
        if done is None or (predict is not None and done[1].metrics.get("failed")):
            if predict is None:
                raise UserError("there are no predictions yet; run stage=compare with the same settings first")
            print(f"compare: {name} answers the questions", flush=True)
            predict(its, overrides)
            done = Lookup(its).done("predict")
        assert done is not None  # predicting raises where it makes none
        return (done[0] / done[1].writes["predictions"]["path"]).resolve()


def unanswered(config: Config, overrides: Sequence[str]) -> dict[str, Config]:
    """Name to configuration of the compared models that have no predictions yet; raises UserError as `with_predictions` does."""
    configs = compared_configs(config, overrides)
    refuse_untrained({name: unmade_of(name, its) for name, its in configs.items()}, config, overrides)
    asked = asking_the_same(configs, config)
    refuse_twins(asked)
    return {name: its for name, its in asked.items() if Lookup(its).done("predict") is None}


def words_for(name: str, config: Config) -> list[str]:
    """The overrides by which a named model differs; none for the configuration's own."""
    return words_of(name, config.models.get(name, ""))
