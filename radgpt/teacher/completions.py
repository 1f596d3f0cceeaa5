"""The chat-completions protocol: what is sent, and what an answer means for its row and for the run."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from radgpt.config import Provider, Teacher
from radgpt.errors import UserError
from radgpt.governance.endpoints import Endpoint
from radgpt.teacher.ask import JUDGEMENT, QUESTION, Request
from radgpt.teacher.limits import retry_after
from radgpt.teacher.transports import Answer

FILTER_CODES = ("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation", "invalid_prompt")
QUOTA_CODES = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")

TOO_LONG = re.compile(r"context.{0,12}(length|size|window)|(prompt|input).{0,20}too long|input token count", re.IGNORECASE)
"""How servers say that a prompt does not fit the model (OpenAI, vLLM, llama.cpp, Bedrock, Vertex)."""

SETTINGS = {
    "max_completion_tokens": "max_tokens",
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "model": "model",
}
"""Request parameter that an endpoint may complain of, to the teacher's setting."""

OWN_FIELDS = {
    "top_k": "decoding.top_k=0",
    "repetition_penalty": "decoding.repetition_penalty=1",
    "repeat_penalty": "decoding.repetition_penalty=1",
}
"""Field that OpenAI's protocol does not have, and servers of one's own may, to the setting that leaves it out."""

REQUEST_IDS = ("x-request-id", "apim-request-id", "x-amzn-requestid")
"""Headers in which OpenAI, Azure and AWS name a call."""


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer that settles its row, unless it is asked once more in the hope of a better one."""

    outcome: str
    """`ok`, `length`, `content_filter`, `refusal`, `empty` or `invalid`."""
    text: str = ""
    """The reply; of one that was cut, what there is of it; else empty."""
    model: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: str | None = None
    request_id: str | None = None
    system_fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """The endpoint is busy: ask again, and hold the others too."""

    seconds: float | None
    """What the endpoint asked for, if it did."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt came to nothing; another may do better."""

    reason: str
    advice: str | None = None
    """What to tell the user if no request at all ever succeeds."""
    unsent: bool = False
    """The endpoint wasn't there to fail: no row is given up for that."""


SECOND_CHANCES = {"empty": 2, "invalid": 2, "length": 1}
"""How often a completion of such an outcome is asked for again; `length` with twice the room."""


def second_chances(kind: str) -> dict[str, int]:
    """Outcome to how often a request of this kind is asked again for it: what a model answers by itself is not to be embellished."""
    without = {QUESTION: ("empty", "length"), JUDGEMENT: ("length",)}.get(kind, ())
    return {outcome: times for outcome, times in SECOND_CHANCES.items() if outcome not in without}


def kept(completion: Completion, kind: str) -> tuple[str, str]:
    """(outcome, text) as a row of this kind keeps them; see `Reply`."""
    usable = completion.outcome == "ok" or (kind in (QUESTION, JUDGEMENT) and completion.outcome == "length" and completion.text.strip())
    return ("ok", completion.text) if usable else (f"dropped: {completion.outcome}", "")


def request_body(teacher: Teacher, request: Request, seed: int) -> dict[str, Any]:
    """The JSON body of a request."""
    body = {"model": teacher.model, "messages": request.messages, "temperature": teacher.temperature, "top_p": teacher.top_p}
    if teacher.provider is Provider.local:
        # Servers that users run draw the same reply again for the same seed.
        body["seed"] = seed
    return with_limit(body | dict(request.fields), teacher, teacher.max_tokens)


def with_limit(body: dict[str, Any], teacher: Teacher, max_tokens: int) -> dict[str, Any]:
    """A body with another limit on the reply; servers that users run know the older name of it."""
    return body | {"max_tokens" if teacher.provider is Provider.local else "max_completion_tokens": max_tokens}


def no_server(endpoint: Endpoint) -> str:
    """What to tell a user whose endpoint cannot be reached."""
    return f"no server can be reached at {endpoint.url}: start it, or set teacher.base_url to the one that runs"


def read_answer(
    answer: Answer, teacher: Teacher, endpoint: Endpoint, *, proven: bool, sent: Mapping[str, Any] | None = None
) -> Completion | Wait | Failure:
    """What an answer means.

    Nothing that the endpoint wrote is passed on but the reply and short codes: servers quote prompts, and keys, in their complaints.

    Args:
        proven: others were answered well in this run, so that a refusal is this row's trouble and no setting's.
        sent: the body that was answered, to tell which of its fields may be at fault.

    Raises:
        UserError: no later request can succeed (key, model, address, quota).
    """
    if answer.status == 200:
        return read_completion(answer, endpoint)
    return read_refusal(answer, teacher, endpoint, proven=proven, sent=sent)


