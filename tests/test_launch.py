"""One process or two: the same stage, one manifest, and no process left behind."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, TINY_LINE, Line
from test_line import manifest

TWO = ("stage=finetune", "launch=torchrun", "launch.processes=2")


def newest(outputs: Path) -> Path:
    return max(outputs.glob("demo/finetune/*"), key=lambda path: path.name)


def copied(line: Line, tmp_path: Path) -> Path:
    import shutil

    shutil.copytree(line.outputs, tmp_path / "outputs")
    return tmp_path / "outputs"


@pytest.mark.slow
def test_two_processes_train_and_the_parent_vouches(line: Line, radgpt: Callable, tmp_path: Path) -> None:
    outputs = copied(line, tmp_path)
    done = radgpt(*TINY_LINE, *TWO, "force=true", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = manifest(newest(outputs))
    assert told["status"] == "done" and told["metrics"]["engine"] == "ddp"
    assert (newest(outputs) / "checkpoint").is_dir()


@pytest.mark.slow
def test_an_interrupt_ends_both_ranks_and_prints_the_line_that_resumes(line: Line, environment: dict[str, str], tmp_path: Path) -> None:
    outputs = copied(line, tmp_path)
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), *TINY_LINE, *TWO, "training.max_steps=100000", "training.save_strategy=no"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while len(list(outputs.glob("demo/finetune/*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    # Long enough for the ranks to have met.
    time.sleep(12)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=90)
    assert process.returncode == 130, told
    assert "finetune: interrupted; to resume: python " in told and "launch.processes=2" in told
    assert manifest(newest(outputs))["status"] == "interrupted"
    listed = subprocess.run(["ps", "-o", "pid=,stat=", "-g", str(process.pid)], capture_output=True, text=True).stdout
    # A zombie has ended; only its parent, which may be this machine's init, has not asked how.
    assert [line for line in listed.splitlines() if line.split()[1][0] != "Z"] == []


def test_a_rank_that_raises_ends_the_run_with_its_error(line: Line, radgpt: Callable, tmp_path: Path) -> None:
    outputs = copied(line, tmp_path)
    # A dataset whose lines are broken: every rank reads it, whoever meets it first tells.
    dataset = tmp_path / "own"
    dataset.mkdir()
    for split in ("train", "validation", "test"):
        (dataset / f"{split}.jsonl").write_text("no json\n")
    done = radgpt(*TINY_LINE, *TWO, f"inputs.dataset={dataset}", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("radgpt: ") and "line 1: not a JSON object" in done.stderr
    assert json.loads((newest(outputs) / "manifest.json").read_text())["status"].startswith("failed")
