"""Count the operations that training a token takes, for the share of a GPU's speed that is used (MFU)."""

from collections.abc import Sequence
from typing import Any


def operations_per_token(network: Any, lengths: Sequence[int]) -> float:
    """Floating-point operations that a training step needs for each token, recomputation left out.

    As PaLM's appendix B counts them (arXiv 2204.02311): 2 for each weight forward, 2 backward for the gradient of its input, and 2
    for its own gradient where it is trained, so 6 N for full training and 4 N beside adapters; and 12 L H Q T for attention, with L
    layers, H heads of size Q. T is the length that a token meets on average: its own example's. Input embeddings that are looked up
    only do not count.

    Args:
        network: the model with its adapters, not yet wrapped.
        lengths: tokens of each training example.
    """
    looked_up = {id(weight) for weight in network.get_input_embeddings().parameters()}
    head = network.get_output_embeddings()
    looked_up -= {id(weight) for weight in head.parameters()} if head is not None else set()
    counted = [weight for weight in network.parameters() if id(weight) not in looked_up]
    weights = sum(elements(weight) for weight in counted)
    trained = sum(elements(weight) for weight in counted if weight.requires_grad)
    config = network.config.get_text_config()
    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    met = sum(length * length for length in lengths) / sum(lengths)
    return 4.0 * weights + 2.0 * trained + 12.0 * config.num_hidden_layers * config.num_attention_heads * head_size * met


def elements(weight: Any) -> int:
    """Numbers in a weight, also where ZeRO-3 holds it elsewhere or bitsandbytes packs two to a byte."""
    if hasattr(weight, "ds_numel"):
        return int(weight.ds_numel)
    in_four_bits = type(weight).__name__ == "Params4bit" and weight.quant_state is not None
    return int(weight.numel() * (2 * weight.element_size() if in_four_bits else 1))
