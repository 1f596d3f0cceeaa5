"""A run's folder tells what made its predictions; a file from elsewhere tells nothing."""

import json
from pathlib import Path

import yaml

from radgpt.evaluation.model_facts import ModelFacts, differing, facts_of


def run_folder(folder: Path, stage: str = "predict") -> Path:
    (folder / ".hydra").mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"id": "ab", "stage": stage, "metrics": {"tokens_per_second": 12.5, "usd": 0.1}}))
    settings = {"seed": 3, "tuning": {"r": 8, "target_modules": ["q", "v"]}, "wandb": {"mode": "auto"}, "model": {"revision": None}}
    (folder / ".hydra" / "config.yaml").write_text(yaml.safe_dump(settings))
    (folder / "predictions.jsonl").touch()
    return folder / "predictions.jsonl"


def test_settings_and_speed_are_read_from_the_run(tmp_path: Path) -> None:
    facts = facts_of(run_folder(tmp_path / "run"))
    assert facts.run == "ab" and facts.metrics["tokens_per_second"] == 12.5
    assert facts.settings == {"seed": "3", "tuning.r": "8", "tuning.target_modules": '["q", "v"]', "model.revision": "null"}


def test_other_files_tell_nothing(tmp_path: Path) -> None:
    assert facts_of(tmp_path / "predictions.jsonl") == ModelFacts()
    assert facts_of(run_folder(tmp_path / "evaluated", stage="evaluate")) == ModelFacts()
    broken = run_folder(tmp_path / "broken")
    (broken.parent / "manifest.json").write_text("{")
    assert facts_of(broken) == ModelFacts()


def test_only_settings_that_differ_are_told() -> None:
    facts = {
        "one": ModelFacts("a", {"tuning.r": "8", "seed": "0"}),
        "other": ModelFacts("b", {"tuning.r": "null", "seed": "0", "backend.model": "llama"}),
        "foreign": ModelFacts(),
    }
    assert differing(facts) == {
        "tuning.r": {"one": "8", "other": "null"},
        "backend.model": {"one": "–", "other": "llama"},
    }
    assert differing({"one": facts["one"], "foreign": ModelFacts()}) == {}
