"""Ask a teacher, a judge or a backend: requests in, replies out in the same order, whoever it is."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from radgpt.config import Governance, Provider, Service, Teacher, TeacherMode
from radgpt.errors import DryRunEnd, UserError, settings_of
from radgpt.records import Report, canonical_digest
from radgpt.teacher.budget import Budget
from radgpt.teacher.prices import price_of
from radgpt.teacher.progress import Log, Progress

QUESTION = "question"
"""The kind of a request to a model that is itself what is looked at: its replies are taken as they come, cut ones among them."""
JUDGEMENT = "judgement"
"""The kind of a request to a judge: a reply that was cut may hold its verdict before the cut, so it is taken too."""


@dataclass(frozen=True)
class Request:
    """One thing asked of a teacher."""

    generation_id: str
    """`<report_id>/<n>`, or `<report_id>/<n>.<t>` for a later turn; kept by everything that derives from the reply."""
    kind: str
    """`instruction`, `answer`, JUDGEMENT or QUESTION."""
    task: str
    messages: list[dict[str, str]]
    """The chat messages that a language model is sent."""
    report: Report | None = None
    """What the request is about: the rules teacher reads its sections, and no other teacher needs it."""
    instruction: str | None = None
    """The instruction to answer, for kind `answer`."""
    prompt_version: str = ""
    """Names the wording of the prompt."""
    turns: int = 1
    """Questions that an instruction's reply is to hold, one after the other."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the request's body beyond those that any endpoint knows, such as `top_k`."""

    @property
    def origin(self) -> dict[str, str]:
        """What the journal's row says of where a reply comes from."""
        return {
            "generation_id": self.generation_id,
            "kind": self.kind,
            "task": self.task,
            "prompt_sha256": canonical_digest(self.messages),
            "prompt_version": self.prompt_version,
        }


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
    finish_reason: str | None = None
    """Why the model stopped, as the endpoint says; None where there is no reply."""


def reply_of(row: Mapping[str, Any]) -> Reply:
    """The reply in a row of the journal."""
    return Reply(**{name: row[name] for name in Reply.__dataclass_fields__ if name in row})


PATIENCE = 300.0
"""Seconds without one accepted request after which a run stops."""

Ask = Callable[[Iterable[Request]], Iterator[Reply]]
"""Yields one reply for each request, in order; takes requests in lazily, a bounded window at a time."""


@contextmanager
def open_teacher(
    teacher: Teacher,
    governance: Governance,
    seed: int,
    journal: Path,
    *,
    earlier: Sequence[Path] = (),
    attestation: str | None = None,
    patience: float = PATIENCE,
    total: int | None = None,
    rounds: int = 1,
    log: Log | None = None,
    dry_run: bool = False,
    shown: bool = True,
) -> Iterator[Ask]:
    """Give a function that asks this teacher, or who else has a teacher's settings; it may be called several times.

    Every reply of a language model is appended to the file `journal` before it is yielded, and a request whose reply stands
    there is not sent again. A row that failed after `teacher.max_attempts` tries (`failed: …`) is not kept: a rerun tries again.
    The rules teacher needs neither network nor journal.

    Args:
        earlier: journals of other runs: what they hold of the same requests is not asked again.
        attestation: the file that may let credentialed data leave this machine.
        patience: seconds without one accepted request after which a run stops.
        total: the number of rows to expect, for the progress bar.
        rounds: how often `ask` will be called, where a call waits for the replies of the one before.
        log: takes a point of the curves about every ten seconds, as `progress.Log` says; their names begin with the teacher's section.
        dry_run: count what would be asked, and send nothing.
        shown: whether to show how it is doing; not where the caller does.

    Raises:
        UserError: the data may not go to this endpoint, the key is missing, another process has the journal open, or, while
            asking, the endpoint refuses key, model or quota, or accepts nothing for `patience` seconds; it names settings of the
            teacher's section.
        BudgetSpentError: a cap of `teacher.budget` would be passed.
        DryRunEnd: a dry run has counted all; nothing was sent, and no key is needed.
    """
    progress_of = partial(Progress, total, log, section=teacher.section, shown=shown)
    if dry_run:
        with settings_of(teacher.section, written="teacher"), rehearsal(teacher, governance, seed, journal, earlier, attestation) as count:
            yield count
        return
    if teacher.provider is Provider.rules:
        from radgpt.teacher.rules.replies import reply

        with progress_of() as progress:
            yield lambda requests: counted((reply(request, seed) for request in requests), progress)
        return

    from radgpt.governance.endpoints import endpoint_of
    from radgpt.teacher.journal import Journal

    endpoint = endpoint_of(teacher, governance, attestation)
    price = price_of(teacher)
    key = key_of(teacher)
    with settings_of(teacher.section, written="teacher"), Journal(journal, earlier) as kept:
        budget = Budget(teacher.budget, price, kept.spent)
        if teacher.mode is TeacherMode.batch:
            from radgpt.teacher.batch.session import BatchSession

            with progress_of(budget=budget) as progress:
                batches = BatchSession(teacher, endpoint, key, seed, kept, budget, patience, progress, rounds)
                try:
                    yield lambda requests: counted(batches.ask(requests), progress)
                finally:
                    batches.close()
            return

        from radgpt.teacher.batch.parts import refuse_live
        from radgpt.teacher.session import Session

        refuse_live(journal)
        session = Session(teacher, endpoint, key, seed, kept, budget, patience)
        try:
            session.start()
            with progress_of(budget=budget, figures=session.figures) as progress:
                yield lambda requests: counted(session.ask(requests), progress)
        finally:
            session.end()


def counted(replies: Iterable[Reply], progress: Progress) -> Iterator[Reply]:
    """The replies, each counted as it is handed on."""
    for reply in replies:
        progress.add()
        yield reply


@contextmanager
def rehearsal(
    teacher: Teacher, governance: Governance, seed: int, journal: Path, earlier: Sequence[Path], attestation: str | None
) -> Iterator[Ask]:
    """Give a function that answers from the journal alone and counts what it would ask; ends in DryRunEnd.

    Prompts that depend on replies are counted as they are without: their examples are the seeds.
    """
    from radgpt.governance.endpoints import endpoint_of
    from radgpt.teacher.forecast import Forecast
    from radgpt.teacher.journal import Journal
    from radgpt.teacher.row_keys import keyed_body

    if teacher.provider is not Provider.rules:
        endpoint_of(teacher, governance, attestation)
    price = price_of(teacher)
    with Journal(journal, earlier) as kept:
        forecast = Forecast(teacher, price, kept.spent)

        def count(requests: Iterable[Request]) -> Iterator[Reply]:
            for request in requests:
                known = kept.get(keyed_body(teacher, request, seed)[0])
                forecast.add(request, known)
                yield reply_of(known) if known else Reply("failed: dry run", "", teacher.model)

        yield count
    raise DryRunEnd("\n".join(forecast.lines()))


def key_of(service: Service) -> str:
    """The key of a teacher, judge or backend, from the environment; a placeholder for servers that ask none.

    Raises:
        UserError: the variable is not set, or holds what can be no key. The key itself is never shown.
    """
    name = service.api_key_env
    if name is None:
        return "none"
    setting = f"{service.section}.api_key_env"
    key = os.environ.get(name, "").strip()
    if not key:
        raise UserError(f"the environment variable {name} holds no key: export it, or set {setting} to the variable that does")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise UserError(f"the environment variable {name} ({setting}) holds characters that no key has")
    return key
