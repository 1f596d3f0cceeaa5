"""Run one stage, or several in order: find what it reads, skip what is done, continue what was killed, leave a manifest."""

import fcntl
import os
import secrets
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from radgpt import manifest, stages
from radgpt.artifacts import digest, write_text
from radgpt.commands import program
from radgpt.compared_predictions import needs_predictions, refuse_unforeseen, with_predictions
from radgpt.config import Backend, Compare, Config, Governance, as_mapping
from radgpt.errors import UserError
from radgpt.governance.endpoints import attested
from radgpt.governance.inheritance import inherited, is_stricter, known
from radgpt.governance.modes import close_one, close_to_others, created_for
from radgpt.governance.redaction import redacted_config, redacted_words
from radgpt.inference.backend import NamedModel
from radgpt.keys import key
from radgpt.launch import Job, launch
from radgpt.lookup import Lookup, Reads
from radgpt.manifest import Manifest
from radgpt.named_models import checkpoints, named_models, refuse_endpoints
from radgpt.teacher.prices import price_of
from radgpt.tracking import mode_of


def run_pipeline(config: Config, overrides: list[str]) -> dict[str, Any]:
    """Run `config.pipeline` in order; the first failure ends it. Gives the headline metrics of all stages."""
    metrics: dict[str, Any] = {}
    refuse_unforeseen(config, overrides, pipeline_of(config))
    for position, name in enumerate(pipeline_of(config), start=1):
        print(f"[{position}/{len(config.pipeline)}] {name}", flush=True)
        metrics |= run_stage(config, name, overrides)
    if "finetune" in config.pipeline:
        print(f"\nNext, with the same settings:\n{next_commands(overrides)}", flush=True)
    return metrics


def pipeline_of(config: Config) -> list[str]:
    """`config.pipeline`; raises UserError where it names none, or what is no stage."""
    if not config.pipeline:
        raise UserError("pipeline=[] names no stage; list at least one")
    for name in config.pipeline:
        if name not in stages.names():
            raise UserError(f"pipeline: '{name}' is no stage; stages are {', '.join(stages.names())}")
    return config.pipeline


def next_commands(overrides: list[str]) -> str:
    """What a user may want to try after the whole line."""
    kept = [override for override in overrides if not override.startswith(("stage=", "pipeline=", "chat."))]
    untuned = [override for override in kept if not override.startswith(("tuning=", "tuning."))]
    ways = {
        "talk with the model": [*kept, "stage=chat", "chat.report=sample"],
        "on a web page": [*kept, "stage=serve"],
        "measure the base model by the same line": [*untuned, "tuning=none", "pipeline=[finetune,predict,evaluate]"],
        "sweep": [*kept, "-m", "pipeline=[finetune,predict,evaluate]", "training.learning_rate=5e-4,1e-3"],
    }
    return "\n".join(f"  {shlex.join([*program(), *words]):<90}  # {what}" for what, words in ways.items())


def run_stage(config: Config, name: str, overrides: list[str]) -> dict[str, Any]:
    """Run a stage unless its outcome exists already; give its headline metrics."""
    stage = stages.load(name)
    if needs_predictions(config, name):
        config = with_predictions(config, overrides, predict if Compare in stage.sections.values() else None)
    stage_key = key(config, name)
    with created_for(config.data.governance), alone(Path(config.outputs), stage_key, name) as made:
        lookup = Lookup(config)
        reads = lookup.reads(name)
        done, unfinished = standing(config, stage, lookup)
        models = models_of(config, stage, reads, overrides)
        job_config, raised_by = inherited(config, stage, reads, unfinished, checkpoints(models))
        governance = job_config.data.governance
        if raised_by:
            typed = config.data.governance.name
            print(f"{name}: treated as {governance.name}, not {typed} (data.governance): {raised_by} is from such a run", flush=True)
            if governance is Governance.credentialed:
                for path in made:
                    close_one(path)
        if done:
            announce_skip(stage, *done)
            tighten(*done, governance)
            return done[1].metrics
        with created_for(governance):
            return run_in(unfinished, job_config, stage, stage_key, reads, overrides, models)


