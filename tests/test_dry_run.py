"""`dry_run=true` tells what stages would do and take, through the command line, and leaves nothing behind."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from conftest import TINY_LINE, Line

Command = Callable[..., "CompletedProcess[str]"]


def files(folder: Path) -> dict[Path, int]:
    """Every file and folder below, with the time of its last change."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.slow
def test_the_whole_line_is_told_of_where_nothing_has_run(radgpt: Command, tmp_path: Path) -> None:
    done = radgpt(*TINY_LINE, "dry_run=true", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "preprocess: would run\n  does       Read the reports of a source" in done.stdout
    assert "generate_instructions: would run after preprocess\n" in done.stdout
    assert "evaluate: would run after predict and postprocess_answers and preprocess\n" in done.stdout
    told = done.stdout[done.stdout.index("finetune: would run after postprocess_answers\n") : done.stdout.index("[7/")]
    assert "  model        tiny: " in told and "  data         not made yet: " in told and " on CPU: fits\n" in told
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def finished(line: Line) -> tuple[Path, str]:
    """Where the finished line's outputs stand."""
    return line.outputs, f"outputs={line.outputs}"


@pytest.mark.slow
def test_a_training_is_told_of_and_nothing_is_written(radgpt: Command, finished: tuple[Path, str], tmp_path: Path) -> None:
    outputs, typed = finished
    before = files(outputs)
    done = radgpt(
        *TINY_LINE,
        typed,
        "stage=finetune",
        "training.learning_rate=1e-4",
        "dry_run=true",
        "preflight.gpu=A100-80GB",
        "launch=torchrun",
        "launch.processes=4",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert done.stdout.startswith("finetune: would run; nothing is trained or written now\n")
    assert " examples, " in lines["data"] and " learned, the longest " in lines["data"]
    assert "4 of 16 examples a step (4 x 1 accumulated x 4 processes)" in lines["steps"]
    assert "A100-80GB: fits" in lines["memory"] and {"weights", "gradients", "activations", "deepspeed=zero3"} <= set(lines)
    assert files(outputs) == before and list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "section"), [("finetune", "training"), ("pretrain", "pretraining")])
def test_a_training_that_cannot_fit_is_refused(radgpt: Command, tmp_path: Path, stage: str, section: str) -> None:
    wide = ("model.tiny_hidden_size=16384", "model.tiny_layers=40", f"{section}.per_device_train_batch_size=4")
    done = radgpt(*TINY_LINE, *wide, f"stage={stage}", "dry_run=true", "preflight.gpu=T4", cwd=tmp_path)
    assert done.returncode == 2
    assert "on T4: does not fit" in done.stdout
    assert f"radgpt: {section}.per_device_train_batch_size=4: training would take about " in done.stderr
    assert "no smaller batch, sharding or quantisation fits either (" in done.stderr


@pytest.mark.slow
def test_a_misspelt_optimizer_is_told_before_there_is_a_dataset(radgpt: Command, tmp_path: Path) -> None:
    done = radgpt(*TINY_LINE, "stage=pretrain", "pretraining.optim=adamw_torhc", "dry_run=true", cwd=tmp_path)
    assert done.returncode == 2 and "radgpt: pretraining.optim=adamw_torhc is unknown" in done.stderr


def test_what_is_done_and_what_would_run_is_told(radgpt: Command, finished: tuple[Path, str], tmp_path: Path) -> None:
    outputs, typed = finished
    before = files(outputs)
    chosen = ("prediction.limit=5", "pipeline=[finetune,predict,evaluate]")
    done = radgpt(*TINY_LINE, typed, *chosen, "dry_run=true", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "finetune: done already, skipped (" in done.stdout
    assert "predict: would run\n" in done.stdout and f"  reads      checkpoint: {outputs}/demo/finetune/" in done.stdout
    assert "evaluate: would run after predict\n" in done.stdout
    assert files(outputs) == before


def test_a_stage_whose_input_is_missing_says_what_to_run_first(radgpt: Command, tmp_path: Path) -> None:
    done = radgpt(*TINY_LINE, "stage=predict", "dry_run=true", cwd=tmp_path)
    assert done.returncode == 2 and "run stage=preprocess (or stage=pipeline) with the same settings first" in done.stderr
    assert list(tmp_path.iterdir()) == []
