"""Checkpoint folders as `stage=finetune` leaves them, with weights drawn at random so that an adapter changes much."""

from pathlib import Path
from typing import Any

from small_training import MODEL

from radgpt.config import Method, Model, Quantization
from radgpt.models import add_adapter, base_of, load_base, load_tokenizer, number_format
from radgpt.origin import TINY_BASE, Origin, refuse_other_base
from radgpt.training.tiny import make_tiny

WORDS = ["Answer from the report.", "There is a small left pleural effusion. No pneumothorax.", "Is there an effusion? Yes."]


def adapter_checkpoint(folder: Path, quantization: Quantization = Quantization.none, **lora: Any) -> Path:
    """A tiny base with an adapter (peft's LoraConfig) on all linear layers, every matrix of it random."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    make_tiny(MODEL, WORDS, seed=0, folder=folder / TINY_BASE)
    base = AutoModelForCausalLM.from_pretrained(folder / TINY_BASE, dtype=torch.float32)
    settings = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM"} | lora
    adapted = get_peft_model(base, LoraConfig(**settings))
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weights in adapted.named_parameters():
            if "lora_magnitude" in name:
                weights.mul_(1 + torch.rand_like(weights))
            elif "lora_" in name:
                weights.normal_(std=0.2)
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink()
    AutoTokenizer.from_pretrained(folder / TINY_BASE).save_pretrained(folder)
    Origin.of(MODEL, Method.lora, quantization).write(folder)
    return folder


def full_checkpoint(folder: Path) -> Path:
    """Full weights."""
    make_tiny(MODEL, WORDS, seed=2, folder=folder)
    Origin.of(MODEL, Method.full).write(folder)
    return folder


def load_trained(checkpoint: Path, model: Model, cache: Path) -> tuple[Any, Any]:
    """(network, tokenizer) of what `stage=finetune` or `stage=pretrain` left, loaded in a way of our own beside that of `inference`.

    An adapter is merged into a float32 base (logits agree to about 1e-4) and kept beside a shorter or quantised one.
    """
    import torch

    origin = Origin.read(checkpoint)
    refuse_other_base(origin, model, checkpoint)
    quantization, dtype = Quantization[origin.quantization], number_format(model)
    base = base_of(checkpoint, origin, model, cache)
    network = load_base(model, base, dtype, quantization)
    if origin.method == Method.lora.name:
        network = add_adapter(network, checkpoint, merge=dtype is torch.float32 and quantization is Quantization.none)
    return network.eval(), load_tokenizer(model, base if origin.method == Method.none.name else str(checkpoint))