def predict(config: Config, overrides: list[str]) -> None:
    """Have the model of a configuration answer."""
    run_stage(config, "predict", overrides)


def standing(config: Config, stage: stages.Stage, lookup: Lookup) -> tuple[tuple[Path, Manifest] | None, Path | None]:
    """(the finished run that stands for a new one, the folder of the run that is gone on with); None for none."""
    fresh = config.force or not stage.cached
    done = None if fresh else lookup.done(stage.name)
    if done and done[1].metrics.get("failed"):
        # Rows of a teacher that came to nothing are asked again, and only those: the others stand in its journal.
        return None, done[0]
    if config.force and stage.cached and stages.asked(stage, config):
        return None, lookup.begun_by_force(stage.name)  # what it asked is paid for
    return done, None if fresh or done else lookup.unfinished(stage.name)


def announce_skip(stage: stages.Stage, directory: Path, previous: Manifest) -> None:
    """Say in one line that a stage is done already, and warn if its code has changed since."""
    print(f"{stage.name}: done already, skipped ({directory}; force=true runs it again){stage.headline(previous.metrics)}", flush=True)
    if previous.source_sha256 != digest(stage.source):
        print(f"{stage.name}: its code has changed since that run; force=true runs the new code", file=sys.stderr, flush=True)


def tighten(directory: Path, previous: Manifest, governance: Governance) -> None:
    """Let a finished run that stands for one of a stricter class obey that class from now on."""
    if is_stricter(governance, known(previous.governance)):
        replace(previous, governance=governance.name).save(directory)
        if governance is Governance.credentialed:
            close_to_others(directory)


def models_of(config: Config, stage: stages.Stage, reads: Reads, overrides: list[str]) -> dict[str, NamedModel]:
    """The models that a stage may open, its configuration's own first; says which are left out. None for stages that open none."""
    if Backend not in stage.sections.values():
        return {}
    models, left_out = named_models(config, stage, reads, overrides)
    for line in left_out:
        print(f"{stage.name}: {line}", flush=True)
    return models


