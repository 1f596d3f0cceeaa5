"""Start a stage's function in this process, or in one process for each device of each node (torchrun used as a library)."""

import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from radgpt import stages
from radgpt.config import Config, Governance, Launch, Launcher, as_mapping
from radgpt.crew import END, Crew, interrupt, nodes_crew, ranks_crew, watched
from radgpt.errors import UserError
from radgpt.governance.modes import created_for
from radgpt.records import canonical_digest
from radgpt.run import NoTracker, Run
from radgpt.slurm import slurm_place
from radgpt.tracking import track

CREW: ContextVar[Crew | None] = ContextVar("crew", default=None)
"""The other processes that the same command was given to; None where this one is alone."""

TOLD_BY_RANKS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
"""Environment variables that make libraries take a process for one of several."""

SHUTDOWN_SECONDS = 600
"""Time that ranks have for a checkpoint after SIGTERM, before they are killed; where one has failed the others have 30 seconds."""

ENDED = "ended"


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
                crew.await_all()
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
        with created_for(governance):
            if crew.by_hand:
                work(job)
            else:
                launch_ranks(job, crew, order["port"])
        crew.obeyed()
    crew.obeyed()


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
        return work(job) if job.config.launch.launcher is Launcher.single else launch_ranks(job, None, free_port(job.config.launch))
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
        metrics = work(job) if crew.by_hand else launch_ranks(job, crew, port)
        crew.await_all()
    except (KeyboardInterrupt, RuntimeError):
        if failure := crew.failure():
            raise failure from None
        raise
    return metrics


def work(job: Job) -> dict[str, Any]:
    """What each rank does: build the stage's arguments, call it, and close W&B with its outcome."""
    stage = stages.load(job.stage)
    rank, world_size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    run = Run(
        directory=job.directory,
        writes=stage.writes,
        cache=Path(job.config.cache).expanduser(),
        earlier=job.earlier,
        shared=Path(job.config.outputs) / ".tokens",
        rank=rank,
        world_size=world_size,
    )
    arguments = arguments_of(job.config, stage, job.reads)
    with sigterm_as_interrupt():
        if rank != 0:
            run.tracker = NoTracker()
            stage.function(run, **arguments)
            return {}
        with track(job.config, job.stage, job.run_id, job.directory, job.lineage) as tracker:
            run.tracker = tracker
            stage.function(run, **arguments)
            tracker.finish(run.summary, {name: run.path(name) for name in stage.writes})
        return run.summary


def arguments_of(config: Config, stage: stages.Stage, reads: Mapping[str, Path]) -> dict[str, Any]:
    """What the stage's function is called with, besides the run."""
    arguments: dict[str, Any] = {name: reads.get(name) for name in stage.optional} | dict(reads)
    arguments |= {name: stages.section(config, kind) for name, kind in stage.sections.items()}
    return arguments | {name: getattr(config, name) for name in stage.settings}


def launch_ranks(job: Job, crew: Crew | None, port: int) -> dict[str, Any]:
    """`torchrun` inside this process: a failing or killed rank ends the others, and its error is raised here.

    Args:
        crew: the nodes; None for this one alone.
        port: where the ranks meet, on the first node.

    Returns:
        What rank 0 returned, on the node that has it.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # The launcher logs each rank's traceback, line by line, before it raises it, and each signal; once is enough.
    for name in list(logging.root.manager.loggerDict):
        if name.startswith(("torch.distributed.elastic", "torch.multiprocessing")):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    host = "127.0.0.1" if crew is None else crew.place.rpartition(":")[0]
    nodes, node = (1, 0) if crew is None else (crew.size, crew.rank)
    processes = process_count(job.config.launch)
    plan = LaunchConfig(
        min_nodes=nodes,
        max_nodes=nodes,
        nproc_per_node=processes,
        run_id=job.run_id,
        rdzv_backend="static",
        rdzv_endpoint=f"{host}:{port}",
        rdzv_configs={"rank": node, "timeout": 900},
        local_addr=host if node == 0 else None,
        max_restarts=0,
        start_method="spawn",
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    try:
        with signals_kept(), threads_for(processes):
            returned = elastic_launch(plan, work_as_rank)(job)
        return returned[0] if node == 0 else {}
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        name, message = first_error(failure)
        if name == StoppedError.__name__:
            raise KeyboardInterrupt from None
        if name == UserError.__name__:
            raise UserError(message) from None
        raise RuntimeError(f"rank {rank} {message}" if name == ENDED else f"rank {rank} failed: {name}: {message}") from error
    except SignalException:
        raise KeyboardInterrupt from None


def work_as_rank(job: Job) -> dict[str, Any]:
    """`work`, in a process of the launcher's, which takes one that ends by KeyboardInterrupt for done."""
    try:
        return work(job)
    except KeyboardInterrupt:
        raise StoppedError("stopped by a signal") from None


class StoppedError(Exception):
    """A rank was told to stop."""


def first_error(failure: Any) -> tuple[str, str]:
    """(exception name, message) of a failed rank, or (ENDED, how) where it was killed or left without a word."""
    if failure.exitcode < 0:
        signal_name = failure.signal_name()
        hint = " (as the system does where memory runs out)" if signal_name == "SIGKILL" else ""
        return ENDED, f"was killed by {signal_name}{hint}"
    try:
        told = json.loads(Path(failure.error_file).read_text(encoding="utf-8"))["message"]["message"]
    except (OSError, ValueError, KeyError, TypeError):
        return ENDED, f"ended with exit code {failure.exitcode}"
    name, _, message = told.partition(": ")
    return name, message


def process_count(settings: Launch) -> int:
    """`launch.processes`, or one for each GPU; raises UserError for more processes than GPUs where there are GPUs."""
    import torch

    gpus = torch.cuda.device_count()
    count = int(settings.processes or max(gpus, 1))
    if 0 < gpus < count:
        raise UserError(f"launch.processes={count}, but this node shows {gpus} GPUs; lower it or check CUDA_VISIBLE_DEVICES")
    return count


def free_port(settings: Launch) -> int:
    """`launch.port`, checked to be free, or any free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1" if settings.nodes == 1 else "", settings.port))
        except OSError as error:
            raise UserError(f"launch.port={settings.port} cannot be used ({error.strerror}); choose another, or 0 for a free one") from None
        return int(probe.getsockname()[1])


@contextmanager
def alone() -> Iterator[None]:
    """Let the libraries of the block take this rank for a process of its own."""
    before = {name: os.environ.pop(name) for name in TOLD_BY_RANKS if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(before)


@contextmanager
def threads_for(processes: int) -> Iterator[None]:
    """Share the CPU cores that this process may use among as many ranks started in the block, unless OMP_NUM_THREADS is set."""
    if "OMP_NUM_THREADS" in os.environ:
        yield
        return
    os.environ["OMP_NUM_THREADS"] = str(max(1, len(os.sched_getaffinity(0)) // processes))
    try:
        yield
    finally:
        del os.environ["OMP_NUM_THREADS"]


@contextmanager
def signals_kept() -> Iterator[None]:
    """Put back the signal handlers that the launcher takes over and leaves behind."""
    names = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    before = {name: signal.getsignal(name) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


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
