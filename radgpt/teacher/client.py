"""Speak the chat-completions protocol: what is sent, and what an answer or an error means for its row and for the run."""

import json
import logging
import math
import re
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from radgpt.config import Provider, Teacher
from radgpt.errors import UserError
from radgpt.governance.connections import request_guard
from radgpt.governance.endpoints import Endpoint
from radgpt.teacher.ask import Reply, Request

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

FILTER_CODES = ("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation")
SETTINGS = {
    "max_completion_tokens": "max_tokens",
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "model": "model",
}
"""Request parameter that an endpoint may complain of, to the teacher's setting."""


@dataclass(frozen=True)
class Wait:
    """The endpoint is busy: ask again, and hold the others too."""

    seconds: float | None
    """What the endpoint asked for, if it did."""


@dataclass(frozen=True)
class Failure:
    """An attempt came to nothing; another may do better."""

    reason: str
    advice: str | None = None
    """What to tell the user if no request at all ever succeeds."""
    unsent: bool = False
    """The endpoint wasn't there to fail: no row is given up for that."""


def connect(teacher: Teacher, endpoint: Endpoint, key: str) -> "AsyncOpenAI":
    """The client of an endpoint: no retries, no redirects, no proxy unless the endpoint allows one; connects lazily."""
    from openai import AsyncAzureOpenAI, AsyncOpenAI, DefaultAioHttpClient

    # One line for each request would flood the console, whose root logger Hydra sets to INFO.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    if endpoint.credentialed:
        # OPENAI_LOG=debug would write whole prompts to the console.
        logging.getLogger("openai").setLevel(logging.WARNING)
    transport = DefaultAioHttpClient(
        follow_redirects=False,
        trust_env=endpoint.proxied,
        # On a private network the machine's own certificates, so that an internal authority can be trusted.
        verify=True if endpoint.proxied else ssl.create_default_context(),
        timeout=teacher.timeout,
        event_hooks={"request": [request_guard(endpoint)] if endpoint.credentialed else []},
    )
    if teacher.provider is Provider.azure:
        return AsyncAzureOpenAI(
            azure_endpoint=endpoint.url,
            api_version=teacher.api_version,
            api_key=key,
            http_client=transport,
            max_retries=0,
            timeout=teacher.timeout,
        )
    return AsyncOpenAI(base_url=endpoint.url, api_key=key, http_client=transport, max_retries=0, timeout=teacher.timeout)


def request_body(teacher: Teacher, request: Request, seed: int) -> dict[str, Any]:
    """The JSON body of a request."""
    body = {"model": teacher.model, "messages": request.messages, "temperature": teacher.temperature, "top_p": teacher.top_p}
    if teacher.provider is Provider.local:
        # Servers that users run know the older name of the limit, and draw the same reply again for the same seed.
        return body | {"max_tokens": teacher.max_tokens, "seed": seed}
    return body | {"max_completion_tokens": teacher.max_tokens}


def characters(request: Request) -> int:
    """Characters of a request's messages."""
    return sum(len(message["content"]) for message in request.messages)


def read_completion(completion: Any, teacher: Teacher, endpoint: Endpoint) -> Reply | Failure:
    """The reply in what the endpoint sent with status 200; fields are looked for with care, as the client checks none."""
    choice = next(iter(getattr(completion, "choices", None) or []), None)
    message = getattr(choice, "message", None)
    if message is None:
        return Failure(
            "no chat completion",
            f"{endpoint.url} answers, but not with chat completions: set teacher.base_url to the root of its API, most often ending in /v1",
        )
    usage = getattr(completion, "usage", None)
    text = str(getattr(message, "content", None) or "").encode("utf-8", "replace").decode()  # no lone surrogates, which no file can hold
    finish = getattr(choice, "finish_reason", None)
    if getattr(message, "refusal", None):
        outcome = "refusal"
    elif finish in ("length", "content_filter"):
        outcome = finish
    else:
        outcome = "ok" if text.strip() else "empty"
    return Reply(
        outcome,
        text if outcome == "ok" else "",
        str(getattr(completion, "model", None) or teacher.model),
        int(getattr(usage, "prompt_tokens", None) or 0),
        int(getattr(usage, "completion_tokens", None) or 0),
    )


