"""Where the nodes of a Slurm job meet, by the variables that Slurm sets."""

import pytest

from radgpt.errors import UserError
from radgpt.launching.slurm import first_host, slurm_place

SLURM = {"SLURM_JOB_ID": "4711", "SLURM_NNODES": "3", "SLURM_NODEID": "2", "SLURM_NTASKS": "3", "SLURM_JOB_NODELIST": "gpu[03-05,9],cpu1"}


def test_a_slurm_jobs_nodes_meet_on_its_first() -> None:
    assert slurm_place(SLURM) == (3, 2, "gpu03:14711")
    with pytest.raises(UserError, match="--ntasks-per-node=1"):
        slurm_place(SLURM | {"SLURM_NTASKS": "24"})
    with pytest.raises(UserError, match="inside a Slurm job only"):
        slurm_place({})


@pytest.mark.parametrize(
    ("listed", "first"),
    [("node1", "node1"), ("a7,b8", "a7"), ("n[08-11,15]-ib", "n08-ib"), ("gpu[3,9],cpu1", "gpu3"), ("host.lab.org", "host.lab.org")],
)
def test_slurms_list_of_nodes(listed: str, first: str) -> None:
    assert first_host(listed) == first
