"""A conversation with a model: the system prompt and the report always stay, the oldest turns go when room runs out."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from radgpt.chat_format import prompt_ids
from radgpt.config import ChatPrompt
from radgpt.errors import UserError
from radgpt.inference.generation import Answerer, context_window, derived_seed, seeded
from radgpt.instructions.prompts import chat_messages

KEPT_SHARE = 0.6
"""Share of the room for turns that is filled again once it has run out: dropping several turns at once spares the next ones
the re-reading of the whole conversation, because what the model has read stays a prefix of what it reads next."""

INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Turn:
    """One question and its answer."""

    conversation: int
    """From 1; a reset and a new report start another."""
    turn: int
    """From 1 within the conversation."""
    report_sha256: str | None
    """Digest of the report that the conversation is about."""
    user: str
    assistant: str
    finish_reason: str
    """`stop`, `length` (no room was left) or `interrupted` (the user stopped it)."""
    new_tokens: int
    turns_in_view: int
    """Earlier turns of the conversation that the model still saw."""


class ChatSession:
    """Turns of one conversation after another with one model."""

    def __init__(self, answerer: Answerer, prompt: ChatPrompt) -> None:
        """Start an empty conversation.

        Raises:
            UserError: the decoding is beam search, which has no answer to show before its end.
        """
        if answerer.decoding.num_beams > 1:
            raise UserError(
                f"decoding.num_beams={answerer.decoding.num_beams} cannot be shown word by word; chat with decoding.num_beams=1"
            )
        self.transcript: list[Turn] = []
        self._answerer = answerer
        self._prompt = prompt
        self._report: str | None = None
        self._conversation = 1
        self._turn = 0
        self._history: list[tuple[str, str]] = []
        """(question, answer) of the turns that the model still sees."""
        self._read_ids: list[int] = []
        """Ids whose keys and values stand in `_cache`."""
        self._cache: Any = None

    def reset(self) -> None:
        """Forget all turns of the conversation and keep its report."""
        self._history = []
        if self._turn:
            self._conversation += 1
            self._turn = 0

    def open_report(self, report: str) -> None:
        """Start a conversation about a report."""
        self.reset()
        self._report = report

    def reply(self, message: str, write: Callable[[str], None], notice: Callable[[str], None]) -> Turn:
        """Answer a message.

        Args:
            message: what the user says.
            write: gets the answer piece by piece, as it grows.
            notice: gets a line if old turns had to go.

        Returns:
            The turn. KeyboardInterrupt while the answer grows ends the answer, not the session.

        Raises:
            UserError: the message does not fit beside system prompt and report; the conversation is as before.
        """
        window = context_window(self._answerer.model)
        history, ids = self._fit(message, window)
        if dropped := len(self._history) - len(history):
            what = "system prompt and report are kept" if self._report is not None else "the system prompt is kept"
            notice(f"the {dropped} oldest turn{'s' if dropped > 1 else ''} no longer fit{'s' if dropped == 1 else ''}; {what}")
        self._history = history
        limit = self._answerer.decoding.max_new_tokens
        new_ids, interrupted = self._generate(ids, limit if window is None else min(limit, window - len(ids)), write)

        answer = self._answerer.read(new_ids)
        self._turn += 1
        turn = Turn(
            conversation=self._conversation,
            turn=self._turn,
            report_sha256=None if self._report is None else hashlib.sha256(self._report.encode("utf-8", "surrogatepass")).hexdigest(),
            user=message,
            assistant=answer.text,
            finish_reason=INTERRUPTED if interrupted else answer.finish_reason,
            new_tokens=answer.new_tokens,
            turns_in_view=len(history),
        )
        self.transcript.append(turn)
        if answer.text or not interrupted:
            self._history.append((message, answer.text))
        return turn

    def messages(self, history: Sequence[tuple[str, str]], message: str) -> list[dict[str, str]]:
        """Chat messages of a conversation; the report stands in the first question that is left."""
        first = history[0][0] if history else message
        if self._report is not None:
            opening = chat_messages(self._prompt, self._report, first)
        else:
            system = self._prompt.system.strip()
            opening = [{"role": "system", "content": system}] if system else []
            opening.append({"role": "user", "content": first})
        later: list[dict[str, str]] = []
        for question, answer in history:
            later += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        later.append({"role": "user", "content": message})
        return opening + later[1:]

    def _fit(self, message: str, window: int | None) -> tuple[list[tuple[str, str]], list[int]]:
        """The turns that can stay, and the prompt's ids."""

        def ids_of(history: Sequence[tuple[str, str]]) -> list[int]:
            return prompt_ids(self._answerer.tokenizer, self.messages(history, message))

        history = list(self._history)
        ids = ids_of(history)
        if window is None:
            return history, ids
        # Leave room for an answer, but no more than half of the window.
        budget = max(window - self._answerer.decoding.max_new_tokens, window // 2)
        if len(ids) > budget:
            pinned = len(ids_of([]))
            if pinned >= window:
                raise UserError(
                    f"the message takes {pinned} tokens together with system prompt{' and report' if self._report is not None else ''}, "
                    f"and the model's window has {window}: shorten it, or load a shorter report"
                )
            goal = pinned + KEPT_SHARE * max(0, budget - pinned)
            while history and len(ids) > goal:
                history = history[1:]
                ids = ids_of(history)
        return history, ids

    def _generate(self, ids: list[int], max_new_tokens: int, write: Callable[[str], None]) -> tuple[list[int], bool]:
        """(new ids, whether the user stopped them); ids that the model has read before are not read again."""
        import torch

        device = self._answerer.model.device
        cache = self._cache_for(ids)
        # Until this call ends well, what stands in the cache is unknown.
        self._cache, self._read_ids = None, []
        streamer = streamer_to(self._answerer.tokenizer, write)
        interrupted = False
        try:
            with torch.inference_mode(), seeded(device, derived_seed(self._answerer.seed, self._conversation, self._turn)):
                self._answerer.model.generate(
                    input_ids=torch.tensor([ids], device=device),
                    attention_mask=torch.ones((1, len(ids)), dtype=torch.long, device=device),
                    generation_config=self._answerer.settings(max_new_tokens),
                    past_key_values=cache,
                    streamer=streamer,
                )
        except KeyboardInterrupt:
            interrupted = True
            streamer.end()
        except torch.OutOfMemoryError:
            raise UserError(f"a conversation of {len(ids)} tokens does not fit into the device's memory; start a new one") from None
        else:
            self._cache = cache
            # The last id was drawn but not read.
            self._read_ids = (ids + streamer.new_ids)[: cache.get_seq_length()]
        return streamer.new_ids, interrupted

    def _cache_for(self, ids: list[int]) -> Any:
        """Keys and values of the longest prefix of `ids` that was read before; at least one id is left to read."""
        from transformers import DynamicCache

        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(self._read_ids, ids[:-1], strict=False)))
        if self._cache is not None and shared:
            try:
                self._cache.crop(shared - len(self._read_ids))  # takes minus the number of ids to forget
                return self._cache
            except RuntimeError:
                pass  # layers with a sliding window have forgotten what would be needed
        return DynamicCache(config=self._answerer.model.config)


def streamer_to(tokenizer: Any, write: Callable[[str], None]) -> Any:
    """What `generate` tells each new token: it passes whole words on to `write` and keeps the ids in `new_ids`."""
    from transformers import TextStreamer

    class Words(TextStreamer):
        """Leaves the prompt and special tokens out, and white space before the first word."""

        def __init__(self) -> None:
            super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
            self.new_ids: list[int] = []
            self.started = False

        def put(self, value: Any) -> None:
            if not self.next_tokens_are_prompt:
                self.new_ids += value.flatten().tolist()
            super().put(value)  # type: ignore[no-untyped-call]

        def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
            text = text if self.started else text.lstrip()
            if text:
                self.started = True
                write(text)

    return Words()
