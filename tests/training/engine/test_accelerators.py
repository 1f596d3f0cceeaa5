"""GPUs are found by whatever people and drivers call them."""

import pytest

from radgpt.errors import UserError
from radgpt.training.engine.accelerators import KNOWN, find, recognised


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("A100-80GB", "A100-80GB"),
        ("a100 80 GB", "A100-80GB"),
        ("NVIDIA A100-SXM4-40GB", "A100-40GB"),
        ("a100_80", "A100-80GB"),
        ("h100", "H100-80GB"),
        ("H100 SXM5 80GB", "H100-80GB"),
        ("h100-pcie", "H100-PCIe"),
        ("rtx4090", "RTX-4090"),
        ("3090", "RTX-3090"),
        ("A6000", "RTX-A6000"),
        ("RTX 6000 Ada Generation", "RTX-6000-Ada"),
        ("l40s 48gb", "L40S"),
    ],
)
def test_a_name_is_found_however_it_is_spelt(typed: str, name: str) -> None:
    assert find(typed) is KNOWN[name]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("a100", r"preflight.gpu=a100 may be A100-40GB or A100-80GB; say which"),
        ("MI300", r"preflight.gpu=MI300 is no GPU of a known data sheet; nearest are MI300X"),
        ("V100-64GB", r"preflight.gpu=V100-64GB is no GPU of a known data sheet; nearest are V100-16GB, V100-32GB"),
        ("abacus", r"known are V100-16GB, .*MI355X"),
    ],
)
def test_what_is_not_known_gets_the_nearest(typed: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        find(typed)


@pytest.mark.parametrize(
    ("driver", "memory", "name"),
    [
        ("NVIDIA H100 80GB HBM3", 79.1, "H100-80GB"),
        ("NVIDIA A100 80GB PCIe", 79.2, "A100-80GB"),
        ("NVIDIA A100-PCIE-40GB", 39.4, "A100-40GB"),
        ("Tesla V100-SXM2-32GB", 31.7, "V100-32GB"),
        ("NVIDIA GeForce RTX 3090", 23.7, "RTX-3090"),
        # The size in its name is that of the processor's memory.
        ("NVIDIA GH200 480GB", 94.5, "GH200-96GB"),
        ("AMD Instinct MI300X", 191.98, "MI300X"),
    ],
)
def test_a_driver_s_name_gives_speed_and_the_memory_that_it_reports(driver: str, memory: float, name: str) -> None:
    found = recognised(driver, memory)
    assert (found.name, found.memory_gib, found.bf16_tflops) == (name, memory, KNOWN[name].bf16_tflops)


@pytest.mark.parametrize(("driver", "memory"), [("NVIDIA A100-SXM4-40GB MIG 3g.20gb", 19.6), ("NVIDIA GeForce GT 710", 2.0)])
def test_a_slice_or_an_unknown_one_has_no_speed(driver: str, memory: float) -> None:
    found = recognised(driver, memory)
    assert (found.name, found.memory_gib, found.bf16_tflops) == (driver, memory, None)