def read_error(error: Exception, teacher: Teacher, endpoint: Endpoint) -> Reply | Wait | Failure:
    """What an error means for the row.

    Nothing that the endpoint wrote is passed on but short codes: servers quote prompts, and keys, in their complaints.

    Raises:
        UserError: no later request can succeed (key, model, address, quota).
        Exception: `error` itself, where it isn't the endpoint's.
    """
    import aiohttp
    import openai

    if isinstance(error, openai.APIStatusError):
        return read_status(error, teacher, endpoint)
    causes = list(causes_of(error))
    for cause in causes:
        if isinstance(cause, UserError):
            raise cause  # our own refusal to connect
    # The client calls most of aiohttp's errors timeouts; aiohttp's own names tell more.
    for cause in causes:
        if isinstance(cause, aiohttp.ClientConnectorError):
            line = f"no server can be reached at {endpoint.url}: start it, or set teacher.base_url to the one that runs"
            return Failure("no connection", line, unsent=True)
        if isinstance(cause, aiohttp.ClientConnectionError) and not isinstance(cause, aiohttp.ServerTimeoutError):
            return Failure("connection lost")
    if isinstance(error, (openai.APITimeoutError, TimeoutError)):
        return Failure("timeout")
    if isinstance(error, (openai.APIConnectionError, aiohttp.ClientError)):
        return Failure("connection lost")
    if isinstance(error, json.JSONDecodeError):
        return read_completion(None, teacher, endpoint)
    raise error


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """What an error was raised from, nearest first."""
    while error.__cause__ is not None:
        error = error.__cause__
        yield error


def read_status(error: "APIStatusError", teacher: Teacher, endpoint: Endpoint) -> Reply | Wait | Failure:
    """What an HTTP status means for the row; raises UserError as `read_error` does."""
    status = error.status_code
    codes = codes_of(error.body)
    if not codes.isdisjoint(FILTER_CODES):
        return Reply("content_filter", "", teacher.model)
    if status == 400 and ("context_length_exceeded" in codes or "context length" in error.message.lower()):
        return Reply("length", "", teacher.model)  # the prompt alone is too long for the model: this row's trouble, not the run's
    if "insufficient_quota" in codes:
        raise UserError(
            f"{endpoint.url} says that the account has no quota left: add credit, or name another key's variable "
            "in teacher.api_key_env; then run again, replies so far are kept"
        )
    if status == 429:
        return Wait(retry_after(error.response.headers, time.time()))
    if status in (408, 409) or status >= 500:
        return Failure(f"HTTP {status}")
    raise UserError(mending(status, error, teacher, endpoint))


def mending(status: int, error: "APIStatusError", teacher: Teacher, endpoint: Endpoint) -> str:
    """The line for a user whose settings the endpoint refuses."""
    key = (
        f"the key in {teacher.api_key_env} (teacher.api_key_env)" if teacher.api_key_env else "teacher.api_key_env, which names no variable"
    )
    mend = {
        401: f"check {key}",
        403: f"check {key}, and whether it may use teacher.model={teacher.model}",
        404: f"check teacher.model={teacher.model} and teacher.base_url",
    }
    parameter = SETTINGS.get(str(error.param))
    if parameter:
        mend[400] = f"check teacher.{parameter}={getattr(teacher, parameter)}, which teacher.model={teacher.model} may not allow"
    if 300 <= status < 400:
        mend[status] = "it redirects, which is not followed: set teacher.base_url to the final address"
    code = f", {error.code}" if re.fullmatch(r"[a-z_]{1,40}", str(error.code or "")) else ""
    return f"{endpoint.url} refuses requests (HTTP {status}{code}): " + mend.get(
        status, f"check teacher.model={teacher.model}, teacher.base_url and whether the endpoint speaks OpenAI's chat completions"
    )


def codes_of(body: object) -> set[str]:
    """The codes in an error's JSON: its own, its type, and Azure's inner one."""
    if not isinstance(body, dict):
        return set()
    inner = body.get("innererror")
    found = [body.get("code"), body.get("type"), inner.get("code") if isinstance(inner, dict) else None]
    return {str(code) for code in found if code}


def retry_after(headers: Any, now: float) -> float | None:
    """Seconds that an answer asks to wait: milliseconds as OpenAI and Azure send, or RFC 9110's seconds or date."""
    for name, seconds in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            wait = float(value) * seconds
        except ValueError:
            try:
                wait = parsedate_to_datetime(value).timestamp() - now
            except ValueError:
                continue
        if math.isfinite(wait):
            return max(0.0, wait)
    return None
