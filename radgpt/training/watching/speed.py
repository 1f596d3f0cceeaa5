"""Tell how fast a training is, how much of that is padding, and how much memory it holds."""

import resource

from radgpt.training.engine.accelerators import this_accelerator
from radgpt.training.watching.meter import Meter


class Speed:
    """Numbers about the steps since they were last asked for."""

    def __init__(self, meter: Meter, operations_per_token: float, operations_per_second: float | None, world_size: int) -> None:
        """`operations_per_second`: what the GPU of a rank can do; None where it is not known."""
        self._meter = meter
        self._share = None if operations_per_second is None else operations_per_token / operations_per_second / world_size
        self._before = (0, 0, 0.0)

    def since_last(self, tokens_seen: int) -> dict[str, float]:
        """`tokens_seen` with `peak_memory_gib`, and of the steps since the last call `tokens_per_second`, `pad_waste` and, on known GPUs,
        `mfu`: the share of the GPUs' operations that the model itself needs."""
        now = (self._meter.tokens, self._meter.slots, self._meter.seconds)
        tokens, slots, seconds = (new - old for new, old in zip(now, self._before, strict=True))
        self._before = now
        told = {"tokens_seen": float(tokens_seen), "peak_memory_gib": peak_memory_gib()}
        if slots and seconds:
            told |= {"tokens_per_second": tokens / seconds, "pad_waste": 1 - tokens / slots}
            if self._share is not None:
                told["mfu"] = tokens / seconds * self._share
        return told


def peak_memory_gib() -> float:
    """The most memory that this process has held: of its GPU by tensors, or else of the machine."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    # Linux counts in KiB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def operations_per_second() -> float | None:
    """What this process's GPU can do in 16 bits, where it is a known one."""
    here = this_accelerator()
    return here.bf16_tflops * 1e12 if here is not None and here.bf16_tflops else None
