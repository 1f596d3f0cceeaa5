"""The record that a run leaves beside its artifacts: what it was, what it read and wrote, and how it ended."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from radgpt.artifacts import count_rows, digest, write_text
from radgpt.stages import Stage

FILE = "manifest.json"
PACKAGES = ("radgpt", "hydra-core", "omegaconf", "torch", "transformers", "peft", "deepspeed", "datasets", "openai", "wandb")


@dataclass
class Manifest:
    """One run of one stage."""

    id: str
    """8 hex digits; also names the folder and the W&B run."""
    stage: str
    key: str
    experiment: str
    status: str
    """`running` (or killed), `done`, `failed: …` or `interrupted`; only `done` vouches for the artifacts."""
    governance: str
    """The strictest class of its config and of all that it read."""
    argv: list[str]
    """The command line; of credentialed runs without what was typed to chat."""
    started: str
    """UTC, ISO 8601."""
    reads: dict[str, dict[str, Any]]
    """Artifact name to `path`, `sha256` and the `run` that made it (None for a file of the user's)."""
    source_sha256: str
    """Digest of the stage's module, to warn where a skipped stage has been edited since."""
    writes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Artifact name to `path` (relative to the run's folder), `sha256`, and `rows` for JSONL."""
    metrics: dict[str, Any] = field(default_factory=dict)
    attestation_sha256: str | None = None
    """Digest of the attestation under which credentialed reports leave this machine; None where they do not."""
    wall_seconds: float = 0.0
    git: dict[str, Any] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)

    def save(self, directory: Path) -> None:
        """Write it to the run's folder, whole or not at all."""
        write_text(directory / FILE, json.dumps(asdict(self), indent=2) + "\n")


def load(directory: Path) -> Manifest:
    """Read the manifest of a run's folder."""
    return Manifest(**json.loads((directory / FILE).read_text(encoding="utf-8")))


def runs(outputs: Path, stage: str) -> Iterator[tuple[Path, Manifest]]:
    """(folder, manifest) of every run of a stage under `outputs`, newest first, whatever the experiment."""
    for path in sorted(outputs.glob(f"*/{stage}/*/{FILE}"), key=lambda p: p.parent.name, reverse=True):
        try:
            yield path.parent, load(path.parent)
        except (ValueError, TypeError):
            # Not ours, or of another version of radgpt: no run that could be reused.
            continue


def describe_writes(directory: Path, stage: Stage) -> dict[str, dict[str, Any]]:
    """Digest and count what a stage wrote."""
    return {
        name: {"path": place, "sha256": digest(directory / place), "rows": count_rows(directory / place)}
        for name, place in stage.writes.items()
        if (directory / place).exists()
    }


@cache
def git_state() -> dict[str, Any]:
    """Commit and dirty flag of the checkout that this package runs from; empty for an installed wheel."""
    root = Path(__file__).parent.parent
    if not (root / ".git").exists():
        return {}
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True).stdout.strip()
        status = subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"commit": commit, "dirty": bool(status.strip())}


@cache
def package_versions() -> dict[str, str]:
    """Installed versions of the packages that results depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
