"""What people think of answers, one JSON line for each click, written at once and never changed."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

import orjson

from radgpt.inference.backend import Message
from radgpt.inference.chat.transcript import Turn

UP, DOWN, WITHDRAWN = "up", "down", "withdrawn"
"""What a thumb says."""
LEFT, TIE, RIGHT = "left", "tie", "right"
"""Which of two answers to the same question is the better one."""


class Feedback:
    """A file of ratings, open for appending; several threads may write to it."""

    def __init__(self, path: Path) -> None:
        """Open the file; it is for its owner alone, as the rated conversations stand in it."""
        self.path = path
        self.given = 0
        """How many ratings were appended."""
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = Lock()

    def __enter__(self) -> "Feedback":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._descriptor)

    def append(self, rating: str, answers: Mapping[str, tuple[Turn, list[Message]]]) -> None:
        """Add a rating; it outlives the process once this returns, and a later one of the same answers stands for it.

        Args:
            rating: a thumb, or which of two answers is better.
            answers: side (`left`, `right`) to the rated turn and the messages that it answers, system prompt and report among them.
        """
        row = {
            "rating": rating,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "answers": {side: answer_row(turn, messages) for side, (turn, messages) in answers.items()},
        }
        line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
        with self._lock:
            while line:
                line = line[os.write(self._descriptor, line) :]
            os.fsync(self._descriptor)
            self.given += 1


def answer_row(turn: Turn, messages: list[Message]) -> dict[str, Any]:
    """One rated answer: which of whose, how it was drawn, what it answers and what it says."""
    return {
        "session": turn.session,
        "conversation": turn.conversation,
        "turn": turn.turn,
        "attempt": turn.attempt,
        "model": turn.model,
        "decoding": turn.decoding,
        "seed": turn.seed,
        "report_sha256": turn.report_sha256,
        "finish_reason": turn.finish_reason,
        "turns_in_view": turn.turns_in_view,
        "messages": [*messages, {"role": "assistant", "content": turn.assistant}],
    }
