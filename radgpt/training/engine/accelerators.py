"""Memory and speed of the GPUs that models are trained on, from their makers' data sheets."""

import difflib
import re
from dataclasses import dataclass, replace

from radgpt.errors import UserError


@dataclass(frozen=True)
class Accelerator:
    """One device as torch sees it."""

    name: str
    """As `preflight.gpu` takes it."""
    memory_gib: float
    """What the driver offers in all, in GiB: less than the memory in a name, by error correction and what firmware keeps."""
    bf16_tflops: float | None
    """Dense matrix products in bfloat16, or float16 where there is no bfloat16, summed in float32, in 1e12 operations a second by the
    data sheet; None: not known."""


KNOWN = {
    accelerator.name: accelerator
    for accelerator in (
        # NVIDIA V100 and T4 data sheets (float16; neither has bfloat16).
        Accelerator("V100-16GB", 15.8, 125.0),
        Accelerator("V100-32GB", 31.7, 125.0),
        Accelerator("T4", 14.6, 65.0),
        # NVIDIA A100, A800, A30, A40, A10 and A10G data sheets.
        Accelerator("A100-40GB", 39.4, 312.0),
        Accelerator("A100-80GB", 79.1, 312.0),
        Accelerator("A800-80GB", 79.1, 312.0),
        Accelerator("A30", 23.5, 165.0),
        Accelerator("A40", 44.4, 149.7),
        Accelerator("A10", 22.0, 125.0),
        Accelerator("A10G", 22.0, 70.0),
        # NVIDIA L4, L40 and L40S data sheets; those that print sparse rates halved.
        Accelerator("L4", 22.0, 121.0),
        Accelerator("L40", 44.4, 181.0),
        Accelerator("L40S", 44.4, 362.0),
        # NVIDIA H100, H200 and GH200 data sheets, sparse rates halved.
        Accelerator("H100-80GB", 79.1, 989.4),
        Accelerator("H100-PCIe", 79.1, 756.0),
        Accelerator("H100-NVL", 93.0, 835.5),
        Accelerator("H200", 139.8, 989.4),
        Accelerator("H200-NVL", 139.8, 835.5),
        Accelerator("GH200-96GB", 94.5, 989.4),
        # NVIDIA HGX B200, GB200 NVL72 and HGX B300 data sheets, sparse rates halved and divided by the GPUs.
        Accelerator("B200", 178.3, 2250.0),
        Accelerator("GB200", 184.0, 2500.0),
        Accelerator("B300", 267.7, 2250.0),
        # NVIDIA GA102, Ada and Blackwell architecture white papers: rates with float32 sums.
        Accelerator("RTX-3090", 23.7, 71.0),
        Accelerator("RTX-4080", 15.7, 97.5),
        Accelerator("RTX-4090", 23.6, 165.2),
        Accelerator("RTX-5090", 31.4, 209.5),
        Accelerator("RTX-A5000", 23.7, 111.1),
        Accelerator("RTX-A6000", 47.5, 154.8),
        Accelerator("RTX-6000-Ada", 47.5, 364.2),
        Accelerator("RTX-PRO-6000", 95.0, 503.8),
        # AMD Instinct data sheets; an MI250X or MI250 is two devices to torch, each half of the module.
        Accelerator("MI210", 64.0, 181.0),
        Accelerator("MI250", 64.0, 181.0),
        Accelerator("MI250X", 64.0, 191.5),
        Accelerator("MI300X", 192.0, 1307.4),
        Accelerator("MI325X", 256.0, 1307.4),
        Accelerator("MI355X", 288.0, 2516.6),
    )
}

WORDS_OF_NO_WEIGHT = {
    *("nvidia", "tesla", "geforce", "amd", "instinct", "quadro", "graphics", "generation", "gpu", "blackwell", "workstation", "server"),
    *("edition", "sxm", "sxm2", "sxm3", "sxm4", "sxm5", "hbm2", "hbm2e", "hbm3", "hbm3e", "oam"),
}
"""Makers, product lines and sockets, which drivers and people add to a name."""


def spelt(name: str) -> tuple[str, int | None]:
    """A GPU's name without what does not tell it from others, and the GB in it: `NVIDIA A100-SXM4-80GB` gives (`a100`, 80)."""
    model, size = "", None
    for word in re.findall(r"[a-z0-9]+", re.sub(r"(\d) +(gi?b?)\b", r"\1\2", name.lower())):
        if memory := re.fullmatch(r"(\d{2,3})(gi?b?)?", word):
            size = int(memory[1])
        elif word not in WORDS_OF_NO_WEIGHT:
            model += word
    return model.removeprefix("rtx"), size


def called(model: str) -> list[Accelerator]:
    """Known GPUs of a name as `spelt` gives it; one that is not told apart by its socket may carry `pcie`."""
    found = [accelerator for accelerator in KNOWN.values() if spelt(accelerator.name)[0] == model]
    return found or ([] if not model.endswith("pcie") else called(model.removesuffix("pcie")))


def find(name: str) -> Accelerator:
    """The GPU that a name means; case, spaces, makers' words and, where there is but one, the size of its memory make no difference.

    Raises:
        UserError: none or several are meant, with those that are nearest.
    """
    model, size = spelt(name)
    found = [each for each in called(model) if size is None or 0.85 <= each.memory_gib / size <= 1.05]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(f"preflight.gpu={name} may be {' or '.join(each.name for each in found)}; say which")
    names = {spelt(known)[0]: [each.name for each in called(spelt(known)[0])] for known in KNOWN}
    near = [known for spelling in difflib.get_close_matches(model, names, n=3, cutoff=0.5) for known in names[spelling]]
    raise UserError(
        f"preflight.gpu={name} is no GPU of a known data sheet; {'nearest are' if near else 'known are'} {', '.join(near or KNOWN)}"
    )


def this_accelerator() -> Accelerator | None:
    """This process's GPU, with the memory that its driver reports; None on a CPU. Its speed is None unless the data sheet is known."""
    import torch

    if not torch.cuda.is_available():
        return None
    properties = torch.cuda.get_device_properties(torch.cuda.current_device())
    return recognised(torch.cuda.get_device_name(), properties.total_memory / 2**30)


def recognised(device_name: str, memory_gib: float) -> Accelerator:
    """The GPU that a driver's name and memory stand for; a slice of one (MIG) or an unknown one has no speed."""
    for accelerator in called(spelt(device_name)[0]):
        if 0.93 <= accelerator.memory_gib / memory_gib <= 1.07:
            return replace(accelerator, memory_gib=memory_gib)
    return Accelerator(device_name, memory_gib, None)
