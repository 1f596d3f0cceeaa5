"""Ask a teacher: requests in, replies out in the same order, whoever the teacher is."""

from dataclasses import dataclass

from radgpt.records import Report


@dataclass(frozen=True)
class Request:
    """One thing asked of a teacher."""

    generation_id: str
    """`<report_id>/<n>`, kept by everything that derives from the reply."""
    kind: str
    """`instruction` or `answer`."""
    task: str
    messages: list[dict[str, str]]
    """The chat messages that a language model is sent."""
    report: Report
    """What the request is about: the rules teacher reads its sections."""
    instruction: str | None = None
    """The instruction to answer, for kind `answer`."""


@dataclass(frozen=True)
class Reply:
    """What came back."""

    outcome: str
    """`ok`, `length`, `content_filter`, `refusal`, `empty` or `failed: <why>`."""
    text: str
    """The reply; empty unless the outcome is `ok`."""
    model: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
