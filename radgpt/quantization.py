"""Hold the frozen base of adapters in 8 or 4 bits, by bitsandbytes, where the device and the other settings allow it."""

import importlib.util
from typing import TYPE_CHECKING, Any

from radgpt.config import DeepSpeed, Quantization, Training, Tuning, refuse
from radgpt.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import BitsAndBytesConfig

LEAST_CAPABILITY = {Quantization.int8: (7, 5), Quantization.nf4: (6, 0)}
"""Compute capability that a GPU of NVIDIA needs (bitsandbytes 0.50's installation guide)."""


def quantization_config(quantization: Quantization, computes_in: "torch.dtype") -> "BitsAndBytesConfig | None":
    """What `from_pretrained` takes to quantise linear layers, but for the head, while it reads them; None for none.

    Args:
        computes_in: what 4-bit weights are expanded to for each product; 8-bit ones are multiplied as integers, whatever it is,
            with activations above 6 apart from them in 16 bits (both as the papers do). On a CPU bitsandbytes 0.50 does so in
            evaluation only: while training it rounds no activations, so that losses of the two differ a little.

    Raises:
        UserError: bitsandbytes is not installed, or cannot use this device.
    """
    refuse_missing(quantization)
    if quantization is Quantization.none:
        return None
    from transformers import BitsAndBytesConfig

    if quantization is Quantization.int8:
        return BitsAndBytesConfig(load_in_8bit=True)  # type: ignore[no-untyped-call]
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=computes_in
    )


def refuse_missing(quantization: Quantization) -> None:
    """Raise UserError where weights are to be quantised, and bitsandbytes is missing, broken or too new for the GPU."""
    if quantization is Quantization.none:
        return
    setting = f"tuning.quantization={quantization.name}"
    refuse(importlib.util.find_spec("bitsandbytes") is None, f"{setting} needs bitsandbytes: pip install 'radgpt[quantization]'")
    import torch
    from transformers.integrations.bitsandbytes import validate_bnb_backend_availability

    if torch.cuda.is_available() and torch.version.hip is None:
        least, has = LEAST_CAPABILITY[quantization], torch.cuda.get_device_capability()
        refuse(
            has < least,
            f"{setting} needs a GPU of compute capability {least[0]}.{least[1]} or above, and this one has {has[0]}.{has[1]}; "
            "choose tuning.quantization=none, or another GPU",
        )
    try:
        validate_bnb_backend_availability(raise_exception=True)  # type: ignore[no-untyped-call]
    except (ImportError, RuntimeError) as error:
        raise UserError(
            f"{setting} cannot be had on this device: {str(error).splitlines()[0]} Choose tuning.quantization=none, or mend the "
            "installation of bitsandbytes (python -m bitsandbytes tells what it finds)"
        ) from None


def keep_layout(network: Any) -> None:
    """Let 4-bit weights on a CPU stay as they are when the model is evaluated; nothing happens where there are none.

    bitsandbytes 0.50 packs them anew for CPUs with AVX-512 BF16 at the first evaluation. Its product with packed weights gives no
    gradient, so that all training after it would silently go wrong, and peft's DoRA reads them as if they were not packed.
    """
    from bitsandbytes.nn.modules import Linear4bit

    for module in network.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def refuse_dora(quantization: Quantization, use_dora: bool) -> None:
    """Raise UserError for DoRA over 8 bits on a CPU, where peft 0.21 loses the weights' scales when it measures their norms."""
    import torch

    refuse(
        use_dora and quantization is Quantization.int8 and not torch.cuda.is_available(),
        "tuning.use_dora=true cannot stand on tuning.quantization=int8 on a CPU; choose tuning.quantization=nf4 or none, or a GPU",
    )


def refuse_sharded(tuning: Tuning, training: Training, deepspeed: DeepSpeed) -> None:
    """Raise UserError where a quantised base would have to be cut into pieces, which its packed weights are not made for."""
    setting = f"tuning.quantization={tuning.quantization.name}"
    if tuning.quantization is Quantization.none:
        return
    refuse(
        deepspeed.enabled and deepspeed.zero_optimization.stage == 3,
        f"{setting} cannot be sharded by ZeRO-3; choose deepspeed=zero2 or none, each GPU holding the whole quantised base",
    )
    refuse(training.fsdp, f"{setting} cannot be sharded by training.fsdp=true; leave that out, each GPU holding the whole quantised base")