def run_in(
    directory: Path | None,
    config: Config,
    stage: stages.Stage,
    stage_key: str,
    reads: Reads,
    overrides: list[str],
    models: Mapping[str, NamedModel],
) -> dict[str, Any]:
    """Run a stage in a folder (None: a new one) and leave the manifest that says how it ended."""
    mode_of(config)  # refused before a folder is made
    attestation_sha256 = attestation_of(config, stage)
    refuse_endpoints(models, config)
    for service in stages.asked(stage, config):
        price_of(service)  # a cap in dollars without a price is refused
    closed = config.data.governance is Governance.credentialed
    previous = None if directory is None else manifest.load(directory)
    if directory is None or previous is None:
        # A sweep agent names the run of the one stage that it starts; the stages of a pipeline need ids of their own.
        given = os.environ.get("WANDB_RUN_ID") if config.stage == stage.name else None
        run_id = given or secrets.token_hex(4)
        directory = Path(config.outputs) / config.name / stage.name / f"{datetime.now():%Y-%m-%d_%H-%M-%S}-{run_id}"
    else:
        run_id = previous.id
        print(f"{stage.name}: continuing {directory}", flush=True)
    make_folder(directory)
    if closed:
        close_to_others(directory)
    record = Manifest(
        id=run_id,
        stage=stage.name,
        key=stage_key,
        experiment=config.name,
        status="running",
        governance=config.data.governance.name,
        argv=redacted_words(sys.argv) if closed else sys.argv,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        reads=reads,
        source_sha256=digest(stage.source),
        attestation_sha256=attestation_sha256,
        git=manifest.git_state(),
        packages=manifest.package_versions(),
    )
    resolved = redacted_config(as_mapping(config)) if closed else as_mapping(config)
    write_text(directory / ".hydra" / "config.yaml", yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True))
    write_text(directory / ".hydra" / "overrides.yaml", yaml.safe_dump(redacted_words(overrides) if closed else overrides))
    record.save(directory)
    start = time.monotonic()
    job = Job(
        config=config,
        stage=stage.name,
        directory=directory,
        run_id=run_id,
        reads={name: Path(read["path"]) for name, read in reads.items()},
        lineage={"key": stage_key, "reads": {name: read["sha256"] for name, read in reads.items()}, **record.git},
        earlier=earlier_runs(config, stage, directory),
        models=models,
    )
    try:
        metrics = launch(job)
    except BaseException as error:
        stopped = isinstance(error, KeyboardInterrupt | SystemExit)
        status = "interrupted" if stopped else f"failed: {type(error).__name__}"
        ended = replace(record, status=status, wall_seconds=round(time.monotonic() - start, 3))
        # Where only failed rows were asked again, the outcome before stands as it was.
        (previous if previous is not None and previous.status == "done" else ended).save(directory)
        if stopped and stage.cached:
            print(f"\n{stage.name}: interrupted; to resume: {command_line(closed)}", file=sys.stderr, flush=True)
        raise
    finally:
        if closed:
            close_to_others(directory)
    wall_seconds = round(time.monotonic() - start, 3)
    replace(record, status="done", writes=manifest.describe_writes(directory, stage), metrics=metrics, wall_seconds=wall_seconds).save(
        directory
    )
    print(f"{stage.name}: done in {wall_seconds:.1f} s, {directory}{stage.headline(metrics)}", flush=True)
    if metrics.get("failed"):
        print(f"{stage.name}: rows that failed: {metrics['failed']}; the same command asks for them again", file=sys.stderr, flush=True)
    return metrics


def earlier_runs(config: Config, stage: stages.Stage, directory: Path | None) -> tuple[Path, ...]:
    """Folders of an asking stage's other runs, newest first, whose replies may be used again: none of a stricter class, none by force."""
    if config.force or not stages.asked(stage, config):
        return ()
    found = manifest.runs(Path(config.outputs), stage.name)
    return tuple(folder for folder, run in found if folder != directory and not is_stricter(known(run.governance), config.data.governance))


def attestation_of(config: Config, stage: stages.Stage) -> str | None:
    """Digest of the attestation that what the stage asks is reached under; an endpoint is refused here, before a folder is made."""
    return attested(stages.asked(stage, config), config.data.governance, config.governance.attestation)


def command_line(closed: bool) -> str:
    """What the user typed, to be typed again; of a credentialed run not what was typed to chat."""
    if closed and redacted_words(sys.argv) != sys.argv:
        return "give the same command again"
    return shlex.join([*program(), *sys.argv[1:]])


def make_folder(directory: Path) -> None:
    """Make the run's folder; raises UserError where `outputs` cannot be written to."""
    try:
        (directory / ".hydra").mkdir(parents=True, exist_ok=True)
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise UserError(f"outputs: cannot make {error.filename} ({error.strerror}); set outputs=FOLDER to one you may write to") from None


@contextmanager
def alone(outputs: Path, stage_key: str, name: str) -> Iterator[list[Path]]:
    """Hold the lock of a key, so that jobs that start together do shared work once; the system frees it when a process dies.

    Gives the files and folders that were made for it.
    """
    locks = outputs / ".locks"
    lock = locks / stage_key[:16]
    try:
        made = [path for path in (lock, locks, outputs) if not path.exists()]
        locks.mkdir(parents=True, exist_ok=True)
        file = open(lock, "w")  # noqa: SIM115 (held until the stage ends)
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise UserError(f"outputs={outputs}: cannot write there ({error.strerror}); set outputs=FOLDER to one you may write to") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{name}: another process runs it with the same settings; waiting for it", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield made
