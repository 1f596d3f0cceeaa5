"""What was said in a chat and under which settings, one JSON line for each event, written at once and never changed."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

import orjson

from radgpt.inference.backend import NamedModel
from radgpt.records import as_row

ASKED, RETRIED, EDITED, UNDONE = "asked", "retried", "edited", "undone"
"""What happened: a message was answered; the last one was answered again; a past one was replaced and answered, which forgets what came
after it; the last turn was taken back."""


@dataclass(frozen=True)
class Turn:
    """One message and its answer, or that a turn was taken back."""

    session: str
    """Which of several sessions at once, such as the tabs of a browser; empty in the terminal."""
    conversation: int
    """From 1 within the session; a reset and another report start a new one."""
    turn: int
    """From 1 within the conversation."""
    attempt: int
    """From 1; how often there was an answer at this place of the conversation. The row of an undone turn has that of what it undoes."""
    event: str
    """`asked`, `retried`, `edited` or `undone`."""
    user: str
    """Empty where a turn was undone, as is `assistant`."""
    assistant: str
    finish_reason: str
    """`stop`, `length` (no room was left), `interrupted` (the user stopped it), or from an endpoint `content_filter`; `undone`."""
    report_sha256: str | None
    """Digest of the report that the conversation is about."""
    system_sha256: str
    """Digest of the system prompt."""
    model: str
    """As `models` calls it."""
    decoding: dict[str, Any]
    seed: int
    """What the draw began from: follows from the run's seed, conversation, turn and attempt."""
    turns_in_view: int
    """Earlier turns of the conversation that the model still saw."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Of the prompt: those that had been read before."""
    new_tokens: int = 0
    seconds_to_first_token: float | None = None
    """From the message to the first piece of the answer; None where none came."""
    tokens_per_second: float | None = None
    """After the first token; None where fewer than two came."""


class Transcript:
    """A file of turns, open for appending; several threads may write to it."""

    def __init__(self, path: Path, models: Mapping[str, NamedModel] | None = None) -> None:
        """Open the file, empty, as the umask says (credentialed runs let nobody else read it).

        Args:
            path: in the run's folder.
            models: what each name stands for, to be told with each turn; more may be added later.
        """
        self.path = path
        self._models = {} if models is None else models
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666)
        self._lock = Lock()

    def __enter__(self) -> "Transcript":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            os.close(self._descriptor)
            self._descriptor = -1  # a late turn must not end up in whatever file has the number next

    def append(self, turn: Turn) -> None:
        """Add a turn; it outlives the process once this returns, and a crash inside loses this line at most."""
        named = self._models.get(turn.model)
        row = as_row(turn) | ({} if named is None else origin(named)) | {"time": datetime.now(UTC).isoformat(timespec="seconds")}
        line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
        with self._lock:
            while line:
                line = line[os.write(self._descriptor, line) :]
            os.fsync(self._descriptor)


def origin(named: NamedModel) -> dict[str, Any]:
    """What a model's name stands for: who serves it, its base or its name there, and the checkpoint over the base."""
    in_process = named.backend.in_process
    return {
        "provider": named.backend.provider.value,
        "base": named.model.name_or_path if in_process else named.backend.model,
        "checkpoint": None if named.checkpoint is None else str(named.checkpoint),
    }
