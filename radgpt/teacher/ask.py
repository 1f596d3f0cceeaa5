"""Ask a teacher: requests in, replies out in the same order, whoever the teacher is."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Never

from tqdm import tqdm

from radgpt.config import Governance, Provider, Teacher
from radgpt.errors import UserError
from radgpt.records import Report


@dataclass(frozen=True)
class Request:
    """One thing asked of a teacher."""

    generation_id: str
    """`<report_id>/<n>`, or `<report_id>/<n>.<t>` for a later turn; kept by everything that derives from the reply."""
    kind: str
    """`instruction` or `answer`."""
    task: str
    messages: list[dict[str, str]]
    """The chat messages that a language model is sent."""
    report: Report
    """What the request is about: the rules teacher reads its sections."""
    instruction: str | None = None
    """The instruction to answer, for kind `answer`."""
    prompt_version: str = ""
    """Names the wording of the prompt."""


@dataclass(frozen=True)
class Reply:
    """What came back."""

    outcome: str
    """As in `Generation`."""
    text: str
    """The reply; empty unless the outcome is `ok`."""
    model: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    """What was charged for it, in US dollars."""
    request_id: str | None = None
    """The endpoint's own name for the call, to be quoted to its support."""
    system_fingerprint: str | None = None
    attempts: int = 1
    """Times that it was sent, 429s not counted."""
    latency: float = 0.0
    """Seconds of the attempt that brought the reply."""
    attestation_sha256: str | None = None
    """Digest of the attestation that it was asked under, if any."""


PATIENCE = 300.0
"""Seconds without one accepted request after which a run stops."""

Ask = Callable[[Iterable[Request]], Iterator[Reply]]
"""Yields one reply for each request, in order; takes requests in lazily, a bounded window at a time."""


@contextmanager
def open_teacher(
    teacher: Teacher, governance: Governance, seed: int, journal: Path, *, attestation: str | None = None, patience: float = PATIENCE
) -> Iterator[Ask]:
    """Give a function that asks this teacher; it may be called several times.

    Every reply of a language model is appended to the file `journal` before it is yielded, and a request whose reply stands
    there is not sent again. A row that failed after `teacher.max_attempts` tries (`failed: …`) is not kept: a rerun tries again.
    The rules teacher needs neither network nor journal. `attestation` is the file that may let credentialed data leave this machine.

    Raises:
        UserError: the data may not go to this endpoint, the key is missing, another process has the journal open, or, while
            asking, the endpoint refuses key, model or quota, or accepts nothing for `patience` seconds.
    """
    if teacher.provider is Provider.rules:
        from radgpt.teacher import rules

        with progress() as bar:

            def follow_rules(requests: Iterable[Request]) -> Iterator[Reply]:
                for request in requests:
                    reply = rules.reply(request, seed)
                    bar.update()
                    yield reply

            yield follow_rules
        return

    from radgpt.governance.endpoints import endpoint_of
    from radgpt.teacher.journal import Journal
    from radgpt.teacher.session import Session

    endpoint = endpoint_of(teacher, governance, attestation)
    key = key_of(teacher)
    with Journal(journal) as kept, progress() as bar:
        session = Session(teacher, endpoint, key, seed, kept, patience)

        def ask(requests: Iterable[Request]) -> Iterator[Reply]:
            for reply in session.ask(requests):
                bar.set_postfix({"429": session.refused}, refresh=False)
                bar.update()
                yield reply

        try:
            session.start()
            yield ask
        finally:
            session.end()


def progress() -> "tqdm[Never]":
    """A bar of finished replies, where someone watches."""
    return tqdm(desc="teacher", unit=" replies", disable=None)


def key_of(teacher: Teacher) -> str:
    """The key of a teacher, from the environment; a placeholder for servers that ask none.

    Raises:
        UserError: the variable is not set, or holds what can be no key. The key itself is never shown.
    """
    name = teacher.api_key_env
    if name is None:
        return "none"
    key = os.environ.get(name, "").strip()
    if not key:
        raise UserError(f"the environment variable {name} holds no key: export it, or set teacher.api_key_env to the variable that does")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise UserError(f"the environment variable {name} (teacher.api_key_env) holds characters that no key has")
    return key
