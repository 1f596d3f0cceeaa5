"""A BERT of three layers and a few words, with fixed weights."""

from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] no the a is there effusion pneumothorax left right small . , ##s".split()  # noqa: SIM905


def save_tiny_bert(folder: Path) -> Path:
    """Write model and tokenizer into a folder."""
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    tiny_bert().save_pretrained(folder)
    return folder


def tiny_bert(seed: int = 0) -> BertModel:
    """The model, of random weights that tell words apart."""
    settings = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    model = BertModel(settings).eval()
    generator = torch.Generator().manual_seed(seed)
    for name, weights in model.named_parameters():
        if "LayerNorm" not in name:
            scale = 3.0 if "word" in name else 0.6
            weights.data = torch.randn(weights.shape, generator=generator) * scale
    return model
