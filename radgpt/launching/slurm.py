"""Where the nodes of a Slurm job meet, read off the variables that Slurm sets in each task."""

import re
from collections.abc import Mapping

from radgpt.errors import UserError

LOWEST_PORT, PORTS = 10_000, 20_000
"""The job's number chooses one of these ports, below those that systems deal out for outgoing connections."""


def slurm_place(environment: Mapping[str, str]) -> tuple[int, int, str]:
    """(nodes, this node's number, HOST:PORT where they meet) of the Slurm job step that this task belongs to.

    Raises:
        UserError: this is no Slurm job, or a node has several tasks.
    """
    if "SLURM_JOB_ID" not in environment:
        raise UserError("launch=slurm runs inside a Slurm job only; leave hydra.mode=RUN out, so that one is submitted")
    nodes = int(environment.get("SLURM_STEP_NUM_NODES") or environment.get("SLURM_NNODES") or 1)
    if int(environment.get("SLURM_STEP_NUM_TASKS") or environment.get("SLURM_NTASKS") or nodes) != nodes:
        raise UserError("launch=slurm takes one task on each node (--ntasks-per-node=1), which starts a process for each GPU")
    listed = environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_JOB_NODELIST") or "localhost"
    port = LOWEST_PORT + int(environment["SLURM_JOB_ID"]) % PORTS
    return nodes, int(environment.get("SLURM_NODEID", 0)), f"{first_host(listed)}:{port}"


def first_host(listed: str) -> str:
    """The first name of a list in Slurm's notation, such as `gpu[03-05,9],cpu1`."""
    found = re.match(r"([^\[,]*)(?:\[([^\],-]*)[^\]]*\]([^\[,]*))?", listed)
    assert found
    return "".join(part or "" for part in found.groups())
