"""Start a stage's function in this process, or in one process for each device (torchrun used as a library)."""

import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radgpt import stages
from radgpt.config import Config, Launch, Launcher
from radgpt.errors import UserError
from radgpt.run import NoTracker, Run
from radgpt.tracking import track


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


def launch(job: Job) -> dict[str, Any]:
    """Run the job's stage and give its headline metrics once every rank has returned."""
    if job.config.launch.launcher is Launcher.single or not stages.load(job.stage).parallel:
        return work(job)
    return launch_ranks(job)


def work(job: Job) -> dict[str, Any]:
    """What each rank does: build the stage's arguments, call it, and close W&B with its outcome."""
    stage = stages.load(job.stage)
    rank, world_size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    run = Run(
        directory=job.directory,
        writes=stage.writes,
        cache=Path(job.config.cache).expanduser(),
        earlier=job.earlier,
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
    arguments: dict[str, Any] = dict(reads)
    arguments |= {name: stages.section(config, kind) for name, kind in stage.sections.items()}
    return arguments | {name: getattr(config, name) for name in stage.settings}


def launch_ranks(job: Job) -> dict[str, Any]:
    """`torchrun` inside this process: a failing or killed rank ends the others, and its error is raised here."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # The launcher logs each rank's traceback, line by line, before it raises it; once is enough.
    for name in ("torch.distributed.elastic", "torch.multiprocessing"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    settings = job.config.launch
    plan = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=process_count(settings),
        run_id=job.run_id,
        rdzv_backend="c10d",
        rdzv_endpoint=f"127.0.0.1:{free_port(settings)}",
        max_restarts=0,
        start_method="spawn",
    )
    try:
        return elastic_launch(plan, work)(job)[0]
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        name, message = first_error(failure)
        if name == UserError.__name__:
            raise UserError(message) from None
        raise RuntimeError(f"rank {rank} failed: {name}: {message}") from error
    except SignalException:
        raise KeyboardInterrupt from None


def first_error(failure: Any) -> tuple[str, str]:
    """(exception name, message) of a failed rank, or its signal where it was killed."""
    try:
        told = json.loads(Path(failure.error_file).read_text(encoding="utf-8"))["message"]["message"]
    except (OSError, ValueError, KeyError, TypeError):
        return "ended", f"{failure.signal_name() if failure.exitcode < 0 else f'exit code {failure.exitcode}'}"
    name, _, message = told.partition(": ")
    return name, message


def process_count(settings: Launch) -> int:
    """`launch.processes`, or one for each GPU; raises UserError for more processes than GPUs where there are GPUs."""
    import torch

    gpus = torch.cuda.device_count()
    count = settings.processes or max(gpus, 1)
    if 0 < gpus < count:
        raise UserError(f"launch.processes={count}, but this node shows {gpus} GPUs; lower it or check CUDA_VISIBLE_DEVICES")
    return count


def free_port(settings: Launch) -> int:
    """`launch.port`, checked to be free, or any free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", settings.port))
        except OSError as error:
            raise UserError(f"launch.port={settings.port} cannot be used ({error.strerror}); choose another, or 0 for a free one") from None
        return int(probe.getsockname()[1])


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Let a SIGTERM end the stage as Ctrl-C does, so that W&B is flushed and the manifest says what happened."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
