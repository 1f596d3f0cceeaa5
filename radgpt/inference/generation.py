"""Answer many prompts with a causal language model, in left-padded batches of similar length."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

from radgpt.chat_format import answer_end
from radgpt.config import Decoding
from radgpt.errors import UserError
from radgpt.records import canonical_digest

if TYPE_CHECKING:
    import torch
    from transformers import GenerationConfig


@dataclass(frozen=True)
class Batch:
    """Prompts that are decoded together."""

    rows: tuple[int, ...]
    """Their positions in the list of prompts, longest prompt first."""
    max_new_tokens: int
    """Room for each answer: `decoding.max_new_tokens`, or what the longest prompt leaves of the model's window."""


@dataclass(frozen=True)
class Answer:
    """What a model made of one prompt."""

    text: str
    finish_reason: str
    """`stop` (the model ended its turn) or `length` (no room was left)."""
    new_tokens: int
    """Tokens generated, the one that ends the turn included."""


def plan_batches(lengths: Sequence[int], batch_size: int, max_new_tokens: int, window: int | None) -> tuple[list[Batch], list[int]]:
    """Group prompts by length (in tokens), longest first, so that little is padded and a batch too large fails at once.

    Prompts share a batch only if they leave the same room for an answer: a row then neither runs past the model's window
    nor is cut earlier than it would be alone.

    Returns:
        The batches, and the positions of prompts that leave no room for a single token in a window of `window` tokens.
    """
    room = [max_new_tokens if window is None else min(max_new_tokens, window - length) for length in lengths]
    overlong = [row for row, tokens in enumerate(room) if tokens < 1]
    order = sorted((row for row, tokens in enumerate(room) if tokens > 0), key=lambda row: (-lengths[row], row))
    batches = []
    for tokens, group in groupby(order, key=lambda row: room[row]):
        rows = list(group)
        batches += [Batch(tuple(rows[start : start + batch_size]), tokens) for start in range(0, len(rows), batch_size)]
    return batches, overlong


@dataclass(frozen=True)
class Answerer:
    """A model with all that its answers depend on."""

    model: Any
    tokenizer: Any
    decoding: Decoding
    seed: int

    @cached_property
    def ends(self) -> list[int]:
        """Ids that end an answer: the model's own (chat models may have several), the tokenizer's, and the chat template's.

        The last is what training taught: it may differ from the others where a base model was trained on another's template.
        """
        own = self.model.generation_config.eos_token_id
        ids = {*(own if isinstance(own, list) else [own]), self.tokenizer.eos_token_id}
        # A template that training refuses may still be asked.
        with suppress(UserError):
            ids.add(answer_end(self.tokenizer))
        return sorted(token for token in ids if token is not None)

    def settings(self, max_new_tokens: int) -> "GenerationConfig":
        """`decoding` as transformers wants it; sampling settings are left out of greedy decoding, where they mean nothing."""
        from transformers import GenerationConfig

        pad = self.tokenizer.pad_token_id
        sampling: dict[str, Any] = {}
        if self.decoding.do_sample:
            sampling = {name: getattr(self.decoding, name) for name in ("temperature", "top_p", "top_k")}
        return GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=max_new_tokens,
            do_sample=self.decoding.do_sample,
            num_beams=self.decoding.num_beams,
            repetition_penalty=self.decoding.repetition_penalty,
            eos_token_id=self.ends or None,
            pad_token_id=pad if pad is not None else (self.ends or [0])[0],
            **sampling,
        )

    def answer(self, names: Sequence[str], prompts: Sequence[list[int]], max_new_tokens: int) -> list[Answer]:
        """Answer prompts (token ids, the generation prompt included) together; `names` are their rows' ids.

        In float32, greedy answers do not depend on which prompts share the batch. Sampled ones follow from the seed and the names.
        """
        import torch

        settings = self.settings(max_new_tokens)
        device = self.model.device
        width = max(map(len, prompts))
        # Both (batch, width): ids stand at the right end, so that all answers start in the same column; the mask is 1 on them.
        ids = torch.full((len(prompts), width), settings.pad_token_id)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
        with torch.inference_mode(), seeded(device, derived_seed(self.seed, *names)):
            output = self.model.generate(input_ids=ids.to(device), attention_mask=mask.to(device), generation_config=settings)
        return [self.read(row) for row in output[:, width:].tolist()]

    def read(self, new_ids: list[int]) -> Answer:
        """The answer in generated ids; what follows the first id that ends it is padding."""
        length = next((position + 1 for position, token in enumerate(new_ids) if token in self.ends), None)
        kept = new_ids[:length]
        return Answer(self.tokenizer.decode(kept, skip_special_tokens=True).strip(), "length" if length is None else "stop", len(kept))

    def key(self, names: Sequence[str], prompts: Sequence[list[int]], max_new_tokens: int) -> str:
        """SHA-256 of all that the answers depend on, given the model."""
        return canonical_digest([names, prompts, max_new_tokens, asdict(self.decoding), self.seed])


def context_window(model: Any) -> int | None:
    """Tokens that the model's positions reach, prompt and answer together; None where its config sets no end."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None)


@contextmanager
def seeded(device: "torch.device", seed: int) -> Iterator[None]:
    """Draw from `seed` inside the block; the state of torch's generators outside is left as it was."""
    import torch

    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def derived_seed(seed: int, *names: str | int) -> int:
    """A seed (63 bits) for one piece of work, the same wherever and in whatever order it is done."""
    return int(canonical_digest([seed, *names])[:16], 16) >> 1
