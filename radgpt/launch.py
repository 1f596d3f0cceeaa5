"""Start a stage's function in this process, or in one process for each device of each node (torchrun used as a library)."""

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from radgpt import stages
from radgpt.config import Config, Governance, Launch, Launcher, as_mapping
from radgpt.errors import UserError
from radgpt.governance.modes import created_for
from radgpt.inference.backend import NamedModel
from radgpt.launching.crew import END, OBEYED, TAKEN, Crew, interrupt, nodes_crew, ranks_crew, watched
from radgpt.launching.slurm import slurm_place
from radgpt.launching.torchrun import StoppedError, free_port, launch_ranks
from radgpt.records import canonical_digest
from radgpt.run import NoTracker, Run
from radgpt.tracking import track

CREW: ContextVar[Crew | None] = ContextVar("crew", default=None)
"""The other processes that the same command was given to; None where this one is alone."""

TOLD_BY_RANKS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
"""Environment variables that make libraries take a process for one of several."""


@dataclass(frozen=True)
class Job:
    """All that a rank needs: it never composes a config and never looks for files."""

    config: Config
    stage: str
    directory: Path
    run_id: str
    reads: dict[str, Path]
    lineage: dict[str, Any]
    """Key, input digests and commit, for W&B's config."""
    earlier: tuple[Path, ...] = ()
    """As in `Run`."""
    models: Mapping[str, NamedModel] = field(default_factory=dict)
    """As in `Run`."""


@contextmanager
def crew_of(config: Config) -> Iterator[Crew | None]:
    """Meet the other processes that this command was given to, for the block; None where there are none.

    Raises:
        UserError: they cannot meet, or another one met a mistake of the user.
        MemberError: another one failed.
    """
    crew = meet(config.launch)
    if crew is None:
        yield None
        return
    token = CREW.set(crew)
    try:
        with watched(crew):
            yield crew
            if crew.leads:
                crew.order(do=END)
                crew.await_all(OBEYED)
    finally:
        CREW.reset(token)


def meet(settings: Launch) -> Crew | None:
    """The crew that the environment and the settings tell of."""
    if started_by_hand():
        return ranks_crew()
    if settings.launcher is Launcher.slurm:
        nodes, rank, place = slurm_place(os.environ)
        return nodes_crew(place, nodes, rank) if nodes > 1 else None
    if settings.nodes > 1:
        assert settings.rendezvous is not None
        return nodes_crew(settings.rendezvous, settings.nodes, settings.node_rank)
    return None


def started_by_hand() -> bool:
    """Whether `torchrun` or `deepspeed` was typed, and this is one of its ranks."""
    return int(os.environ.get("WORLD_SIZE", 1)) > 1 and "RANK" in os.environ


def follow(crew: Crew, config: Config) -> None:
    """Take part in what the leader orders until it ends.

    Raises:
        UserError: this member was started with other settings.
    """
    while (order := crew.next_order())["do"] != END:
        if order["config"] != settings_digest(config):
            raise UserError(f"{crew.noun} {crew.rank} was started with other settings than {crew.noun} 0; give the same command to all")
        governance = Governance[order["governance"]]
        job = Job(
            config=replace(config, data=replace(config.data, governance=governance)),
            stage=order["do"],
            directory=Path(order["directory"]),
            run_id=order["run_id"],
            reads={name: Path(path) for name, path in order["reads"].items()},
            lineage={},
        )
        if not job.directory.is_dir():
            raise UserError(f"outputs={config.outputs}: {crew.noun} {crew.rank} does not see {job.directory}; all must share it")
        # Before processes wait for each other where no signal ends them.
        crew.report(TAKEN)
        with created_for(governance):
            if crew.by_hand:
                work(job)
            else:
                on_ranks(job, crew, order["port"])
        crew.report(OBEYED)
    crew.report(OBEYED)


