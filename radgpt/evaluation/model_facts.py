"""What the run that left a model's predictions tells of it: its settings, how fast it was, what it cost."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from radgpt.manifest import FILE

SECTIONS = (
    "model",
    "tuning",
    "training",
    "deepspeed",
    "backend",
    "decoding",
    "inputs",
    "data",
    "prompt",
    "instructions",
    "dataset",
    "teacher",
)
"""Sections that make a model and its answers what they are."""


@dataclass(frozen=True)
class ModelFacts:
    """What is known of the model behind a file of predictions."""

    run: str | None = None
    """The id of the run of `stage=predict`; None for a file from elsewhere."""
    settings: dict[str, str] = field(default_factory=dict)
    """Dotted path to value as YAML writes it, of SECTIONS and `seed`; empty for a file from elsewhere."""
    metrics: dict[str, Any] = field(default_factory=dict)
    """The run's headline metrics, such as `tokens_per_second` and `usd`."""


def facts_of(predictions: Path) -> ModelFacts:
    """What stands beside a file of predictions, if a run of `stage=predict` wrote it."""
    import yaml

    folder = predictions.resolve().parent
    try:
        told = json.loads((folder / FILE).read_text(encoding="utf-8"))
        settings = yaml.safe_load((folder / ".hydra" / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return ModelFacts()
    if not isinstance(told, dict) or told.get("stage") != "predict" or not isinstance(settings, dict):
        return ModelFacts()
    kept = {name: settings.get(name) for name in (*SECTIONS, "seed") if name in settings}
    return ModelFacts(str(told.get("id")), flat(kept), dict(told.get("metrics") or {}))


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Dotted path to value in one line."""
    found: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = "null" if value is None else json.dumps(value, ensure_ascii=False).strip('"')
    return found


def differing(facts: Mapping[str, ModelFacts]) -> dict[str, dict[str, str]]:
    """Setting to model to value, for settings in which models whose settings are known differ."""
    known = {model: of_model.settings for model, of_model in facts.items() if of_model.settings}
    names = dict.fromkeys(name for settings in known.values() for name in settings)
    rows = {name: {model: settings.get(name, "–") for model, settings in known.items()} for name in names}
    return {name: values for name, values in rows.items() if len(set(values.values())) > 1}
