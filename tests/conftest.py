"""Composing a config and running the command as a user does, and one small finished line that several tests read."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from radgpt.cli import conf_folder, register_schema
from radgpt.config import Config
from radgpt.validation import validated

ROOT = Path(__file__).parent.parent

TINY_LINE = (
    "model=tiny",
    "data.synthetic_reports=60",
    "training.max_steps=4",
    "training.per_device_train_batch_size=4",
    "training.gradient_accumulation_steps=1",
    "prediction.limit=6",
    "decoding.max_new_tokens=8",
    "evaluation.bootstrap_samples=100",
    "wandb=offline",
)
"""The whole line in seconds: few reports, few steps, a model made on the spot."""


@dataclass(frozen=True)
class Line:
    """A finished pipeline and what it printed."""

    outputs: Path
    printed: str


def composed(*overrides: str) -> Config:
    """The config that a command line gives."""
    register_schema()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        return validated(compose("config", overrides=list(overrides)))


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The user's environment without keys, on one thread."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "OPENAI_", "AZURE_", "HF_", "HYDRA_"))}
    return kept | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="session")
def radgpt(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Call `run.py` with arguments, in a folder, with extra environment variables."""

    def call(*arguments: str, cwd: Path, timeout: float = 300, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(ROOT / "run.py"), *arguments],
            cwd=cwd,
            env=environment | variables,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )

    return call


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory, radgpt: Callable[..., subprocess.CompletedProcess[str]]) -> Line:
    """One finished `python run.py` of the tiny line; tests only read it."""
    folder = tmp_path_factory.mktemp("line")
    done = radgpt(*TINY_LINE, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return Line(folder / "outputs", done.stdout)
