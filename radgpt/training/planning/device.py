"""Where a training runs, or would: what memory one process has there, and how fast it is."""

from dataclasses import dataclass

from radgpt.training.engine.accelerators import Accelerator, this_accelerator
from radgpt.training.planning.memory import CONTEXT, GIB


@dataclass(frozen=True)
class Device:
    """Where it trains, or would."""

    name: str
    memory_gib: float
    """What one process can have."""
    tflops: float | None
    is_gpu: bool


def gpu(accelerator: Accelerator, free_gib: float | None = None) -> Device:
    """A GPU, with what is free on it, or all of its memory."""
    return Device(accelerator.name, free_gib or accelerator.memory_gib, accelerator.bf16_tflops, True)


def device_here(processes: int) -> Device:
    """This process's GPU and what is free on it, or its share of the host's memory.

    Args:
        processes: of this training, on this machine.
    """
    import psutil
    import torch

    here = this_accelerator()
    if here is None:
        return Device("CPU", psutil.virtual_memory().available / processes / GIB, None, False)
    # This process's own context is there already, and is counted with what the training takes.
    return gpu(here, (torch.cuda.mem_get_info()[0] + CONTEXT) / GIB)
