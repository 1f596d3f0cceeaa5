"""Let the processes of one training meet, and leave the environment as it was."""

import atexit
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

TOUCHED = ("ACCELERATE_", "LOCAL_RANK", "RANK", "WORLD_SIZE", "MASTER_")
"""Environment variables that process groups, accelerate and DeepSpeed read and set, by their beginning."""

meetings = 0
"""Groups that this process has joined."""


@contextmanager
def process_group(world_size: int, timeout_seconds: int, with_deepspeed: bool) -> Iterator[None]:
    """Join the group of all ranks for the block (RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT say where they meet).

    Args:
        timeout_seconds: how long a rank waits for the others.
        with_deepspeed: whether DeepSpeed trains, for which a single process makes a group of its own.
    """
    import torch
    from torch import distributed
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    global meetings
    before = {name: value for name, value in os.environ.items() if name.startswith(TOUCHED)}
    joins = (world_size > 1 or with_deepspeed) and not distributed.is_initialized()
    failed = False
    if with_deepspeed and not torch.cuda.is_available():
        # It looks for other accelerators first, and warns that there is none.
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    if with_deepspeed and world_size == 1:
        alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
        os.environ.update(alone)
    try:
        if joins:
            on_gpu = torch.cuda.is_available()
            if on_gpu:
                torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
            timeout = timedelta(seconds=timeout_seconds)
            store, rank, size = next(rendezvous("env://", timeout=timeout))
            # A store may outlive a training (`torchrun` typed by hand keeps one): each meets in a part of its own.
            meetings += 1
            own = PrefixStore(f"training/{meetings}", store)
            distributed.init_process_group("nccl" if on_gpu else "gloo", store=own, rank=rank, world_size=size, timeout=timeout)
        if with_deepspeed:
            from deepspeed.comm import init_distributed
            from deepspeed.ops import __compatible_ops__ as buildable

            # A way for CPUs to talk that it would compile first, for minutes, and wait for ever where an earlier build was killed.
            buildable["deepspeed_shm_comm"] = False
            # accelerate does it for GPUs only, and without it ZeRO-3 takes each rank for all there are while weights are read.
            init_distributed(distributed.get_backend(), auto_mpi_discovery=False, verbose=False)
        yield
    except BaseException:
        failed = True
        raise
    finally:
        if joins and distributed.is_initialized():
            # DeepSpeed holds on to the first group of a process, and fails in a second training without it. And a rank that fails
            # must be known to have failed before the others lose it, whose errors would come first and say less.
            if with_deepspeed or failed:
                atexit.register(distributed.destroy_process_group)
            else:
                distributed.destroy_process_group()
        for name in [name for name in os.environ if name.startswith(TOUCHED)]:
            del os.environ[name]
        os.environ.update(before)


def draw_apart(seed: int, rank: int) -> None:
    """Let this rank draw dropout and noise of its own from here on; rank 0 draws what one process would.

    The Trainer seeds all ranks alike, as they must be for the weights that each makes. If they stayed so, rows of one shape would lose
    the same units on every rank, and the step would average over one mask where it should over many.
    """
    import torch

    if rank:
        torch.manual_seed(seed + rank)


def wait_for_all() -> None:
    """Return once every rank is here."""
    from torch import distributed

    if distributed.is_initialized():
        distributed.barrier()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
