"""Two ranks on this machine that run many trainings, one after another, in one pair of processes (starting them takes longest)."""

import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from small_training import MODEL, TRAINING, tuned

from radgpt.config import DeepSpeed, Training, Tuning


@dataclass(frozen=True)
class Case:
    """One training."""

    name: str
    """Its folder's."""
    tuning: Tuning
    deepspeed: DeepSpeed = field(default_factory=DeepSpeed)
    training: Training = field(default_factory=lambda: TRAINING)
    dies_at: int | None = None
    """Optimizer step in whose midst it ends, as by a kill."""


class KilledError(BaseException):
    """Ends a training where it stands: nothing of ours or the Trainer's catches it."""


class Losses:
    """A tracker that keeps the loss of each step."""

    def __init__(self) -> None:
        self.by_step: dict[int, float] = {}

    def log(self, metrics: Any, step_name: str, step: float) -> None:
        if "train/loss" in metrics:
            self.by_step[int(step)] = metrics["train/loss"]


def train(case: Case, folder: Path, dataset: Path, rank: int = 0, world_size: int = 1) -> tuple[dict[int, float], str | None]:
    """Run a case in `folder/<its name>`; gives the losses by step and the engine, None where it was killed."""
    from radgpt.training.watching.meter import Meter

    losses, taken = Losses(), Meter.on_step_end

    def die(self: Any, args: Any, state: Any, control: Any, **rest: Any) -> Any:
        if state.global_step == case.dies_at:
            raise KilledError
        return taken(self, args, state, control, **rest)

    Meter.on_step_end = die  # type: ignore[method-assign]
    try:
        if case.training.fsdp:
            shard_over_cpus()
        run = tuned(
            folder / case.name, dataset, case.tuning, case.training, case.deepspeed, MODEL, rank=rank, world_size=world_size, tracker=losses
        )
        return losses.by_step, run.summary["engine"]
    except KilledError:
        return losses.by_step, None
    finally:
        Meter.on_step_end = taken  # type: ignore[method-assign]


def by_two(cases: Sequence[Case], folder: Path, dataset: Path) -> dict[str, tuple[dict[int, float], str | None]]:
    """Run all cases by two ranks; gives for each what `train` gives on rank 0.

    Raises:
        ProcessRaisedException: a rank failed; its text is that rank's traceback.
    """
    from torch.multiprocessing import start_processes

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    start_processes(rank_of_two, args=(list(cases), folder, dataset, port), nprocs=2, start_method="spawn")
    told = json.loads((folder / "told.json").read_text())
    return {name: ({int(step): loss for step, loss in losses.items()}, engine) for name, (losses, engine) in told.items()}


def rank_of_two(rank: int, cases: list[Case], folder: Path, dataset: Path, port: int) -> None:
    """One of the two processes."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", **place}
    told = {}
    for case in cases:
        told[case.name] = train(case, folder, dataset, rank, 2)
        print(f"rank {rank}: {case.name}", flush=True)
    if rank == 0:
        (folder / "told.json").write_text(json.dumps(told))


def shard_over_cpus() -> None:
    """Let accelerate take this process's ranks on CPUs for GPUs from now on: FSDP2 needs none, but accelerate knows no other way."""
    from accelerate.state import DistributedType, PartialState

    from radgpt.training.engine import fsdp

    os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"
    PartialState._prepare_backend = lambda *given: ("gloo", DistributedType.MULTI_GPU)  # type: ignore[method-assign]
    fsdp.refuse_unsharded = lambda *given: None
