"""Add noise to input embeddings while training (NEFTune, arXiv 2310.05914)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def add_noise(network: "PreTrainedModel", alpha: float) -> None:
    """Let each embedding that `network` takes in training mode be moved by uniform noise of up to alpha / sqrt(length x width).

    `length` is that of the token's own example, padded or laid end to end with others (transformers' own hook takes the width of
    the batch, and so would give an example less noise the more company it has). In evaluation mode nothing is added, and nothing
    of it is saved. The noise comes from torch's generator, whose state the Trainer's checkpoints hold.
    """
    lengths: dict[str, Any] = {}

    def before(module: Any, args: Any, given: dict[str, Any]) -> None:
        lengths["of_tokens"] = example_lengths(given.get("attention_mask"), given.get("cu_seq_lens_q"), given.get("cu_seq_lens_k"))

    def after(module: Any, args: Any, embedded: "torch.Tensor") -> "torch.Tensor":
        import torch

        if not module.training:
            return embedded
        of_tokens = lengths.get("of_tokens")
        length = embedded.shape[1] if of_tokens is None else of_tokens[..., None].to(embedded.device)
        reach = alpha / (torch.as_tensor(length, device=embedded.device) * embedded.shape[-1]).sqrt()
        return embedded + torch.empty_like(embedded).uniform_(-1, 1) * reach.to(embedded.dtype)

    # peft calls the outer model's `forward` past its hooks; the decoder inside is called as a module.
    decoder: Any = network.get_decoder()  # type: ignore[no-untyped-call]
    decoder.register_forward_pre_hook(before, with_kwargs=True)
    network.get_input_embeddings().register_forward_hook(after)


def example_lengths(
    attention_mask: "torch.Tensor | None", bounds: "torch.Tensor | None", seen: "torch.Tensor | None"
) -> "torch.Tensor | None":
    """How long the example of each token is.

    Args:
        attention_mask: (rows, width), 1 on an example's tokens, of a padded batch.
        bounds: (segments + 1) from 0 to the number of tokens, of a flat one.
        seen: (segments + 1), the same with what a segment takes from others counted in: its example's whole length.

    Returns:
        Something that spreads over (rows, width), at least 1; None where the batch says neither: each row is an example.
    """
    if bounds is not None and seen is not None:
        return seen.diff().repeat_interleave(bounds.diff())[None]
    if attention_mask is not None and attention_mask.dim() == 2:
        return attention_mask.sum(1, keepdim=True).clamp(min=1)
    return None
