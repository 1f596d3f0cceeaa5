"""Draw the next token of each row: repetition penalty, temperature, top-k and top-p as in transformers, with randomness of its own."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from radgpt.chat_format import answer_end
from radgpt.config import Decoding
from radgpt.errors import UserError
from radgpt.inference.backend import LENGTH, STOP

if TYPE_CHECKING:
    import torch


def ends_of(model: Any, tokenizer: Any) -> list[int]:
    """Ids that end an answer: the model's own (chat models may have several), the tokenizer's, and the chat template's.

    The last is what training taught: it may differ from the others where a base model was trained on another's template.
    """
    own = model.generation_config.eos_token_id
    ids = {*(own if isinstance(own, list) else [own]), tokenizer.eos_token_id}
    # A template that training refuses may still be asked.
    with suppress(UserError):
        ids.add(answer_end(tokenizer))
    return sorted(token for token in ids if token is not None)


@dataclass(eq=False)
class Row:
    """An answer as it grows."""

    prompt: list[int]
    limit: int
    """The most tokens that it may get."""
    seed: int
    ends: frozenset[int]
    reference: list[int] = field(default_factory=list)
    """Ids of the answer that is held for right, if its likelihood is to be measured."""
    reference_nll: float | None = None
    """The negative log-likelihood of its ids, summed, in nats."""
    new: list[int] = field(default_factory=list)
    """Ids drawn so far, the one that ends the answer included."""
    seen: "torch.Tensor | None" = None
    """(vocabulary,), true for ids of the row; kept by `Draws`."""
    generator: "torch.Generator | None" = None
    """Kept by `Draws`."""

    @property
    def finish_reason(self) -> str | None:
        """`stop` or `length`; None while the answer grows."""
        if self.new and self.new[-1] in self.ends:
            return STOP
        return LENGTH if len(self.new) >= self.limit else None

    @property
    def text_ids(self) -> list[int]:
        """The ids drawn so far, without the one that ends the answer."""
        return self.new[:-1] if self.finish_reason == STOP else self.new


@dataclass(frozen=True)
class Draws:
    """Draws tokens as `decoding` says; what a row gets depends on its own tokens, seed and scores alone."""

    decoding: Decoding

    def draw(self, scores: "torch.Tensor", rows: Sequence[Row]) -> None:
        """Give each row its next id.

        The penalty counts a row's own tokens, prompt and answer: ids that only fill a batch up are no tokens of a row.

        Args:
            scores: (rows, vocabulary), float32, after each row's last token.
        """
        import torch

        if self.decoding.repetition_penalty != 1:
            seen = torch.stack([self._seen(row, scores) for row in rows])
            penalty = self.decoding.repetition_penalty
            scores = torch.where(seen, torch.where(scores < 0, scores * penalty, scores / penalty), scores)
        chosen = self._sampled(scores, rows) if self.decoding.do_sample else torch.argmax(scores, dim=-1).tolist()
        for row, token in zip(rows, chosen, strict=True):
            row.new.append(token)

    def _seen(self, row: Row, scores: "torch.Tensor") -> "torch.Tensor":
        """Which ids stand in a row."""
        import torch

        if row.seen is None:
            row.seen = torch.zeros(scores.shape[-1], dtype=torch.bool, device=scores.device)
            row.seen[torch.tensor(row.prompt + row.new, device=scores.device)] = True
        elif row.new:
            row.seen[row.new[-1]] = True
        return row.seen

    def _sampled(self, scores: "torch.Tensor", rows: Sequence[Row]) -> list[int]:
        """Draw by the inverse of the distribution function over ids in their order, with one uniform number of each row's generator."""
        import torch
        from transformers import TemperatureLogitsWarper, TopKLogitsWarper

        nothing: Any = None  # the warpers look at scores alone
        decoding = self.decoding
        if decoding.temperature != 1:
            scores = TemperatureLogitsWarper(float(decoding.temperature))(nothing, scores)
        candidates = scores.shape[-1]
        if decoding.top_k:
            scores = TopKLogitsWarper(decoding.top_k)(nothing, scores)
            # Equals at the last place all stay. Sorting these few instead of the vocabulary saves most of top-p's time.
            candidates = max(1, int(scores.isfinite().sum(-1).max()))
        scores, ids = torch.topk(scores, candidates)
        ids, order = ids.sort(dim=-1)
        scores = scores.gather(-1, order)
        if decoding.top_p < 1:
            scores = within(scores, decoding.top_p)
        reached = scores.softmax(-1).double().cumsum(-1).cpu()
        uniform = torch.stack([torch.rand((), generator=self._generator(row), dtype=torch.float64) for row in rows])
        # right: an id of probability 0 is never the first whose sum exceeds the number
        places = torch.searchsorted(reached, uniform[:, None] * reached[:, -1:], right=True).clamp_(max=candidates - 1)
        return ids.cpu().gather(-1, places)[:, 0].tolist()

    def _generator(self, row: Row) -> "torch.Generator":
        import torch

        if row.generator is None:
            row.generator = torch.Generator().manual_seed(row.seed)
        return row.generator


def within(scores: "torch.Tensor", top_p: float) -> "torch.Tensor":
    """Scores, (rows, candidates), with -inf for what transformers' TopPLogitsWarper removes.

    Which of several equals its sort, which is not stable, puts last depends on how many candidates other rows have; here those with lower
    places go first, and sums are float64, so that they do not depend on it either.
    """
    import torch

    ascending, order = scores.double().sort(dim=-1, stable=True)
    cut = ascending.softmax(-1).cumsum(-1) <= 1 - top_p
    cut[..., -1] = False
    return scores.masked_fill(torch.zeros_like(cut).scatter(-1, order, cut), -torch.inf)
