"""Make a tiny Llama with random weights and a tokenizer fit to the dataset: the whole line in seconds, for tests and demos."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from radgpt.config import Model
from radgpt.models import quieten

if TYPE_CHECKING:
    from transformers import LlamaConfig

POSITIONS = 8192
"""Longest input that the tiny model takes, in tokens."""

PAD, START, END = "<|pad|>", "<|start|>", "<|end|>"

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + '<|end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|end|>' }}{% endif %}"
    "{{ '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant\n' }}{% endif %}"
)
"""In the manner of ChatML; `generation` marks what is learned for other software that reads the tokenizer."""


def make_tiny(model: Model, texts: Iterable[str], seed: int, folder: Path, *, weights: bool = True) -> None:
    """Write a model and its tokenizer into a folder, as `from_pretrained` reads them.

    Args:
        model: `tiny_hidden_size`, `tiny_layers` and `tiny_vocab_size` give the shape.
        texts: what byte-level BPE merges are learned from (the tokenizer can spell any other text as well).
        seed: of the weights; the same settings, texts and seed give the same files.
        weights: whether to make them, or the model's config alone.
    """
    # Before the model's class is imported, and bitsandbytes with it, which tells what it lacks.
    quieten()
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast, set_seed

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=model.tiny_vocab_size, special_tokens=[PAD, START, END], initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=bpe, pad_token=PAD, eos_token=END, additional_special_tokens=[START]
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.model_max_length = POSITIONS
    tokenizer.save_pretrained(folder)

    set_seed(seed)
    config = tiny_config(model, len(tokenizer))
    config.pad_token_id, config.eos_token_id = tokenizer.pad_token_id, tokenizer.eos_token_id
    if not weights:
        config.save_pretrained(folder)
        return
    network = LlamaForCausalLM(config)
    network.save_pretrained(folder)


def tiny_config(model: Model, vocab_size: int | None = None) -> "LlamaConfig":
    """The config of the tiny model; `vocab_size`: that of its tokenizer, which may fall short of `model.tiny_vocab_size`."""
    import torch
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=vocab_size or model.tiny_vocab_size,
        hidden_size=model.tiny_hidden_size,
        intermediate_size=3 * model.tiny_hidden_size,
        num_hidden_layers=model.tiny_layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=True,
        bos_token_id=None,
        dtype=torch.float32,
    )
