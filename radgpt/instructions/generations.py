"""Ask a teacher for many rows and keep each reply with what it was asked for."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator

from radgpt.instructions.prompts import digest
from radgpt.records import Generation
from radgpt.teacher.ask import Ask, Request


def generations(ask: Ask, requests: Iterable[Request], prompt_version: str) -> Iterator[tuple[Request, Generation]]:
    """Yield each request with its reply as a row, in order; only as many requests are held as the teacher takes in ahead."""
    asked: deque[Request] = deque()

    def remembered() -> Iterator[Request]:
        for request in requests:
            asked.append(request)
            yield request

    for reply in ask(remembered()):
        request = asked.popleft()
        yield (
            request,
            Generation(
                generation_id=request.generation_id,
                report_id=request.report.report_id,
                patient_id=request.report.patient_id,
                task=request.task,
                outcome=reply.outcome,
                text=reply.text,
                prompt_sha256=digest(request.messages),
                prompt_version=prompt_version,
                teacher=reply.model,
                prompt_tokens=reply.prompt_tokens,
                completion_tokens=reply.completion_tokens,
                attestation_sha256=reply.attestation_sha256,
            ),
        )


class Bill:
    """What a teacher was asked, what came of it, and how many tokens that took."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter(asked=0, ok=0, prompt_tokens=0, completion_tokens=0)

    def add(self, generation: Generation) -> None:
        """Count one row."""
        self._counts["asked"] += 1
        self._counts[why(generation)] += 1
        self._counts["prompt_tokens"] += generation.prompt_tokens
        self._counts["completion_tokens"] += generation.completion_tokens

    def metrics(self) -> dict[str, int]:
        """Rows asked for and usable, rows of each other outcome, tokens."""
        return dict(self._counts)


def why(generation: Generation) -> str:
    """The outcome as a short name: `failed: timed out` is `failed`."""
    return generation.outcome.partition(":")[0]
