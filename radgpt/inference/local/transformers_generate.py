"""Answer by transformers' own `generate`: beam search, and models that our loop cannot step through (Mamba, ALiBi and others)."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from radgpt.config import Decoding
from radgpt.inference.local.decoding import Draws, Row
from radgpt.inference.local.network import Network
from radgpt.inference.local.prefix_caches import Conversation
from radgpt.inference.local.reading import advance
from radgpt.inference.local.references import surprise

if TYPE_CHECKING:
    from transformers import GenerationConfig


def settings_for(decoding: Decoding, ends: Sequence[int], pad: int | None, max_new_tokens: int) -> "GenerationConfig":
    """`decoding` as transformers wants it; sampling settings are left out of greedy decoding, where they mean nothing."""
    from transformers import GenerationConfig

    sampling: dict[str, Any] = {}
    if decoding.do_sample:
        sampling = {name: getattr(decoding, name) for name in ("temperature", "top_p", "top_k")}
    return GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=max_new_tokens,
        do_sample=decoding.do_sample,
        num_beams=decoding.num_beams,
        repetition_penalty=decoding.repetition_penalty,
        eos_token_id=list(ends) or None,
        pad_token_id=pad if pad is not None else (*ends, 0)[0],
        **sampling,
    )


def plan(rows: Sequence[Row], size: int) -> Iterator[list[Row]]:
    """Group rows by length, longest first, so that little is padded and a batch too large fails at once.

    Rows share a batch only if they may get as many tokens: none then runs past the model's window, or is cut earlier than alone.
    """
    ordered = sorted(rows, key=lambda row: (-row.limit, -len(row.prompt)))
    for _, group in groupby(ordered, key=lambda row: row.limit):
        alike = list(group)
        yield from (alike[start : start + size] for start in range(0, len(alike), size))


def generate(
    network: Network,
    adapter: str | None,
    rows: Sequence[Row],
    decoding: Decoding,
    pad: int | None,
    stopped: Callable[[], bool] | None = None,
) -> None:
    """Answer rows together, padded on the left, and measure their references one by one.

    Args:
        rows: of one limit; sampled ones must come one by one, since all rows of a batch draw from one generator.
        pad: the tokenizer's padding id.
        stopped: asked after each token whether to end early.
    """
    import torch

    settings = settings_for(decoding, sorted(rows[0].ends), pad, rows[0].limit)
    width = max(len(row.prompt) for row in rows)
    # Both (batch, width): ids stand at the right end, so that all answers start in the same column; the mask is 1 on them.
    ids = torch.tensor([[settings.pad_token_id] * (width - len(row.prompt)) + row.prompt for row in rows])
    mask = torch.tensor([[0] * (width - len(row.prompt)) + [1] * len(row.prompt) for row in rows])
    device = network.device
    criteria = None if stopped is None else [lambda ids, scores, **_: torch.full((len(ids),), stopped(), device=ids.device)]
    with network.turn(adapter), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(rows[0].seed)
        output = network.core.generate(
            input_ids=ids.to(device), attention_mask=mask.to(device), generation_config=settings, stopping_criteria=criteria
        )
        for row, new in zip(rows, output[:, width:].tolist(), strict=True):
            # What follows the first id that ends an answer is padding.
            length = next((place + 1 for place, token in enumerate(new) if token in row.ends), None)
            row.new = new[:length]
            if row.reference:
                whole = row.prompt + row.reference[:-1]
                scores = network.core(input_ids=torch.tensor([whole], device=device)).logits[0, len(row.prompt) - 1 :]
                row.reference_nll = surprise(scores.float(), row.reference)


def generate_all(
    network: Network, adapter: str | None, rows: Sequence[Row], decoding: Decoding, pad: int | None, size: int
) -> Iterator[Row]:
    """Yield each row when it has ended; at most `size` are answered together."""
    for batch in plan(rows, 1 if decoding.do_sample else size):
        generate(network, adapter, batch, decoding, pad)
        yield from batch


def answer_alone(network: Network, row: Row, decoding: Decoding, pad: int | None) -> None:
    """Answer one row, with the adapter that is in use, by whatever way the model allows."""
    adapter = network.in_use
    if decoding.num_beams > 1 or not network.steps:
        return generate(network, adapter, [row], decoding, pad)
    conversation, draws = Conversation([], network.new_cache(1, rows=1)), Draws(decoding)
    while row.finish_reason is None:
        advance(network, adapter, conversation, row, draws)
