"""`torchrun` as a library: a function in one process for each device of this node, and how they ended."""

import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from radgpt.config import Launch
from radgpt.errors import UserError
from radgpt.launching.crew import Crew

SHUTDOWN_SECONDS = 600
"""Time that ranks have for a checkpoint after SIGTERM, before they are killed; where one has failed the others have 30 seconds."""

ENDED = "ended"
"""Stands for the name of an exception where a rank left none."""


class StoppedError(Exception):
    """A rank was told to stop."""


def launch_ranks(
    function: Callable[..., dict[str, Any]], given: Any, run_id: str, settings: Launch, crew: Crew | None, port: int
) -> dict[str, Any]:
    """`torchrun` inside this process: a failing or killed rank ends the others, and its error is raised here.

    Args:
        function: called in each rank with `given`.
        run_id: tells this meeting from others.
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
    processes = process_count(settings)
    plan = LaunchConfig(
        min_nodes=nodes,
        max_nodes=nodes,
        nproc_per_node=processes,
        run_id=run_id,
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
            returned = elastic_launch(plan, function)(given)
        return returned[0] if node == 0 else {}
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        name, message = first_error(failure)
        if name == StoppedError.__name__:
            raise KeyboardInterrupt from None
        if name == UserError.__name__:
            raise UserError(message) from None
        print(stack(failure), file=sys.stderr, flush=True)
        raise RuntimeError(f"rank {rank} {message}" if name == ENDED else f"rank {rank} failed: {name}: {message}") from None
    except SignalException:
        raise KeyboardInterrupt from None


def first_error(failure: Any) -> tuple[str, str]:
    """(exception name, message) of a failed rank, or (ENDED, how) where it was killed or left without a word."""
    if failure.exitcode < 0:
        signal_name = failure.signal_name()
        hint = " (as the system does where memory runs out)" if signal_name == "SIGKILL" else ""
        return ENDED, f"was killed by {signal_name}{hint}"
    told = left_by(failure)
    if "message" not in told:
        return ENDED, f"ended with exit code {failure.exitcode}"
    name, _, message = told["message"].partition(": ")
    return name, message


def stack(failure: Any) -> str:
    """The traceback of a failed rank, or nothing."""
    return str(left_by(failure).get("extraInfo", {}).get("py_callstack", ""))


def left_by(failure: Any) -> dict[str, Any]:
    """What a failed rank wrote down of its exception; empty where it could not."""
    try:
        told = json.loads(Path(failure.error_file).read_text(encoding="utf-8"))["message"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return told if isinstance(told, dict) else {}


def planned_processes(settings: Launch) -> int:
    """`launch.processes`, or one for each GPU, whether this node has them or not."""
    import torch

    return int(settings.processes or max(torch.cuda.device_count(), 1))


def process_count(settings: Launch) -> int:
    """`launch.processes`, or one for each GPU; raises UserError for more processes than GPUs where there are GPUs."""
    import torch

    gpus, count = torch.cuda.device_count(), planned_processes(settings)
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
