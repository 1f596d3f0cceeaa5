"""Log a run to Weights & Biases: config, numbers and references to files, never report text."""

import netrc
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from radgpt.config import Config, Governance, WandbMode, as_mapping
from radgpt.errors import UserError
from radgpt.governance.inheritance import STRICTNESS, class_of_run

KEEP_HOME = ("chat",)
"""Sections that may hold report text, left out of W&B's config."""


class WandbTracker:
    """One open W&B run."""

    def __init__(self, run: Any, *, texts: bool = False) -> None:
        """`texts`: whether tables of texts may go there."""
        self._run = run
        self._texts = texts
        self._axes: set[str] = set()

    def log(self, metrics: Mapping[str, float], step_name: str, step: float) -> None:
        """Add a point to each curve in `metrics` over the axis `step_name`; raises ValueError for what is no number."""
        if strange := next((name for name, value in metrics.items() if not isinstance(value, Real)), None):
            raise ValueError(f"the metric {strange} is no number")
        # A resumed offline run counts W&B's own step from 0 again, so every curve names its axis.
        for name in (step_name, *metrics):
            if name not in self._axes:
                self._run.define_metric(name, **({} if name == step_name else {"step_metric": step_name}))
                self._axes.add(name)
        self._run.log({**metrics, step_name: step})

    def log_scores(self, name: str, scores: Mapping[str, Mapping[str, float | None]]) -> None:
        """A table with a row for each system, and a bar chart for each metric; raises ValueError for what is no number."""
        import wandb

        metrics = list(dict.fromkeys(metric for of_system in scores.values() for metric in of_system))
        if any(value is not None and not isinstance(value, Real) for of_system in scores.values() for value in of_system.values()):
            raise ValueError(f"the table {name} holds what is no number")
        shown: dict[str, Any] = {
            name: wandb.Table(
                columns=["system", *metrics], data=[[system, *map(of_system.get, metrics)] for system, of_system in scores.items()]
            )
        }
        for metric in metrics:
            bars = [[system, value] for system, of_system in scores.items() if (value := of_system.get(metric)) is not None]
            shown[f"{name}/{metric}"] = wandb.plot.bar(wandb.Table(columns=["system", metric], data=bars), "system", metric, title=metric)
        self._run.log(shown)

    def log_texts(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[str | float | None]]) -> None:
        """A table of texts, where they are allowed."""
        import wandb

        if self._texts:
            self._run.log({name: wandb.Table(columns=list(columns), data=[list(row) for row in rows])})

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

    def log_scores(self, name: str, scores: Mapping[str, Mapping[str, float | None]]) -> None:
        """Drop them."""

    def log_texts(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[str | float | None]]) -> None:
        """Drop them."""

    def finish(self, summary: Mapping[str, Any], artifacts: Mapping[str, Path]) -> None:
        """Drop them."""


@contextmanager
def track(config: Config, stage: str, run_id: str, directory: Path, lineage: Mapping[str, Any]) -> Iterator["WandbTracker | Untracked"]:
    """Open the W&B run of a stage's run, and close it with the outcome as its exit code."""
    mode = mode_of(config)
    if mode is WandbMode.disabled:
        yield Untracked()
        return
    # Staged artifacts and media stay in the run's folder instead of the home folder.
    os.environ["WANDB_DATA_DIR"] = str(directory)
    os.environ.setdefault("WANDB_SILENT", "true")
    import wandb

    settings = wandb.Settings(
        console="off",
        save_code=False,
        # The recorded command line could quote a report (`chat.message=…`); the commit stands in the config.
        x_disable_meta=True,
        x_save_requirements=False,
    )
    if config.data.governance is Governance.credentialed:
        # The server that was looked up in governance.wandb_hosts, not one that a settings file names.
        settings.base_url = server()
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
            settings=settings,
        )
    except wandb.errors.UsageError as error:
        raise UserError(f"wandb={mode.value}: {str(error).splitlines()[0]}; log in with `wandb login`, or choose wandb=offline") from None
    try:
        yield WandbTracker(run, texts=config.wandb.text)
    except BaseException:
        run.finish(exit_code=1)
        raise
    run.finish(exit_code=0)


