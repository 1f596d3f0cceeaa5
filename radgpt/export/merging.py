"""Load what was trained with its adapter apart, and merge the adapter into the base at full precision."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from radgpt.config import Method, Model
from radgpt.errors import UserError
from radgpt.models import add_adapter, base_of, explained, hub_options, load_base
from radgpt.origin import Origin

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def load_apart(checkpoint: Path, origin: Origin, model: Model, cache: Path) -> "PreTrainedModel":
    """What a training left, in evaluation mode on the CPU, an adapter beside its base rather than merged.

    The base is held in the number format that its weights are stored in, which is exact; never quantised, though the adapter may have
    been trained over a quantised one.

    Args:
        checkpoint: the folder that the training wrote.
        origin: its record.
        model: the base model's settings.
        cache: folder for converted models.

    Raises:
        UserError: the base cannot be loaded, or is published quantised.
    """
    base = base_of(checkpoint, origin, model, cache)
    network = load_base(model, base, stored_format(model, base))
    if origin.method == Method.lora.name:
        network = add_adapter(network, checkpoint, merge=False)
    return network.eval()  # type: ignore[no-untyped-call]


def stored_format(model: Model, base: str) -> "torch.dtype":
    """The number format that weights are stored in, as their config says; float32 where it says none.

    Raises:
        UserError: they are quantised, so that nothing can be merged into them.
    """
    import torch
    from transformers import AutoConfig

    with explained(model):
        config = AutoConfig.from_pretrained(base, **hub_options(model, base))
    if getattr(config, "quantization_config", None) is not None:
        raise UserError(
            f"model.name_or_path={model.name_or_path} is published quantised, and an adapter cannot be merged into such weights: "
            "train on the base that it was quantised from"
        )
    return config.get_text_config().dtype or torch.float32


def merge(network: "PreTrainedModel", dtype: "torch.dtype") -> "PreTrainedModel":
    """Merge an adapter (LoRA, DoRA, rsLoRA) into its base and cast all weights to `dtype`; a network without one is cast alone.

    Each layer is merged in float32 and rounded once. Beside the network itself, one layer in float32 is all that memory holds.
    """
    from peft import PeftModel
    from peft.tuners.tuners_utils import BaseTunerLayer

    if not isinstance(network, PeftModel):
        return network.to(dtype)  # type: ignore[arg-type]
    layers: list[Any] = [module for module in network.modules() if isinstance(module, BaseTunerLayer)]
    for layer in tqdm(layers, desc="merge", unit=" layers", disable=None):
        weight = layer.get_base_layer().weight
        weight.data = weight.data.float()
        layer.merge()
        weight.data = weight.data.to(dtype)
    with warnings.catch_warnings():
        # Every layer is merged by now; what is left to do is taking the adapter's modules away.
        warnings.filterwarnings("ignore", message="All adapters are already merged")
        merged: PreTrainedModel = network.merge_and_unload()
    return merged.to(dtype)
