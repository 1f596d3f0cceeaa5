"""Choose what of a model is trained: all its weights, or low-rank adapters beside frozen ones."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgpt.config import Method, Training, Tuning, refuse
from radgpt.errors import UserError
from radgpt.quantization import refuse_dora
from radgpt.training.tuning.embedding_noise import add_noise

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ADAPTER_FILE = "adapter_model.safetensors"
ADAPTER_SETTINGS = ("r", "lora_alpha", "use_dora", "use_rslora")
"""What an adapter's weights mean nothing without; dropout and the choice of modules may be said in other ways."""


def prepare_for_tuning(network: "PreTrainedModel", tuning: Tuning, training: Training, adapter: Path | None = None) -> Any:
    """Put adapters beside the weights where asked for, and make noise and checkpointing work.

    New adapters get random weights from torch's generator (seed it first) such that the model computes at first what it did without.
    They are float32, whatever the base is; the base keeps its number format in every part, so that what is trained is what is
    later evaluated. (peft's `prepare_model_for_kbit_training` would hold all that is not quantised in float32: the norms compute
    in it anyway, and a head over 150,000 tokens would take gigabytes.)

    Args:
        network: the base model, quantised or not.
        adapter: folder of an earlier adapter to go on with.

    Raises:
        UserError: the model has no modules of the names in `tuning.target_modules`, or the earlier adapter is of another shape.
    """
    tuned: Any = network
    if training.neftune_noise_alpha:
        add_noise(network, training.neftune_noise_alpha)
    if tuning.method is Method.lora:
        refuse_dora(tuning.quantization, tuning.use_dora)
        tuned = with_adapters(network, tuning)
        if adapter is not None:
            take_over(tuned, tuning, adapter)
    if training.gradient_checkpointing:
        # Recomputed blocks pass gradients on only if their input asks for some, and a frozen embedding's output does not.
        tuned.enable_input_require_grads()
    return tuned


def with_adapters(network: "PreTrainedModel", tuning: Tuning) -> Any:
    """The model with new adapters (LoRA, arXiv 2106.09685, and its variants) as peft makes them; all else is frozen."""
    from peft import LoraConfig, get_peft_model

    targets: Any = "all-linear" if tuning.target_modules == ["all-linear"] else tuning.target_modules
    settings = LoraConfig(
        r=tuning.r or 0,
        lora_alpha=tuning.lora_alpha or 0,
        lora_dropout=tuning.lora_dropout or 0.0,
        target_modules=targets,
        use_dora=tuning.use_dora,
        use_rslora=tuning.use_rslora,
        task_type="CAUSAL_LM",
    )
    try:
        tuned = get_peft_model(network, settings)
    except ValueError as error:
        raise UserError(
            f"tuning.target_modules={tuning.target_modules}: {str(error).splitlines()[0]}; give names of the model's linear "
            "modules, or [all-linear]"
        ) from None
    # Otherwise each save asks the hub whether the base's vocabulary has changed. The finished checkpoint names its base.
    tuned.peft_config["default"].base_model_name_or_path = ""
    return tuned


def take_over(tuned: Any, tuning: Tuning, folder: Path) -> None:
    """Give new adapters the weights of an earlier one, which must be of the same shape and scale.

    Raises:
        UserError: it is not.
    """
    from peft import get_peft_model_state_dict, set_peft_model_state_dict
    from safetensors.torch import load_file

    earlier = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    for name in ADAPTER_SETTINGS:
        chosen, has = getattr(tuning, name), earlier.get(name, False)
        refuse(
            chosen != has,
            f"tuning.{name}={shown(chosen)}: the adapter in {folder} has {name} {shown(has)}, and training can only go on with that; "
            f"set tuning.{name}={shown(has)}",
        )
    weights, expected = load_file(folder / ADAPTER_FILE), get_peft_model_state_dict(tuned)
    if weights.keys() != expected.keys():
        raise UserError(
            f"tuning.target_modules={tuning.target_modules}: the adapter in {folder} stands on other modules; "
            f"set tuning.target_modules={modules_of(earlier)}"
        )
    if any(weights[name].shape != expected[name].shape for name in weights):
        raise UserError(f"model.name_or_path: the adapter in {folder} is of another width than the model; it was trained on another base")
    set_peft_model_state_dict(tuned, weights)


def modules_of(settings: dict[str, Any]) -> str:
    """`target_modules` of an adapter_config.json, as one types it."""
    modules = settings["target_modules"]
    return f"[{','.join(sorted(modules)) if isinstance(modules, list) else modules}]"


def shown(value: Any) -> str:
    """A setting's value as one types it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
