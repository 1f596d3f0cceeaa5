"""Operations of a training step for each token."""

from radgpt.config import Method, Training, Tuning
from radgpt.training.tuning.adapters import prepare_for_tuning
from radgpt.training.watching.flops import operations_per_token

SHAPE = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
BLOCK = 4 * 16 * 16 + 3 * 16 * 32 + 2 * 16
"""Weights of a block: attention, feed-forward, two norms."""


def network(tied=False):
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(**SHAPE, tie_word_embeddings=tied))


def test_full_training():
    # Two blocks, the last norm and the head; the embedding is looked up only.
    weights = 2 * BLOCK + 16 + 50 * 16
    assert operations_per_token(network(), [10, 10]) == 6 * weights + 12 * 2 * 16 * 10
    assert operations_per_token(network(tied=True), [10, 10]) == 6 * weights + 12 * 2 * 16 * 10


def test_tokens_meet_the_length_of_their_own_example():
    # A token of the longer example meets 30, one of the shorter 10: three to one.
    attention = operations_per_token(network(), [10, 30]) - operations_per_token(network(), [10])
    assert attention == 12 * 2 * 16 * (25 - 10)


def test_frozen_weights_take_no_gradient_of_their_own():
    tuning = Tuning(method=Method.lora, r=4, lora_alpha=8, lora_dropout=0.0)
    adapters = 2 * 2 * 4 * (16 + 16)  # on q_proj and v_proj of each block
    weights = 2 * BLOCK + 16 + 50 * 16
    tuned = prepare_for_tuning(network(), tuning, Training(gradient_checkpointing=False))
    assert operations_per_token(tuned, [10]) == 4 * weights + 6 * adapters + 12 * 2 * 16 * 10
