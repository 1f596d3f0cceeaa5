"""The whole line from one command: artifacts that trace back, skipping, staleness, resuming after kill -9."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from conftest import ROOT, TINY_LINE, Line

from radgpt.artifacts import digest
from radgpt.records import Generation, Instruction, Pair, Prediction, Report, read_records

STAGES = (
    "preprocess",
    "generate_instructions",
    "postprocess_instructions",
    "generate_answers",
    "postprocess_answers",
    "finetune",
    "predict",
    "evaluate",
    "chat",
)


def folder(outputs: Path, stage: str) -> Path:
    """The one run folder of a stage."""
    (found,) = outputs.glob(f"demo/{stage}/*")
    return found


def manifest(directory: Path) -> dict:
    return json.loads((directory / "manifest.json").read_text())


def test_every_stage_is_done_and_vouches_for_what_it_wrote(line: Line) -> None:
    for stage in STAGES:
        directory = folder(line.outputs, stage)
        told = manifest(directory)
        assert told["status"] == "done" and told["stage"] == stage and directory.name.endswith(told["id"])
        assert told["writes"]
        for written in told["writes"].values():
            assert digest(directory / written["path"]) == written["sha256"]
        for read in told["reads"].values():
            assert digest(Path(read["path"])) == read["sha256"]
        assert {file.name for file in (directory / ".hydra").iterdir()} == {"config.yaml", "overrides.yaml"}
        assert not list(directory.glob("*.partial"))


def test_every_prediction_traces_back_to_its_report_and_prompts(line: Line) -> None:
    def rows(stage: str, file: str, kind: type) -> dict:
        found = list(read_records(folder(line.outputs, stage) / file, kind))
        return {getattr(row, next(iter(row.__dataclass_fields__))): row for row in found}

    reports = rows("preprocess", "reports.jsonl", Report)
    asked = rows("generate_instructions", "raw_instructions.jsonl", Generation)
    instructions = rows("postprocess_instructions", "instructions.jsonl", Instruction)
    answered = rows("generate_answers", "raw_answers.jsonl", Generation)
    pairs = rows("postprocess_answers", "dataset/test.jsonl", Pair)
    predictions = rows("predict", "predictions.jsonl", Prediction)
    assert len(reports) == 60 and len(predictions) == 6
    for prediction in predictions.values():
        pair = pairs[prediction.pair_id]
        assert prediction.reference == pair.reference
        assert pair.instruction_prompt_sha256 == asked[pair.pair_id].prompt_sha256 == instructions[pair.pair_id].prompt_sha256
        assert pair.answer_prompt_sha256 == answered[pair.pair_id].prompt_sha256
        assert instructions[pair.pair_id].text in pair.messages[-2]["content"]
        assert prediction.report_id == pair.report_id and prediction.report_id in reports


def test_no_patient_stands_in_two_splits(line: Line) -> None:
    dataset = folder(line.outputs, "postprocess_answers") / "dataset"
    patients = {
        split: {pair.patient_id for pair in read_records(dataset / f"{split}.jsonl", Pair)} for split in ("train", "validation", "test")
    }
    assert all(patients.values())
    assert not patients["train"] & patients["test"] and not patients["train"] & patients["validation"]
    assert not patients["validation"] & patients["test"]


def test_it_ends_with_metrics_against_floors_and_an_answer(line: Line) -> None:
    metrics = json.loads((folder(line.outputs, "evaluate") / "metrics.json").read_text())
    assert list(metrics["scores"]["all"]) == ["model", "majority", "lead", "copy", "nearest"]
    assert "[9/9] chat" in line.printed
    assert "What does this report conclude?" in line.printed


def test_a_second_run_skips_every_finished_stage_and_says_so(line: Line, radgpt: Callable, tmp_path: Path) -> None:
    shutil.copytree(line.outputs, tmp_path / "outputs")
    done = radgpt(*TINY_LINE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for stage in STAGES[:-1]:
        assert f"{stage}: done already, skipped" in done.stdout
        assert len(list((tmp_path / "outputs" / "demo" / stage).iterdir())) == 1


def test_a_setting_reruns_only_what_depends_on_it(line: Line, radgpt: Callable, tmp_path: Path) -> None:
    shutil.copytree(line.outputs, tmp_path / "outputs")
    # The paths that manifests hold lie in the fixture's folder; what counts is found under `outputs`.
    done = radgpt(*TINY_LINE, "stage=evaluate", "evaluation.confidence=0.9", cwd=tmp_path)
    assert done.returncode == 0 and "evaluate: done in" in done.stdout, done.stderr
    done = radgpt(*TINY_LINE, "stage=evaluate", "training.learning_rate=0.01", cwd=tmp_path)
    assert done.returncode == 2
    assert (
        "stage=evaluate reads predictions, which stage=predict makes" in done.stderr
        or "checkpoint, which stage=finetune makes" in done.stderr
    )
    # Speed is no part of the outcome.
    done = radgpt(*TINY_LINE, "stage=generate_answers", "teacher.max_in_flight=3", cwd=tmp_path)
    assert "generate_answers: done already, skipped" in done.stdout


def test_another_experiment_shares_the_data_stages(line: Line, radgpt: Callable, tmp_path: Path) -> None:
    shutil.copytree(line.outputs, tmp_path / "outputs")
    done = radgpt(*TINY_LINE, "stage=postprocess_answers", "name=other", "tuning.r=2", cwd=tmp_path)
    assert done.returncode == 0 and "postprocess_answers: done already, skipped" in done.stdout
    assert not (tmp_path / "outputs" / "other").exists()


def test_a_rerun_upstream_that_changed_bytes_makes_the_rest_stale(line: Line, radgpt: Callable, tmp_path: Path) -> None:
    shutil.copytree(line.outputs, tmp_path / "outputs")
    directory = folder(tmp_path / "outputs", "preprocess")
    told = manifest(directory)
    told["writes"]["reports"]["sha256"] = "0" * 64
    (directory / "manifest.json").write_text(json.dumps(told))
    done = radgpt(*TINY_LINE, "stage=postprocess_instructions", cwd=tmp_path)
    assert done.returncode == 2 and "which stage=generate_instructions makes" in done.stderr


def final_digests(outputs: Path) -> Mapping[str, str]:
    return {stage: digest(folder(outputs, stage) / file) for stage, file in DETERMINISTIC.items()}


DETERMINISTIC = {
    "preprocess": "reports.jsonl",
    "generate_instructions": "raw_instructions.jsonl",
    "postprocess_instructions": "instructions.jsonl",
    "generate_answers": "raw_answers.jsonl",
    "postprocess_answers": "dataset",
    "finetune": "checkpoint",
    "predict": "predictions.jsonl",
}
"""What must come out the same, byte for byte, however often the line was killed."""


@pytest.mark.slow
def test_kill_9_in_the_middle_of_every_stage_changes_no_byte(line: Line, environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "run.py"), *TINY_LINE]
    for stage in DETERMINISTIC:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        deadline = time.monotonic() + 240
        # The manifest of a running stage says so: that is the moment to strike.
        while process.poll() is None and time.monotonic() < deadline:
            if any(manifest(path.parent)["status"] == "running" for path in tmp_path.glob(f"outputs/demo/{stage}/*/manifest.json")):
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"{next(iter(DETERMINISTIC))}: done already" in done.stdout
    assert final_digests(tmp_path / "outputs") == final_digests(line.outputs)
