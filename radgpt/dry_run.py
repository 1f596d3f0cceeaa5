"""Tell what stages would do and take (`dry_run=true`), and do nothing."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from radgpt import stages
from radgpt.compared_predictions import needs_predictions, unanswered, with_predictions
from radgpt.config import Config, Launch, Launcher, Method, ModelSource, Tuning
from radgpt.errors import DryRunEnd, UserError, settings_of
from radgpt.execute import announce_skip, attestation_of, earlier_runs, models_of, pipeline_of, standing
from radgpt.governance.inheritance import inherited
from radgpt.keys import key
from radgpt.launch import started_by_hand
from radgpt.launching.torchrun import planned_processes
from radgpt.lookup import Lookup, Reads
from radgpt.rehearsal import rehearse, rehearsing


def tell(config: Config, overrides: Sequence[str] = ()) -> None:
    """Print what the stage that the config names, or each stage of its pipeline, would do, as far as it can be known now.

    Args:
        overrides: the command line that gave the config; only what `models` names needs it.

    Raises:
        UserError: what would end the run.
    """
    if int(os.environ.get("RANK", 0)) > 0:
        return
    if config.stage != "pipeline":
        tell_stage(config, config.stage, alone=True, overrides=overrides)
        return
    for position, name in enumerate(config.pipeline, start=1):
        print(f"[{position}/{len(pipeline_of(config))}] {name}", flush=True)
        tell_stage(config, name, alone=False, overrides=overrides)


def tell_stage(config: Config, name: str, alone: bool, overrides: Sequence[str] = ()) -> None:
    """Print what one stage would do.

    Args:
        alone: whether no stage before it would run first, so that input that is missing ends the run.
        overrides: as `tell` has them.
    """
    if needs_predictions(config, name):
        if not predictions_told(config, name, alone, overrides):
            return
        config = with_predictions(config, overrides, None)
    stage, stage_key = stages.load(name), key(config, name)
    trains = Tuning in stage.sections.values() and config.tuning.method is not Method.none
    lookup = Lookup(config)
    missing = {artifact: maker for artifact, maker in makers(config, name).items() if not is_made(lookup, maker)}
    if missing:
        if alone and not trains:
            lookup.reads(name)  # says what to run first
        print(f"{name}: would run after {' and '.join(dict.fromkeys(missing.values()))}", flush=True)
        if trains:
            tell_memory(config, stage)
        return
    reads = lookup.reads(name)
    done, unfinished = standing(config, stage, lookup)
    job_config, _ = inherited(config, stage, reads, unfinished)
    if done:
        announce_skip(stage, *done)
        return
    if stage.cached and stages.asked(stage, job_config):
        attestation_of(job_config, stage)
        earlier = earlier_runs(job_config, stage, unfinished)
        with rehearsing(job_config, stage, unfinished, earlier, models=models_of(job_config, stage, reads, [])) as run:
            try:
                rehearse(run, job_config, stage, paths(reads))
            except DryRunEnd as end:
                print(end, flush=True)
    elif trains:
        print(f"{name}: would {'go on in ' + str(unfinished) if unfinished else 'run'}; nothing is trained or written now", flush=True)
        with rehearsing(job_config, stage, world_size=planned_world_size(config.launch)) as run:
            rehearse(run, job_config, stage, paths(reads))
    else:
        for line in plainly(stage, stage_key, reads, unfinished):
            print(line, flush=True)


def predictions_told(config: Config, name: str, alone: bool, overrides: Sequence[str]) -> bool:
    """Whether the predictions of all models that are compared are there; prints what would make them where they are not."""
    try:
        waiting = unanswered(config, overrides)
    except UserError:
        if alone:
            raise
        print(f"{name}: would run once all models that are compared can answer", flush=True)
        return False
    for model, its in waiting.items():
        print(f"{name}: {model} would answer first", flush=True)
        tell_stage(its, "predict", alone=True)
    if waiting:
        print(f"{name}: would run after {' and '.join(waiting)} answered", flush=True)
    return not waiting


def makers(config: Config, name: str) -> dict[str, str]:
    """The artifacts that a stage reads, each to the stage that makes it; without those that `inputs` gives."""
    return {artifact: stages.producer(artifact) for artifact in stages.reads(name, config) if not getattr(config.inputs, artifact)}


def is_made(lookup: Lookup, maker: str) -> bool:
    """Whether a stage has been run with these settings."""
    try:
        return lookup.done(maker) is not None
    except UserError:
        # What it reads is missing in its turn.
        return False


def paths(reads: Reads) -> dict[str, Path]:
    """Where artifacts stand."""
    return {name: Path(read["path"]) for name, read in reads.items()}


def plainly(stage: stages.Stage, stage_key: str, reads: Reads, unfinished: Path | None) -> list[str]:
    """What a stage would do that neither asks a teacher nor trains."""
    lines = [f"{stage.name}: would {'go on in ' + str(unfinished) if unfinished else 'run'}", f"  does       {stage.purpose}"]
    lines += [f"  reads      {artifact}: {read['path']}" for artifact, read in reads.items()]
    return [*lines, f"  writes     {', '.join(stage.writes) or 'nothing'}", f"  key        {stage_key[:16]}"]


def tell_memory(config: Config, stage: stages.Stage) -> None:
    """Print what is known of a training before there is anything to train on."""
    from radgpt.models import prepare_base, quieten
    from radgpt.training.loop.arguments import refuse_unknown
    from radgpt.training.planning.preflight import config_of, foretell
    from radgpt.training.recipe import Recipe
    from radgpt.training.tiny import tiny_config

    quieten()
    given: dict[str, Any] = {name: stages.section(config, kind) for name, kind in stage.sections.items()}
    section = "pretraining" if "pretraining" in given else "training"
    with (
        rehearsing(config, stage, world_size=planned_world_size(config.launch)) as run,
        settings_of(section, written="training"),
    ):
        refuse_unknown(given[section])
        is_tiny = config.model.source is ModelSource.tiny
        base: Any = tiny_config(config.model) if is_tiny else config_of(config.model, prepare_base(config.model, run.cache))
        recipe = Recipe(config.model, config.tuning, given[section], config.deepspeed, config.preflight, config.seed)
        foretell(run, recipe, base, tokens=None)


def planned_world_size(launch: Launch) -> int:
    """In how many processes a training stage would run, on this machine or on another with as many GPUs."""
    if started_by_hand():
        return int(os.environ["WORLD_SIZE"])
    if launch.launcher is Launcher.single:
        return 1
    return planned_processes(launch) * launch.nodes
