"""Name a request by what it sends and for which row, so that its reply is found again."""

from typing import Any

from radgpt.config import Teacher
from radgpt.records import canonical_digest
from radgpt.teacher.ask import Request
from radgpt.teacher.completions import request_body


def keyed_body(teacher: Teacher, request: Request, seed: int) -> tuple[str, dict[str, Any]]:
    """The request's key in the journal (64 hexadecimal digits) and the JSON body that it sends."""
    # Rows with the same prompt are rows of their own, and a server that draws by seed should not draw alike for them.
    row = [seed, request.kind, request.prompt_version, request.generation_id]
    drawn = int(canonical_digest(row)[:8], 16) >> 1
    body = request_body(teacher, request, drawn)
    return canonical_digest([body, row]), body