def read_completion(answer: Answer, endpoint: Endpoint) -> Completion | Failure:
    """The reply in what came with status 200; every field is looked for with care, as no client checks them."""
    body = mapping(answer.body)
    choices = body.get("choices")
    if not isinstance(choices, list):
        return Failure(
            "no chat completion",
            f"{endpoint.url} answers, but not with chat completions: set teacher.base_url to the root of its API, most often ending in /v1",
        )
    choice = mapping(choices[0]) if len(choices) == 1 else {}
    message, usage = mapping(choice.get("message")), mapping(body.get("usage"))
    content, finish = message.get("content"), choice.get("finish_reason")
    text = content.encode("utf-8", "replace").decode() if isinstance(content, str) else ""  # no lone surrogates, which no file can hold
    if message.get("refusal"):
        outcome = "refusal"
    elif finish in ("length", "content_filter"):
        outcome = finish
    elif not message or message.get("tool_calls") or not isinstance(content, str | None):
        outcome = "invalid"
    else:
        outcome = "ok" if text.strip() else "empty"
    return Completion(
        outcome,
        text if outcome in ("ok", "length") else "",
        words(body.get("model")),
        whole(usage.get("prompt_tokens")),
        whole(usage.get("completion_tokens")),
        words(finish),
        next((answer.headers[name] for name in REQUEST_IDS if name in answer.headers), words(body.get("id"))),
        words(body.get("system_fingerprint")),
    )


def read_refusal(
    answer: Answer, teacher: Teacher, endpoint: Endpoint, *, proven: bool, sent: Mapping[str, Any] | None = None
) -> Completion | Wait | Failure:
    """What another status means; raises UserError as `read_answer` does."""
    status, error = answer.status, error_of(answer.body)
    codes = codes_of(error)
    if not codes.isdisjoint(FILTER_CODES):
        return Completion("content_filter")
    if status == 413 or (status == 400 and ("context_length_exceeded" in codes or TOO_LONG.search(str(error.get("message"))))):
        return Completion("length")  # the prompt alone is too long for the model: this row's trouble, not the run's
    if status == 402 or not codes.isdisjoint(QUOTA_CODES):
        raise UserError(
            f"{endpoint.url} says that the account has no quota left: add credit, or name another key's variable "
            "in teacher.api_key_env; then run again, replies so far are kept"
        )
    if status == 429:
        return Wait(retry_after(answer.headers, time.time()))
    if status in (408, 409) or status >= 500:
        return Failure(f"HTTP {status}")
    if proven and status in (400, 422):
        return Completion("invalid")
    raise UserError(mending(status, error, teacher, endpoint, sent or {}))


def mending(status: int, error: Mapping[str, Any], teacher: Teacher, endpoint: Endpoint, sent: Mapping[str, Any]) -> str:
    """The line for a user whose settings the endpoint refuses."""
    key = (
        f"the key in {teacher.api_key_env} (teacher.api_key_env)" if teacher.api_key_env else "teacher.api_key_env, which names no variable"
    )
    mend = {
        401: f"check {key}",
        403: f"check {key}, and whether it may use teacher.model={teacher.model}",
        404: f"check teacher.model={teacher.model} and teacher.base_url",
    }
    parameter = SETTINGS.get(str(error.get("param")))
    own = dict.fromkeys(setting for name, setting in OWN_FIELDS.items() if name in sent)
    if own and (not parameter or any(name in str(error) for name in OWN_FIELDS)):
        mend[400] = mend[422] = (
            f"it may not know {', '.join(name for name in OWN_FIELDS if name in sent)}, which OpenAI's protocol does not have; "
            f"to leave them out, set {' and '.join(own)}"
        )
    elif parameter:
        mend[400] = f"check teacher.{parameter}={getattr(teacher, parameter)}, which teacher.model={teacher.model} may not allow"
    if 300 <= status < 400:
        mend[status] = "it redirects, which is not followed: set teacher.base_url to the final address"
    code = f", {error['code']}" if re.fullmatch(r"[a-z_]{1,40}", str(error.get("code") or "")) else ""
    return f"{endpoint.url} refuses requests (HTTP {status}{code}): " + mend.get(
        status, f"check teacher.model={teacher.model}, teacher.base_url and whether the endpoint speaks OpenAI's chat completions"
    )


def error_of(body: Any) -> Mapping[str, Any]:
    """The error in an answer's JSON: OpenAI and Azure put it under `error`, Google into a list besides, old vLLM nowhere."""
    if isinstance(body, list) and body:
        body = body[0]
    body = mapping(body)
    return mapping(body["error"]) if isinstance(body.get("error"), dict) else body


def codes_of(error: Mapping[str, Any]) -> set[str]:
    """The codes of an error: its own, its type, and Azure's inner one."""
    found = [error.get("code"), error.get("type"), mapping(error.get("innererror")).get("code")]
    return {str(code) for code in found if code}


def mapping(value: Any) -> Mapping[str, Any]:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def words(value: Any) -> str | None:
    """A text that is not empty, without lone surrogates; None for anything else."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) and value else None


def whole(value: Any) -> int:
    """A count; 0 for anything else."""
    return value if isinstance(value, int) and value > 0 else 0
