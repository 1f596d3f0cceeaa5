"""Put a streamed reply together from what an endpoint sends, where every field may be missing or of another kind."""

from collections.abc import Mapping
from typing import Any

from radgpt.inference.backend import LENGTH, STOP, Reply
from radgpt.teacher.completions import Completion, mapping, whole, words
from radgpt.teacher.estimates import CHARACTERS_PER_TOKEN
from radgpt.teacher.transports import LostError

FILTERED = "content_filter"


class Pieces:
    """What has come of one reply."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._finish: str | None = None
        self._usage: Mapping[str, Any] = {}

    def __len__(self) -> int:
        """Pieces with text; of most servers each is one token."""
        return len(self._texts)

    @property
    def counted(self) -> bool:
        """Whether the endpoint has said how many tokens it took."""
        return whole(self._usage.get("prompt_tokens")) > 0

    def take(self, event: Mapping[str, Any]) -> str:
        """The text in one event of the stream; empty where there is none, as in the last ones.

        Raises:
            LostError: the endpoint says that it failed.
        """
        if event.get("error"):
            raise LostError("the server reports an error")
        if usage := mapping(event.get("usage")):
            self._usage = usage
        choices = event.get("choices")
        choice = mapping(choices[0]) if isinstance(choices, list) and choices else {}
        self._finish = words(choice.get("finish_reason")) or self._finish
        delta = mapping(choice.get("delta"))
        text = words(delta.get("content")) or words(delta.get("refusal")) or ""
        if text:
            self._texts.append(text)
        return text

    def take_whole(self, completion: Completion) -> str:
        """The text of a reply that came in one piece."""
        usage = {"prompt_tokens": completion.prompt_tokens, "completion_tokens": completion.completion_tokens}
        return self.take({"choices": [{"delta": {"content": completion.text}, "finish_reason": completion.finish_reason}], "usage": usage})

    def reply(self, prompt_tokens: int, finish_reason: str | None = None) -> Reply:
        """The reply as far as it has come.

        Args:
            prompt_tokens: an estimate of them, for endpoints that do not count.
            finish_reason: None: the endpoint's.
        """
        text = "".join(self._texts)
        finish = self._finish if self._finish in (LENGTH, FILTERED) else STOP
        estimate = max(len(self._texts), round(len(text) / CHARACTERS_PER_TOKEN))
        return Reply(
            text,
            finish_reason or finish,
            prompt_tokens=whole(self._usage.get("prompt_tokens")) or prompt_tokens,
            cached_tokens=whole(mapping(self._usage.get("prompt_tokens_details")).get("cached_tokens")),
            new_tokens=whole(self._usage.get("completion_tokens")) or estimate,
        )
