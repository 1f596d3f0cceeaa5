"""Write the model card that stands in an exported folder as its README, as the Hugging Face hub reads it."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from radgpt.config import DeepSpeed, Governance, Model, ModelSource, Pretraining, Quantization, Training, Tuning
from radgpt.export.licences import Licence, hub_name, licence_of
from radgpt.export.provenance import Scores, Source, faithfulness, recipe
from radgpt.export.serving import client_settings, serve_commands
from radgpt.instructions.card import SCORES, Card
from radgpt.origin import Origin
from radgpt.pages.template import page_template
from radgpt.records import SPLITS
from radgpt.wording import cell, clipped, printable, ranked

LONGEST_NAME = 80
"""Characters of a name that a teacher gives itself; a longer one is cut."""

BANNERS = {
    Governance.credentialed: "Trained on credentialed reports, and a model can repeat what it was trained on: **do not publish it on an "
    "open model hub.** It stays under the data use agreement of the reports: pass it on only to people who have signed that agreement "
    "themselves. For MIMIC, PhysioNet asks that derived models are shared on PhysioNet under the agreement of the source (guidelines of "
    "24 April 2024, physionet.org). Serve it to this machine or a private network alone.",
    Governance.restricted: "Trained on reports under a licence that limits who may have them, and a model can repeat what it was trained "
    "on: pass it on only where that licence lets you pass on the reports.",
    Governance.open: "Trained on open reports. Their licence, and the terms of the teacher's provider, may bind the model too.",
    Governance.synthetic: "Trained on made-up reports: it shows that the line works, and says nothing about how well a model does on "
    "real reports.",
}
"""What a class of data means for a model that was trained on it."""

METHODS = {"lora": "low-rank adapters, merged into the base", "full": "all weights trained"}

LOSSES = {
    "eval_loss_before": "Validation loss before training",
    "eval_loss": "Validation loss",
    "train_loss": "Training loss",
}
"""Headline metric of `stage=finetune` to what a reader calls it; each is a mean over learned tokens, in nats."""


@dataclass(frozen=True)
class Facts:
    """All that a card tells."""

    name: str
    """What the model is called where it is served."""
    governance: Governance
    model: Model
    origin: Origin
    dtype: str
    weights: int
    """Number of weights, tied ones counted once."""
    tolerance: float
    """What logits may differ by, as a share of the largest."""
    example: list[dict[str, str]]
    """Chat messages in the form that the model was trained on, with placeholders; empty where the form is not known."""
    gguf: str | None
    """Type of the GGUF file that stands beside the folder, if one does."""
    training: Source | None
    """The run that made the checkpoint; None where the checkpoint is the user's own."""
    data: Card
    dataset: Source | None
    scores: Scores | None


def write(facts: Facts) -> str:
    """The card as Markdown, the same text for the same facts."""
    return page_template(Path(__file__).with_name("card.md.j2")).render(**_view(facts), cell=cell)


def _view(facts: Facts) -> dict[str, Any]:
    licence = licence_of(facts.model)
    return {
        "front_matter": yaml.safe_dump(_front_matter(facts, licence), sort_keys=False, allow_unicode=True).strip(),
        "name": facts.name,
        "governance": facts.governance.name,
        "banner": BANNERS[facts.governance],
        "base": _base(facts.model),
        "method": METHODS[facts.origin.method],
        "quantization": None if facts.origin.quantization == Quantization.none.name else facts.origin.quantization,
        "weights": facts.weights,
        "dtype": facts.dtype,
        "tolerance": f"{100 * facts.tolerance:g} %",
        "licence": licence,
        "made_up_base": facts.model.source is ModelSource.tiny,
        "known": facts.training is not None,
        "splits": SPLITS,
        "tasks": [(task, [facts.data.pairs[task, split] for split in SPLITS]) for task in sorted({task for task, _ in facts.data.pairs})],
        "patients": [facts.data.patients(split) for split in SPLITS],
        "teachers": [(clipped(printable(name), LONGEST_NAME), count) for name, count in ranked(facts.data.answer_pass.teachers)],
        "faithfulness": [(name, count) for name in SCORES if (count := faithfulness(facts.data)[name])],
        "judged": faithfulness(facts.data).total(),
        "recipe": _recipe(facts.training),
        "losses": _losses(facts.training.manifest.metrics if facts.training else {}),
        "work": _work(facts.training.manifest.metrics if facts.training else {}),
        "scores": _scores(facts.scores),
        "serve": serve_commands("FOLDER", facts.name, "model.gguf" if facts.gguf else None),
        "client": client_settings(facts.name),
        "example": json.dumps(facts.example, indent=4, ensure_ascii=False),
        "has_example": bool(facts.example),
        "wandb": _wandb(facts),
        "made_by": _made_by(facts),
    }