def settings_digest(config: Config) -> str:
    """Digest of the settings that all members must have alike: all but how this one was started, and the class that inputs may raise."""
    plain = as_mapping(config)
    plain["data"] = {name: value for name, value in plain["data"].items() if name != "governance"}
    return canonical_digest({name: value for name, value in plain.items() if name != "launch"})


def launch(job: Job) -> dict[str, Any]:
    """Run the job's stage and give its headline metrics once every rank of every node has returned."""
    crew, parallel = CREW.get(), stages.load(job.stage).parallel
    if not parallel:
        with alone():
            return work(job)
    if crew is None:
        return work(job) if job.config.launch.launcher is Launcher.single else on_ranks(job, None, free_port(job.config.launch))
    port = 0 if crew.by_hand else free_port(job.config.launch)
    crew.order(
        do=job.stage,
        directory=str(job.directory.resolve()),
        run_id=job.run_id,
        reads={name: str(path.resolve()) for name, path in job.reads.items()},
        governance=job.config.data.governance.name,
        config=settings_digest(job.config),
        port=port,
    )
    try:
        crew.await_all(TAKEN)
        metrics = work(job) if crew.by_hand else on_ranks(job, crew, port)
        crew.await_all(OBEYED)
    except (KeyboardInterrupt, RuntimeError):
        if failure := crew.failure():
            raise failure from None
        raise
    return metrics


def work(job: Job, *, launched: bool = False) -> dict[str, Any]:
    """What each rank does: build the stage's arguments, call it, and close W&B with its outcome.

    Args:
        launched: whether a launcher of ours waits for the outcome.

    Raises:
        KeyboardInterrupt: it was told to stop; of a launched rank even if it got to its end, since a launcher that tells its ranks to stop
            takes no outcome from them any more, and both would wait for each other.
    """
    stage = stages.load(job.stage)
    rank, world_size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    run = Run(
        directory=job.directory,
        writes=stage.writes,
        cache=Path(job.config.cache).expanduser(),
        earlier=job.earlier,
        models=job.models,
        governance=job.config.data.governance,
        shared=Path(job.config.outputs) / ".tokens",
        rank=rank,
        world_size=world_size,
    )
    arguments = arguments_of(job.config, stage, job.reads)
    with sigterm_as_interrupt():
        if rank != 0:
            run.tracker = NoTracker()
            stage.function(run, **arguments)
        else:
            with track(job.config, job.stage, job.run_id, job.directory, job.lineage) as tracker:
                run.tracker = tracker
                stage.function(run, **arguments)
                tracker.finish(run.summary, {name: run.path(name) for name in stage.writes})
    if launched and run.told_to_stop:
        raise KeyboardInterrupt
    return run.summary if rank == 0 else {}


def arguments_of(config: Config, stage: stages.Stage, reads: Mapping[str, Path]) -> dict[str, Any]:
    """What the stage's function is called with, besides the run."""
    arguments: dict[str, Any] = {name: reads.get(name) for name in stage.optional} | dict(reads)
    arguments |= {name: stages.section(config, kind) for name, kind in stage.sections.items()}
    return arguments | {name: getattr(config, name) for name in stage.settings}


def on_ranks(job: Job, crew: Crew | None, port: int) -> dict[str, Any]:
    """`work` in this node's ranks."""
    return launch_ranks(work_as_rank, job, job.run_id, job.config.launch, crew, port)


def work_as_rank(job: Job) -> dict[str, Any]:
    """`work`, in a process of the launcher's, which takes one that ends by KeyboardInterrupt for done."""
    try:
        return work(job, launched=True)
    except KeyboardInterrupt:
        raise StoppedError("stopped by a signal") from None


@contextmanager
def alone() -> Iterator[None]:
    """Let the libraries of the block take this rank for a process of its own."""
    before = {name: os.environ.pop(name) for name in TOLD_BY_RANKS if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(before)


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Let a SIGTERM end the stage as Ctrl-C does, so that W&B is flushed and the manifest says what happened."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
