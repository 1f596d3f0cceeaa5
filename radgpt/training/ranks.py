"""Let the processes of one training meet, and leave the environment as it was."""

import atexit
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

TOUCHED = ("ACCELERATE_", "LOCAL_RANK", "RANK", "WORLD_SIZE", "MASTER_")
"""Environment variables that process groups, accelerate and DeepSpeed read and set, by their beginning."""


@contextmanager
def process_group(world_size: int, timeout_seconds: int, always: bool) -> Iterator[None]:
    """Join the group of all ranks for the block (RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT say where they meet).

    Args:
        timeout_seconds: how long a rank waits for the others.
        always: whether a single process makes a group of its own, as DeepSpeed needs.
    """
    import torch
    from torch import distributed

    before = {name: value for name, value in os.environ.items() if name.startswith(TOUCHED)}
    joins = (world_size > 1 or always) and not distributed.is_initialized()
    if always and world_size == 1:
        alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
        os.environ.update(alone)
    try:
        if joins:
            on_gpu = torch.cuda.is_available()
            if on_gpu:
                torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
            distributed.init_process_group("nccl" if on_gpu else "gloo", timeout=timedelta(seconds=timeout_seconds))
        yield
    finally:
        if joins and distributed.is_initialized():
            # DeepSpeed holds on to the first group of a process, and fails in a second training without it.
            if always:
                atexit.register(distributed.destroy_process_group)
            else:
                distributed.destroy_process_group()
        for name in [name for name in os.environ if name.startswith(TOUCHED)]:
            del os.environ[name]
        os.environ.update(before)


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