def _front_matter(facts: Facts, licence: Licence | None) -> dict[str, Any]:
    """What the hub sorts models by; of data that is not made up, the reports' terms hold beside the base's licence."""
    told: dict[str, Any] = {"language": ["en"], "library_name": "transformers", "pipeline_tag": "text-generation"}
    made_up = facts.model.source is ModelSource.tiny
    if facts.governance is not Governance.synthetic or (licence is None and not made_up):
        terms = [] if made_up else [licence.name if licence else "base licence"]
        terms += [] if facts.governance is Governance.synthetic else ["terms of the source reports"]
        told |= {"license": "other", "license_name": _slug(" and ".join(terms))}
    elif licence is not None:
        told |= {"license": licence.hub_id}
        if licence.hub_id == "other":
            told |= {"license_name": _slug(licence.name), "license_link": licence.link}
    if "/" in hub_name(facts.model) and not made_up:
        told |= {"base_model": hub_name(facts.model), "base_model_relation": "finetune"}
    return told | {
        "tags": ["radgpt", "medical", "radiology", "instruction-tuning", facts.origin.method, f"governance-{facts.governance.name}"]
    }


def _slug(text: str) -> str:
    """Lower-case words joined by hyphens, as the hub wants the name of a licence."""
    return "-".join("".join(letter if letter.isalnum() or letter == "." else " " for letter in text.lower()).split())


def _base(model: Model) -> str:
    if model.source is ModelSource.tiny:
        return "a tiny Llama with random weights, made on the spot for tests"
    return hub_name(model) + (f" at revision {model.revision}" if model.revision else "")


def _recipe(training: Source | None) -> str | None:
    """The settings of the training as YAML, without those that have no bearing on its outcome."""
    if training is None or not training.settings:
        return None
    settings = training.settings
    how: dict[str, type] = {"pretraining": Pretraining} if training.manifest.stage == "pretrain" else {"training": Training}
    told = recipe(settings, {"tuning": Tuning, **how, "deepspeed": DeepSpeed})
    if not told["deepspeed"].get("enabled"):
        del told["deepspeed"]
    return yaml.safe_dump({"seed": settings.get("seed"), **told}, sort_keys=False, allow_unicode=True).strip()


def _losses(metrics: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """(what it is called, loss in nats a token, perplexity)."""
    return [(words, metrics[name], math.exp(min(metrics[name], 700))) for name, words in LOSSES.items() if name in metrics]


def _work(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the training took, as far as its manifest says."""
    names = {
        "steps": "optimizer steps",
        "tokens_seen": "tokens seen",
        "trainable_parameters": "weights trained",
        "dropped_too_long": "examples dropped as too long",
        "cut_reports": "reports cut",
    }
    told = [(words, f"{metrics[name]:,}") for name, words in names.items() if name in metrics]
    return told + [(name, str(metrics[name])) for name in ("engine", "device") if name in metrics]


def _scores(scores: Scores | None) -> dict[str, Any] | None:
    if scores is None:
        return None
    systems = list(scores.means)
    rows = [
        (metric, [_interval(scores.means[system].get(metric, {})) for system in systems]) for metric in next(iter(scores.means.values()))
    ]
    metrics, settings = scores.evaluation.manifest.metrics, scores.prediction.settings
    return {
        "rows": metrics.get("rows"),
        "patients": metrics.get("patients"),
        "split": settings.get("prediction", {}).get("split"),
        "systems": systems,
        "metrics": rows,
        "beats_floors": metrics.get("beats_floors"),
    }


def _interval(found: Mapping[str, float | None]) -> str:
    """A value with its interval, as far as there is one."""
    if found.get("value") is None:
        return "–"
    return f"{found['value']:.3f}" + ("" if found.get("low") is None else f" [{found['low']:.3f}, {found['high']:.3f}]")


def _wandb(facts: Facts) -> str:
    """Where the curves of the training are."""
    if facts.training is None:
        return "Not known."
    directory, run = facts.training.directory, facts.training.manifest
    place = f"{directory.parents[2].name}/{'/'.join(directory.parts[-3:])}/wandb"
    settings = facts.training.settings.get("wandb", {})
    if any((directory / "wandb").glob("offline-run-*")):
        told = f"Run {run.id}, kept offline; `wandb sync {place}/offline-run-*` uploads it."
        if facts.governance is Governance.credentialed:
            told += " It holds settings, counts, scores and digests, no report text; whether it may leave the machine is yours to decide."
        return told
    if any((directory / "wandb").glob("run-*")):
        path = "/".join(part for part in (settings.get("entity"), settings.get("project"), "runs", run.id) if part)
        return f"https://wandb.ai/{path}" if settings.get("entity") else f"Run {run.id} of the project {settings.get('project')}."
    return "The training was not logged there."


def _made_by(facts: Facts) -> Sequence[tuple[str, str]]:
    """Stage to the run that did its part, then the software."""
    told = [
        (source.manifest.stage, f"run {source.manifest.id} of {source.manifest.experiment}, {source.manifest.started}")
        for source in (facts.dataset, facts.training, *((facts.scores.prediction, facts.scores.evaluation) if facts.scores else ()))
        if source is not None
    ]
    if facts.training is not None:
        run = facts.training.manifest
        told += [(f"read: {name}", f"sha256:{read['sha256']}") for name, read in run.reads.items()]
        if run.git:
            told.append(("commit", run.git["commit"] + (" with changes" if run.git.get("dirty") else "")))
        told.append(("packages", ", ".join(f"{name} {number}" for name, number in run.packages.items())))
    return [*told, ("exported by", f"radgpt {version('radgpt')}")]
