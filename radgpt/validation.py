"""Turn a composed config into the typed dataclasses, refusing what Hydra lets past."""

import difflib
import re
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from omegaconf import DictConfig, OmegaConf

from radgpt import stages
from radgpt.config import Config, Provider
from radgpt.errors import UserError, settings_of
from radgpt.instructions.tasks import refuse_unfit
from radgpt.quantization import refuse_sharded


def validated(cfg: DictConfig) -> Config:
    """The typed config.

    Raises:
        UserError: a setting that no dataclass has (`+` adds any), an unknown stage, a value that is still missing, or a broken rule.
    """
    refuse_strangers(cfg, Config)
    config = OmegaConf.to_object(cfg)
    assert isinstance(config, Config)
    refuse_nested(config)
    known = [*stages.names(), "pipeline"]
    if config.stage not in known:
        raise UserError(f"stage={config.stage} is no stage{suggestion(config.stage, known, 'stage={}')}; stages are {', '.join(known)}")
    if not re.fullmatch(r"[\w.-]+", config.name) or config.name.startswith("."):
        raise UserError(f"name={config.name} names a folder: use letters, digits, '-', '_' and '.' only")
    refuse_unfit(config.instructions, config.prompt, by_rules=config.teacher.provider is Provider.rules)
    refuse_sharded(config.tuning, config.training, config.deepspeed)
    with settings_of("pretraining", written="training"):
        refuse_sharded(config.tuning, config.pretraining, config.deepspeed)
    return config


def refuse_nested(config: Config) -> None:
    """Raise UserError where a text is due under a name of the user's and a list or mapping stands, which OmegaConf lets past."""
    for setting, mapping, example in (
        ("models", config.models, '"tuning=none"'),
        ("compare.predictions", config.compare.predictions, "predictions.jsonl"),
        ("evaluation.weights", config.evaluation.weights, "FOLDER"),
    ):
        for name, value in mapping.items():
            if not isinstance(value, str):
                raise UserError(f"{setting}.{name} takes a text, such as '{setting}={{{name}: {example}}}'")


def refuse_strangers(cfg: DictConfig, schema: type, prefix: str = "") -> None:
    """Raise UserError at the first key that its dataclass does not have."""
    kinds = get_type_hints(schema)
    for name in map(str, cfg):
        if name not in kinds:
            path = f"{prefix}{name}"
            raise UserError(no_setting(path))
        if is_dataclass(kinds[name]):
            refuse_strangers(cfg[name], kinds[name], f"{prefix}{name}.")


def no_setting(path: str) -> str:
    """The line about a setting that does not exist: the nearest known one, or why there is none to upload models with."""
    name = path.rpartition(".")[2]
    if name.startswith(("push_to_hub", "hub_")):
        return (
            f"{path} is refused: radgpt uploads no model, as one tuned on credentialed reports is shared on PhysioNet only, under the "
            "source's agreement; leave it out"
        )
    if path.startswith("data.section_fields"):
        return f"{path}: a section is added with a plus in front: '+data.section_fields={{findings: COLUMN}}'"
    if path in settings():
        return f"{path} has no such entry; to add one, write '+{path}.NAME=VALUE'"
    return f"{path} is no setting{suggestion(path, settings(), '{}')}"


def settings(schema: type = Config, prefix: str = "") -> list[str]:
    """Dotted paths of all sections and settings."""
    kinds = get_type_hints(schema)
    found: list[str] = []
    for field in fields(schema):
        found.append(f"{prefix}{field.name}")
        kind: Any = kinds[field.name]
        if is_dataclass(kind) and isinstance(kind, type):
            found += settings(kind, f"{prefix}{field.name}.")
    return found


def suggestion(typed: str, known: list[str], form: str) -> str:
    """`. Did you mean …?` with the nearest known name, or nothing where none is near."""
    near = difflib.get_close_matches(typed, known, n=1, cutoff=0.6)
    return f"; did you mean {form.format(near[0])}?" if near else ""
