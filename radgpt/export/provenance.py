"""Gather what a model card tells from the manifests of the runs that made a checkpoint, its dataset and its scores."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from radgpt import manifest
from radgpt.evaluation.comparison import ALL_TASKS
from radgpt.instructions.card import Card
from radgpt.manifest import Manifest
from radgpt.records import SPLITS, Generation, JudgedAnswer, Pair, read_records


@dataclass(frozen=True)
class Source:
    """A finished run that an artifact came from."""

    directory: Path
    manifest: Manifest
    settings: dict[str, Any] = field(default_factory=dict)
    """Its resolved config as plain values; empty where the record is gone."""


@dataclass(frozen=True)
class Scores:
    """What `stage=evaluate` found for a checkpoint's predictions."""

    evaluation: Source
    prediction: Source
    means: dict[str, dict[str, dict[str, float | None]]]
    """System (the model or a floor) to metric to `value`, `low` and `high` over all rows."""


def run_behind(artifact: Path) -> Source | None:
    """The run in whose folder an artifact stands; None where it is the user's own."""
    try:
        return Source(artifact.parent, manifest.load(artifact.parent), settings_of(artifact.parent))
    except (OSError, ValueError, TypeError):
        return None


def settings_of(directory: Path) -> dict[str, Any]:
    """The config that a run was given."""
    try:
        return dict(yaml.safe_load((directory / ".hydra" / "config.yaml").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, yaml.YAMLError):
        return {}


def scores_of(outputs: Path, checkpoint_sha256: str) -> Scores | None:
    """The newest finished evaluation under `outputs` of predictions that a checkpoint made."""
    predicted = {
        found.id: Source(directory, found, settings_of(directory))
        for directory, found in manifest.runs(outputs, "predict")
        if found.status == "done" and found.reads.get("checkpoint", {}).get("sha256") == checkpoint_sha256
    }
    for directory, found in manifest.runs(outputs, "evaluate"):
        of = predicted.get(found.reads.get("predictions", {}).get("run") or "")
        if of is not None and found.status == "done":
            return Scores(Source(directory, found), of, means(directory / found.writes["metrics"]["path"]))
    return None


def means(metrics: Path) -> dict[str, dict[str, dict[str, float | None]]]:
    """System to metric to its value and interval over all rows, of a `metrics.json`."""
    scores = json.loads(metrics.read_text(encoding="utf-8"))["scores"][ALL_TASKS]
    return {
        system: {metric: {name: found[name] for name in ("value", "low", "high")} for metric, found in by_metric.items()}
        for system, by_metric in scores.items()
    }


def data_card(dataset: Path, behind: Source | None) -> Card:
    """Counts of a dataset's pairs, and, as far as the run that made it still stands, of how its answers were judged and who gave them."""
    card = Card()
    for split in SPLITS:
        file = dataset / f"{split}.jsonl"
        for pair in read_records(file, Pair) if file.exists() else ():
            card.add_pair(pair)
    if behind is not None:
        judged = behind.directory / "judged_answers.jsonl"
        for row in read_records(judged, JudgedAnswer) if judged.exists() else ():
            card.add_judged(row)
        raw = Path(behind.manifest.reads.get("raw_answers", {}).get("path", ""))
        for generation in read_records(raw, Generation) if raw.is_file() else ():
            card.add_answer(generation)
    return card


def faithfulness(card: Card) -> Counter[str]:
    """Class of faithfulness to answers that were kept."""
    return Counter({name: count for (name, kept), count in card.scores.items() if kept})


def recipe(settings: Mapping[str, Any], sections: Mapping[str, type]) -> dict[str, Any]:
    """The settings of a run that its outcome depends on, section by section, nulls left out; of files only their names.

    Args:
        settings: a run's resolved config.
        sections: name of a section to its dataclass.
    """
    told: dict[str, Any] = {}
    for section, kind in sections.items():
        given = settings.get(section, {})
        told[section] = {
            setting.name: Path(given[setting.name]).name if setting.metadata.get("external") else given[setting.name]
            for setting in fields(kind)
            if not setting.metadata.get("operational") and given.get(setting.name) is not None
        }
    return told
