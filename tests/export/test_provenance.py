"""A card's facts come from the manifests of the runs behind it, and from no others."""

import json
from pathlib import Path

import pytest
import yaml
from pairs_dataset import effusion_pair, write_dataset

from radgpt.artifacts import write_records
from radgpt.config import Training, Tuning
from radgpt.export.provenance import data_card, faithfulness, recipe, run_behind, scores_of
from radgpt.manifest import Manifest
from radgpt.records import Generation, JudgedAnswer


def leave_run(outputs: Path, stage: str, name: str, reads: dict | None = None, **told: object) -> Path:
    """A run's folder with its manifest and config."""
    folder = outputs / "demo" / stage / name
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text(yaml.safe_dump({"seed": 7, "prediction": {"split": "test"}}))
    values = {"id": name, "stage": stage, "key": "k", "experiment": "demo", "status": "done", "governance": "synthetic", "argv": []}
    Manifest(**values | {"started": "2026-11-24T00:00:00+00:00", "reads": reads or {}, "source_sha256": ""} | told).save(folder)
    return folder


def leave_scores(outputs: Path, name: str, of: str, mean: float) -> None:
    folder = leave_run(outputs, "evaluate", name, {"predictions": {"run": of}}, writes={"metrics": {"path": "metrics.json"}})
    estimate = {"value": mean, "low": None, "high": None, "rows": 1, "patients": 1}
    (folder / "metrics.json").write_text(json.dumps({"scores": {"all": {"model": {"rougeL": estimate}}}}))


def test_the_run_behind_an_artifact_and_its_settings(tmp_path: Path) -> None:
    folder = leave_run(tmp_path, "finetune", "r1")
    (folder / "checkpoint").mkdir()
    found = run_behind(folder / "checkpoint")
    assert found is not None and found.manifest.id == "r1" and found.settings["seed"] == 7


@pytest.mark.parametrize("manifest", [None, "{", '{"name": "a web page"}'])
def test_a_folder_of_ones_own_has_no_run(manifest: str | None, tmp_path: Path) -> None:
    if manifest:
        (tmp_path / "manifest.json").write_text(manifest)
    assert run_behind(tmp_path / "checkpoint") is None


def test_scores_are_those_of_this_checkpoint_and_the_newest(tmp_path: Path) -> None:
    for name, checkpoint in {"1": "ours", "2": "another", "3": "ours"}.items():
        leave_run(tmp_path, "predict", name, {"checkpoint": {"sha256": checkpoint}})
    leave_scores(tmp_path, "4", of="1", mean=0.25)
    leave_scores(tmp_path, "5", of="3", mean=0.5)
    leave_scores(tmp_path, "6", of="2", mean=0.75)
    found = scores_of(tmp_path, "ours")
    assert found is not None
    assert (found.evaluation.manifest.id, found.prediction.manifest.id) == ("5", "3")
    assert found.means == {"model": {"rougeL": {"value": 0.5, "low": None, "high": None}}}
    assert scores_of(tmp_path, "unknown") is None


def test_an_evaluation_that_failed_is_none(tmp_path: Path) -> None:
    leave_run(tmp_path, "predict", "1", {"checkpoint": {"sha256": "ours"}})
    leave_run(tmp_path, "evaluate", "2", {"predictions": {"run": "1"}}, status="failed: UserError")
    assert scores_of(tmp_path, "ours") is None


def test_a_dataset_is_counted_with_what_stands_beside_it(tmp_path: Path) -> None:
    answer = effusion_pair(1, "train").reference
    folder = leave_run(tmp_path, "postprocess_answers", "p", {"raw_answers": {"path": str(tmp_path / "raw.jsonl")}})
    write_dataset(folder / "dataset", train=4, other=1)
    with write_records(folder / "judged_answers.jsonl") as write:
        for number, (score, reason) in enumerate([(1.0, None), (1.0, None), (0.95, None), (0.2, "unfaithful")]):
            write(JudgedAnswer(f"r/{number}", "r", "p", "question_answering", "Is there?", answer, reason, score, [], [], "", ""))
    with write_records(tmp_path / "raw.jsonl") as write:
        for teacher in ("one", "one", "two"):
            write(Generation("r/0", "r", "p", "question_answering", "ok", answer, "", "", teacher))
    card = data_card(folder / "dataset", run_behind(folder / "dataset"))
    assert card.pairs == {("question_answering", "train"): 4, ("question_answering", "validation"): 1, ("question_answering", "test"): 1}
    assert faithfulness(card) == {"all of it": 2, "90 % and more": 1}
    assert card.answer_pass.teachers == {"one": 2, "two": 1}


def test_of_a_dataset_of_ones_own_only_the_pairs_are_known(tmp_path: Path) -> None:
    card = data_card(write_dataset(tmp_path / "dataset", train=2, other=0), None)
    assert card.pairs.total() == 2 and not card.scores and not card.answer_pass.calls


def test_a_recipe_leaves_out_what_has_no_bearing_and_says_nothing_of_this_machine() -> None:
    settings = {
        "tuning": {"method": "lora", "r": 4, "target_modules": None, "init_from": "/home/anna/checkpoint"},
        "training": {"learning_rate": 2e-4, "logging_steps": 5, "max_train_samples": None},
    }
    assert recipe(settings, {"tuning": Tuning, "training": Training}) == {
        "tuning": {"method": "lora", "r": 4, "init_from": "checkpoint"},
        "training": {"learning_rate": 2e-4},
    }
