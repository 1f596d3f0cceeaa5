"""A training that a signal ends goes on by the command that it prints, under the same W&B run."""

import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, TINY_LINE, Line
from processes import left_behind
from test_line import manifest
from wandb_log import logs, read_log

LONG = (
    *TINY_LINE,
    "stage=finetune",
    "training.max_steps=100",
    "training.save_strategy=steps",
    "training.save_steps=15",
    "training.sample_generations=0",
    "training.batching=packed",
    "training.model_max_length=512",
)


class Started:
    """A training under way in a folder."""

    def __init__(self, folder: Path, environment: dict[str, str], *more: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "run.py"), *LONG, *more],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def end_after(self, step: int, number: signal.Signals) -> tuple[int, str]:
        """Send a signal once there is a checkpoint of `step` or a later one; give (exit code, what stderr holds)."""
        deadline = time.monotonic() + 150
        while last_whole(self.folder) < step and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        self.process.send_signal(number)
        _, error = self.process.communicate(timeout=120)
        assert left_behind(self.process.pid) == []
        return self.process.returncode, error


def last_whole(folder: Path) -> int:
    """The step of the last checkpoint that is whole; 0 for none."""
    places = folder.glob("outputs/demo/finetune/*/checkpoints/checkpoint-*/whole.json")
    return max((int(place.parent.name.rpartition("-")[2]) for place in places), default=0)


def trained_folder(folder: Path) -> Path:
    (found,) = [path for path in folder.glob("outputs/demo/finetune/*") if (path / "checkpoints").is_dir() or len(logs(path)) > 1]
    return found


def copied(line: Line, folder: Path) -> Path:
    shutil.copytree(line.outputs, folder / "outputs")
    return folder


@pytest.mark.slow
def test_a_training_goes_on_after_each_signal(line: Line, environment: dict[str, str], radgpt: Callable, tmp_path: Path) -> None:
    folder = copied(line, tmp_path)
    code, told = Started(folder, environment).end_after(15, signal.SIGTERM)
    directory = trained_folder(folder)
    assert code == 130
    assert f"finetune: interrupted; to resume: {shlex.join(['python', str(ROOT / 'run.py'), *LONG])}" in told
    assert manifest(directory)["status"] == "interrupted"
    saved_at = last_whole(folder)
    first = steps_of(logs(directory)[0])
    # Nothing is lost: the last step that was taken is the one that was saved.
    assert max(first) == saved_at

    code, _ = Started(folder, environment).end_after(saved_at + 15, signal.SIGKILL)
    assert code == -signal.SIGKILL

    done = radgpt(*LONG, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "finetune: continuing" in done.stdout and "finetune: goes on from checkpoint-" in done.stdout
    found = logs(directory)
    assert len(found) == 3
    assert {read_log(log)["id"] for log in found} == {manifest(directory)["id"]}
    losses: dict[int, set[float]] = {}
    for log in found:
        for step, loss in steps_of(log).items():
            losses.setdefault(step, set()).add(loss)
    assert sorted(losses) == list(range(1, 101))
    # A step that was taken, or told, again has the loss that it had.
    assert all(len(values) == 1 for values in losses.values())
    assert min(steps_of(found[1])) == saved_at + 1
    assert min(steps_of(found[2])) == saved_at + 1


def steps_of(log: Path) -> dict[int, float]:
    """Step to loss in a W&B log."""
    return {point["train/step"]: point["train/loss"] for point in read_log(log)["history"] if "train/loss" in point}


@pytest.mark.slow
def test_two_ranks_stop_at_the_same_step(line: Line, environment: dict[str, str], radgpt: Callable, tmp_path: Path) -> None:
    folder = copied(line, tmp_path)
    two = ("launch=torchrun", "launch.processes=2", "training.max_steps=40", "training.save_steps=5")
    code, told = Started(folder, environment, *two).end_after(5, signal.SIGTERM)
    assert code == 130, told
    assert "finetune: interrupted; to resume: python " in told
    directory = trained_folder(folder)
    assert max(steps_of(logs(directory)[0])) == last_whole(folder)
    done = radgpt(*LONG, *two, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert manifest(directory)["metrics"]["steps"] == 40