def sync_line(config: Config) -> str | None:
    """How to upload the logs of an experiment that were kept offline; None where there are none to upload."""
    if wanted_mode(config.wandb.mode) is WandbMode.disabled:
        return None
    kept = [
        log.parent.parent
        for log in (Path(config.outputs) / config.name).glob("*/*/wandb/offline-run-*")
        if not any(log.glob("*.wandb.synced"))
    ]
    if not kept:
        return None
    classes = [config.data.governance, *(found for directory in kept if (found := class_of_run(directory)) is not None)]
    command = f"wandb sync {Path(config.outputs) / config.name}/*/*/wandb/offline-run-*"
    if max(classes, key=STRICTNESS.index) is Governance.credentialed:
        return (
            "W&B logs of credentialed runs are kept offline; they hold settings, counts, scores, digests and file paths, no report text. "
            f"Whether they may leave this machine is yours to decide: {command}"
        )
    return f"W&B logs are kept offline; to upload them: {command}"


def shown_config(config: Config, lineage: Mapping[str, Any]) -> dict[str, Any]:
    """The config as W&B shows it: resolved, with the run's lineage, without sections that may hold report text."""
    return {name: value for name, value in as_mapping(config).items() if name not in KEEP_HOME} | {"lineage": dict(lineage)}


def mode_of(config: Config) -> WandbMode:
    """The mode that a run of this config is logged in.

    Raises:
        UserError: as `resolve_mode` does, and for texts of credentialed runs, wherever they would go.
    """
    if config.wandb.text and config.data.governance is Governance.credentialed:
        raise UserError("wandb.text=true would show texts of credentialed runs, which never go to W&B; leave it out")
    return resolve_mode(config.wandb.mode, config.data.governance, config.governance.wandb_hosts)


def resolve_mode(mode: WandbMode, governance: Governance, own_hosts: Collection[str]) -> WandbMode:
    """`auto` is online where a key is set up, else offline; logs of credentialed runs go online to one's own hosts only.

    Raises:
        UserError: `online` without a key, or for a credentialed run on a server that is none of `own_hosts`.
    """
    wanted = wanted_mode(mode)
    stays = governance is Governance.credentialed and server_host() not in own_hosts
    if mode is WandbMode.auto:
        if wanted is WandbMode.auto:
            wanted = WandbMode.online if has_key() else WandbMode.offline
        return WandbMode.offline if stays and wanted is WandbMode.online else wanted
    if mode is WandbMode.online and stays:
        raise UserError(
            f"wandb=online: logs of credentialed runs do not go to {server_host()}; choose wandb=offline, or set WANDB_BASE_URL to a W&B "
            "server of your own and list its host in governance.wandb_hosts"
        )
    if mode is WandbMode.online and not has_key():
        raise UserError("wandb=online needs a key: set WANDB_API_KEY or run `wandb login`; or choose wandb=offline")
    return mode


def wanted_mode(mode: WandbMode) -> WandbMode:
    """The mode, `auto` replaced by what WANDB_MODE names, if it names one of ours."""
    named = os.environ.get("WANDB_MODE")
    return WandbMode[named] if mode is WandbMode.auto and named in ("online", "offline", "disabled") else mode


def server() -> str:
    """The address of the W&B server."""
    return os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai"


def server_host() -> str:
    """Its host."""
    address = server()
    return urlsplit(address if "//" in address else f"//{address}").hostname or ""


def has_key() -> bool:
    """Whether WANDB_API_KEY is set or `wandb login` has left a key for the server."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc().authenticators(server_host()) is not None
    except (OSError, netrc.NetrcParseError):
        return False
