"""A tiny random Llama in memory, with the settings that tests of prediction and chat share."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from radgpt.config import Decoding, Model, ModelSource

WORDS = [
    "No pneumothorax is seen. The lungs are clear.",
    "There is a small left pleural effusion, 4.5 cm.",
    "What does this report conclude? Is there a fracture?",
    "You read radiology reports. FINDINGS: IMPRESSION: unchanged.",
]

TINY = Model(source=ModelSource.tiny, name_or_path="tiny", tiny_hidden_size=32, tiny_layers=2, tiny_vocab_size=400)


@cache
def tiny_model() -> tuple[Any, Any]:
    """(model, tokenizer) with the chat template of `model=tiny`, in float32 on the CPU."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from radgpt.training.tiny import make_tiny

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        make_tiny(TINY, WORDS, seed=0, folder=Path(folder))
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        # Random weights of the usual size give nearly even scores, so that one token wins everywhere.
        with torch.no_grad():
            for weights in model.parameters():
                if weights.dim() == 2:
                    weights.mul_(6)
        return model, AutoTokenizer.from_pretrained(folder)


def greedy(max_new_tokens: int = 12, repetition_penalty: float = 1.0) -> Decoding:
    """The likeliest token each time."""
    return Decoding(
        max_new_tokens=max_new_tokens, do_sample=False, temperature=1.0, top_p=1.0, top_k=50, repetition_penalty=repetition_penalty
    )


def sampled(max_new_tokens: int = 12) -> Decoding:
    """Sampling as in conf/decoding/default.yaml."""
    return Decoding(max_new_tokens=max_new_tokens)
