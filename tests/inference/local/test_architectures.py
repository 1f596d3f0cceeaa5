"""Models of many families answer as `generate` lets them, whether our loop steps through them or not."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from asked_questions import answered, backend, generated, questions, streamed
from tiny_model import WORDS, greedy, tiny_model

from radgpt.inference.local.network import Network

SHAPE: dict[str, Any] = {
    "vocab_size": 381,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 4096,
}
WINDOWED = {"sliding_window": 24}
STEPPED = {
    "qwen3": {},
    "mistral": WINDOWED,
    "gemma3_text": {**WINDOWED, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]},
    "gpt_neox": {},
    "phi3": {"pad_token_id": 0, **WINDOWED},
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
}
GENERATED: dict[str, dict[str, Any]] = {
    "bloom": {"n_layer": 2, "n_head": 4, "tie_word_embeddings": False},
    "mamba": {"state_size": 4},
}


@cache
def model_of(family: str) -> Any:
    """A tiny model with random weights, scaled so that different tokens win."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    settings = SHAPE | (STEPPED | GENERATED)[family] | {"eos_token_id": tiny_model()[1].eos_token_id}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **settings)).eval()
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() == 2:
                weights.mul_(4)
    return model


@pytest.mark.parametrize("family", [*STEPPED, *GENERATED])
def test_answers_and_streams_are_those_of_generate(family: str, tmp_path: Path) -> None:
    model = model_of(family)
    assert Network(model).steps is (family in STEPPED)
    asked = questions(5, 3)
    expected = [generated(model, question.messages, max_new_tokens=10, do_sample=False) for question in asked]
    answers = answered(asked, greedy(10), tmp_path / "a.jsonl", batch_size=3, model=model)
    assert [(answer.text, answer.new_tokens) for answer in answers] == expected
    assert len(set(expected)) > 3 or family == "bloom"  # whose random weights look at the last token only
    _, reply = streamed(backend(model=model), asked[0].messages, greedy(10))
    assert (reply.text, reply.new_tokens) == expected[0]


@pytest.mark.parametrize("family", ["mistral", "gemma3_text"])
def test_a_sliding_window_does_not_keep_a_conversation_from_going_on(family: str) -> None:
    """transformers' caches forget what leaves the window, so that nothing can be taken back."""
    answering, model = backend(model=model_of(family)), model_of(family)
    messages = [{"role": "user", "content": " ".join(WORDS * 3)}]
    _, reply = streamed(answering, messages, greedy())
    assert reply.prompt_tokens > 5 * 24
    _, again = streamed(answering, messages, greedy())
    assert (again.text, again.cached_tokens) == (reply.text, reply.prompt_tokens - 1)
    later = [*messages, {"role": "assistant", "content": reply.text}, {"role": "user", "content": WORDS[1]}]
    _, third = streamed(answering, later, greedy())
    assert third.cached_tokens >= reply.prompt_tokens
    assert third.text == generated(model, later, max_new_tokens=12, do_sample=False)[0]
