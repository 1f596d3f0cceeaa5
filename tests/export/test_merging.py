"""Merging rounds once, in float32, whatever the base is held in."""

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from small_training import MODEL
from trained_checkpoints import adapter_checkpoint
from transformers import AutoModelForCausalLM, AutoTokenizer

from radgpt.config import Model, ModelSource, Quantization
from radgpt.errors import UserError
from radgpt.export.merging import load_apart, merge, stored_format
from radgpt.origin import TINY_BASE, Origin


def test_an_adapter_stays_beside_its_base_until_it_is_merged(tmp_path: Path) -> None:
    checkpoint = adapter_checkpoint(tmp_path / "checkpoint")
    apart = load_apart(checkpoint, Origin.read(checkpoint), MODEL, tmp_path)
    assert isinstance(apart, PeftModel) and not apart.training
    merged = merge(apart, torch.float32)
    assert not isinstance(merged, PeftModel)
    assert not [name for name, _ in merged.named_modules() if "lora" in name]


@pytest.mark.parametrize("wanted", [torch.float16, torch.bfloat16, torch.float32])
def test_weights_are_rounded_once(wanted: torch.dtype, tmp_path: Path) -> None:
    checkpoint = adapter_checkpoint(tmp_path / "checkpoint", r=4, lora_alpha=8)
    base = AutoModelForCausalLM.from_pretrained(checkpoint / TINY_BASE, dtype=torch.float16)
    name = "model.layers.0.self_attn.q_proj.weight"
    held = base.state_dict()[name].clone()
    network = PeftModel.from_pretrained(base, checkpoint)
    adapter = {key: value for key, value in network.state_dict().items() if "q_proj.lora" in key}
    a, b = (next(value for key, value in adapter.items() if part in key) for part in ("lora_A", "lora_B"))
    exact = held.double() + 8 / 4 * (b.double() @ a.double())
    merged = merge(network, wanted).state_dict()[name]
    assert merged.dtype is wanted
    # Half a unit in the last place, and what float32 itself leaves open.
    assert (merged.double() - exact).abs().max() <= exact.abs().max() * torch.finfo(wanted).eps / 2 + 1e-7


def test_a_network_without_an_adapter_is_cast() -> None:
    layer = torch.nn.Linear(2, 2)
    assert merge(layer, torch.bfloat16).weight.dtype is torch.bfloat16


def local(folder: Path) -> Model:
    return Model(source=ModelSource.hub, name_or_path=str(folder))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_the_format_is_that_of_the_file(dtype: torch.dtype, tmp_path: Path) -> None:
    checkpoint = adapter_checkpoint(tmp_path / "checkpoint")
    AutoModelForCausalLM.from_pretrained(checkpoint / TINY_BASE).to(dtype).save_pretrained(tmp_path / "base")
    assert stored_format(local(tmp_path / "base"), str(tmp_path / "base")) is dtype


def test_a_base_that_is_published_quantised_is_refused(tmp_path: Path) -> None:
    checkpoint = adapter_checkpoint(tmp_path / "checkpoint")
    config = AutoModelForCausalLM.from_pretrained(checkpoint / TINY_BASE).config
    config.quantization_config = {"quant_method": "gptq", "bits": 4}
    config.save_pretrained(tmp_path / "base")
    AutoTokenizer.from_pretrained(checkpoint).save_pretrained(tmp_path / "base")
    with pytest.raises(UserError, match=r"model\.name_or_path=.*base is published quantised"):
        stored_format(local(tmp_path / "base"), str(tmp_path / "base"))


def test_the_base_is_not_quantised_though_training_was(tmp_path: Path) -> None:
    checkpoint = adapter_checkpoint(tmp_path / "checkpoint", Quantization.int8)
    origin = Origin.read(checkpoint)
    assert origin.quantization == "int8"
    weights = load_apart(checkpoint, origin, MODEL, tmp_path).get_base_model().model.layers[0].self_attn.q_proj.base_layer.weight
    assert weights.dtype is torch.float32
