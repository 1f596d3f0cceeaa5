"""What a training runs on: DeepSpeed, processes, and the check before it."""

import re
from dataclasses import dataclass, field
from enum import Enum

from radgpt.config.markers import operational, refuse


class OffloadDevice(Enum):
    """Where DeepSpeed keeps what it takes off the devices."""

    none = "none"
    cpu = "cpu"
    nvme = "nvme"


@dataclass
class OffloadOptimizer:
    """Optimizer states outside the devices' memory (ZeRO-Offload, arXiv 2101.06840); the step itself is then taken by the CPU."""

    device: OffloadDevice = OffloadDevice.none
    nvme_path: str | None = operational()
    """Folder on a local NVMe disk, for `device: nvme`."""
    pin_memory: bool = operational(True)
    buffer_count: int = operational(4)
    pipeline_read: bool = operational(False)
    pipeline_write: bool = operational(False)
    fast_init: bool = operational(False)
    ratio: float = 1.0
    """Share of the states that is offloaded, with stage 3."""


@dataclass
class OffloadParam:
    """Weights outside the devices' memory, with stage 3 (ZeRO-Infinity, arXiv 2104.07857)."""

    device: OffloadDevice = OffloadDevice.none
    nvme_path: str | None = operational()
    """As for the optimizer."""
    pin_memory: bool = operational(True)
    buffer_count: int = operational(5)
    buffer_size: int = operational(100_000_000)
    """Elements."""
    max_in_cpu: int = operational(1_000_000_000)
    """Elements kept in the host's memory with `device: nvme`."""


@dataclass
class Zero:
    """DeepSpeed's `zero_optimization` (ZeRO, arXiv 1910.02054); a null is left out, so that DeepSpeed's own default holds."""

    stage: int = 0
    """What is split over the processes: 0 nothing, 1 optimizer states, 2 gradients as well, 3 weights as well."""
    overlap_comm: bool | None = operational()
    contiguous_gradients: bool | None = operational()
    reduce_scatter: bool | None = operational()
    reduce_bucket_size: int | None = operational()
    """Elements; null: DeepSpeed's 5e8, with stage 3 the square of the model's hidden size."""
    allgather_partitions: bool | None = operational()
    allgather_bucket_size: int | None = operational()
    round_robin_gradients: bool | None = operational()
    sub_group_size: int | None = operational()
    stage3_max_live_parameters: int | None = operational()
    stage3_max_reuse_distance: int | None = operational()
    stage3_prefetch_bucket_size: int | None = operational()
    """Elements; null: 0.9 times the square of the model's hidden size."""
    stage3_param_persistence_threshold: int | None = operational()
    """Elements, below which a tensor stays whole on every device; null: ten times the model's hidden size."""
    stage3_module_granularity_threshold: int | None = operational()
    memory_efficient_linear: bool | None = operational()
    zero_hpz_partition_size: int | None = operational()
    """Processes that share a second copy of the weights (ZeRO++, arXiv 2306.10209)."""
    zero_quantized_weights: bool | None = None
    zero_quantized_nontrainable_weights: bool | None = None
    zero_quantized_gradients: bool | None = None
    offload_optimizer: OffloadOptimizer = field(default_factory=OffloadOptimizer)
    offload_param: OffloadParam = field(default_factory=OffloadParam)

    def __post_init__(self) -> None:
        path = "deepspeed.zero_optimization"
        refuse(self.stage not in (0, 1, 2, 3), f"{path}.stage={self.stage} must be 0, 1, 2 or 3")
        for name, least in {"offload_optimizer": 1, "offload_param": 3}.items():
            section = getattr(self, name)
            device, nvme = section.device.name, section.device is OffloadDevice.nvme
            refuse(
                section.device is not OffloadDevice.none and self.stage < (3 if nvme else least),
                f"{path}.{name}.device={device} needs {path}.stage={3 if nvme or least == 3 else '1, 2 or 3'}",
            )
            refuse(nvme and not section.nvme_path, f"{path}.{name}.device=nvme needs {path}.{name}.nvme_path, a folder on a local disk")
        refuse(
            not 0 <= self.offload_optimizer.ratio <= 1, f"{path}.offload_optimizer.ratio={self.offload_optimizer.ratio} must lie in [0, 1]"
        )
        refuse(
            self.offload_optimizer.ratio < 1 and self.stage != 3,
            f"{path}.offload_optimizer.ratio={self.offload_optimizer.ratio} needs {path}.stage=3",
        )


@dataclass
class DeepSpeed:
    """DeepSpeed's JSON, typed so that a misspelt key is refused; batch sizes, precision, clipping and optimizer come from `training`."""

    enabled: bool = False
    zero_optimization: Zero = field(default_factory=Zero)
    zero_allow_untested_optimizer: bool = True
    steps_per_print: int = operational(1_000_000)
    wall_clock_breakdown: bool = operational(False)


class Launcher(Enum):
    """One process; one for each device of each node; or the same inside a Slurm job that is submitted."""

    single = "single"
    torchrun = "torchrun"
    slurm = "slurm"


@dataclass
class Launch:
    """In how many processes, on how many nodes, a stage runs that can be distributed."""

    launcher: Launcher = Launcher.single
    processes: int | str | None = None
    """Processes on each node; null or `auto`: one for each GPU, at least one."""
    nodes: int = 1
    """Machines that share `outputs`; the same command is given on each (Slurm does so itself)."""
    node_rank: int | None = operational()
    """This machine's number, 0 for the one of `rendezvous`; null: it is found out."""
    rendezvous: str | None = operational()
    """HOST:PORT where the machines meet; HOST is the one that leads."""
    port: int = operational(0)
    """Port where the processes of a stage meet; 0 takes a free one."""

    def __post_init__(self) -> None:
        if self.processes == "auto":
            self.processes = None
        refuse(isinstance(self.processes, str), f"launch.processes={self.processes} must be a number, or auto")
        refuse(self.processes is not None and int(self.processes) < 1, f"launch.processes={self.processes} must be at least 1")
        alone = self.launcher is Launcher.single
        refuse(alone and int(self.processes or 1) > 1, f"launch.processes={self.processes} needs launch=torchrun")
        refuse(self.nodes < 1, f"launch.nodes={self.nodes} must be at least 1")
        refuse(alone and self.nodes > 1, f"launch.nodes={self.nodes} needs launch=torchrun or launch=slurm")
        refuse(
            self.launcher is Launcher.torchrun and self.nodes > 1 and self.rendezvous is None,
            f"launch.nodes={self.nodes} needs launch.rendezvous=HOST:PORT, the same on each node; HOST is the node that leads",
        )
        refuse(
            self.rendezvous is not None and not re.fullmatch(r"[\w.-]+:\d{1,5}", self.rendezvous),
            f"launch.rendezvous={self.rendezvous} must be HOST:PORT",
        )
        refuse(
            self.node_rank is not None and not 0 <= self.node_rank < self.nodes,
            f"launch.node_rank={self.node_rank} must lie between 0 and launch.nodes-1={self.nodes - 1}",
        )
        refuse(not 0 <= self.port < 65536, f"launch.port={self.port} must lie between 0 and 65535")


@dataclass
class Preflight:
    """The estimate that a training stage makes before it starts, and alone with `dry_run=true`."""

    gpu: str | None = operational()
    """GPU that a dry run plans for, such as `A100-80GB`; null: the device that is here, as for a run."""
    enabled: bool = operational(True)
    """Whether a run tells what it will take, and is refused before weights are loaded where it cannot fit."""
