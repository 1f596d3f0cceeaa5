"""Log a run to Weights & Biases: config, numbers and references to files, never report text."""

import netrc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from radgpt.config import Config, WandbMode, as_mapping
from radgpt.errors import UserError

KEEP_HOME = ("chat",)
"""Sections that may hold report text, left out of W&B's config."""


class WandbTracker:
    """One open W&B run."""

    def __init__(self, run: Any) -> None:
        self._run = run
        self._axes: set[str] = set()

    def log(self, metrics: Mapping[str, float], step_name: str, step: float) -> None:
        """Add a point to each curve in `metrics` over the axis `step_name`."""
        # A resumed offline run counts W&B's own step from 0 again, so every curve names its axis.
        for name in (step_name, *metrics):
            if name not in self._axes:
                self._run.define_metric(name, **({} if name == step_name else {"step_metric": step_name}))
                self._axes.add(name)
        self._run.log({**metrics, step_name: step})

    def finish(self, summary: Mapping[str, Any], artifacts: Mapping[str, Path]) -> None:
        """Set the summary, and log what was written as references: digests and sizes, no content."""
        import wandb

        self._run.summary.update(dict(summary))
        for name, path in artifacts.items():
            if path.exists():
                artifact = wandb.Artifact(f"{name}-{self._run.id}", type=name)
                artifact.add_reference(path.resolve().as_uri())
                self._run.log_artifact(artifact)


class Untracked:
    """`wandb=disabled`."""

    def log(self, metrics: Mapping[str, float], step_name: str, step: float) -> None:
        """Drop them."""

    def finish(self, summary: Mapping[str, Any], artifacts: Mapping[str, Path]) -> None:
        """Drop them."""


@contextmanager
def track(config: Config, stage: str, run_id: str, directory: Path, lineage: Mapping[str, Any]) -> Iterator["WandbTracker | Untracked"]:
    """Open the W&B run of a stage's run, and close it with the outcome as its exit code."""
    mode = resolve_mode(config.wandb.mode)
    if mode is WandbMode.disabled:
        yield Untracked()
        return
    # Staged artifacts and media stay in the run's folder instead of the home folder.
    os.environ["WANDB_DATA_DIR"] = str(directory)
    os.environ.setdefault("WANDB_SILENT", "true")
    import wandb

    try:
        run = wandb.init(
            project=config.wandb.project,
            entity=config.wandb.entity,
            id=run_id,
            name=f"{stage}-{run_id}",
            group=config.name,
            job_type=stage,
            # The terminal viewer shows tags only.
            tags=[config.name, stage],
            config=shown_config(config, lineage),
            dir=str(directory),
            mode=mode.value,
            resume="allow" if mode is WandbMode.online else None,
            settings=wandb.Settings(
                console="off",
                save_code=False,
                # The recorded command line could quote a report (`chat.message=…`); the commit stands in the config.
                x_disable_meta=True,
                x_save_requirements=False,
            ),
        )
    except wandb.errors.UsageError as error:
        raise UserError(f"wandb={mode.value}: {str(error).splitlines()[0]}; log in with `wandb login`, or choose wandb=offline") from None
    try:
        yield WandbTracker(run)
    except BaseException:
        run.finish(exit_code=1)
        raise
    run.finish(exit_code=0)


def sync_line(config: Config) -> str | None:
    """The command that uploads the logs of an experiment that were kept offline; None where there are none to upload."""
    if resolve_mode(config.wandb.mode) is not WandbMode.offline:
        return None
    return f"wandb sync {Path(config.outputs) / config.name}/*/*/wandb/offline-run-*"


def shown_config(config: Config, lineage: Mapping[str, Any]) -> dict[str, Any]:
    """The config as W&B shows it: resolved, with the run's lineage, without sections that may hold report text."""
    return {name: value for name, value in as_mapping(config).items() if name not in KEEP_HOME} | {"lineage": dict(lineage)}


def resolve_mode(mode: WandbMode) -> WandbMode:
    """`auto` is online where a key is set up, else offline; raises UserError for `online` without a key."""
    if mode is WandbMode.auto:
        wanted = os.environ.get("WANDB_MODE")
        if wanted in ("online", "offline", "disabled"):
            return WandbMode[wanted]
        return WandbMode.online if has_key() else WandbMode.offline
    if mode is WandbMode.online and not has_key():
        raise UserError("wandb=online needs a key: set WANDB_API_KEY or run `wandb login`; or choose wandb=offline")
    return mode


def has_key() -> bool:
    """Whether WANDB_API_KEY is set or `wandb login` has left a key for the server."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai").split("//")[-1].split("/")[0]
    try:
        return netrc.netrc().authenticators(host.split(":")[0]) is not None
    except (OSError, netrc.NetrcParseError):
        return False
