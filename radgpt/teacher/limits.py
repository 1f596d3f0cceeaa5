"""Read what an endpoint's headers say of its limits: how long to wait, what it allows, what is left of it."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
"""OpenAI's spelling of a span: `1h2m3.5s`, `20ms`."""

UNITS = (86_400.0, 3600.0, 60.0, 1.0, 0.001)


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit as an answer's headers tell it (`x-ratelimit-*`); None for what they don't."""

    per_minute: float | None = None
    remaining: float | None = None
    reset: float | None = None
    """Seconds until it is whole again."""


def limits_of(headers: Mapping[str, str]) -> tuple[Limit, Limit]:
    """The limits on requests and on tokens."""
    return limit_of(headers, "requests"), limit_of(headers, "tokens")


def limit_of(headers: Mapping[str, str], kind: str) -> Limit:
    """The limit on one kind: `requests` or `tokens`."""
    per_minute, remaining = (number(headers.get(f"x-ratelimit-{word}-{kind}")) for word in ("limit", "remaining"))
    return Limit(per_minute or None, remaining, duration(headers.get(f"x-ratelimit-reset-{kind}")))


def number(text: str | None) -> float | None:
    """A number that is not negative; None for anything else."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < math.inf else None


def duration(text: str | None) -> float | None:
    """Seconds of a span, as a plain number or in OpenAI's spelling; None for anything else."""
    if (plain := number(text)) is not None:
        return plain
    found = DURATION.fullmatch((text or "").strip())
    if not text or not found:
        return None
    return sum(float(part) * unit for part, unit in zip(found.groups(), UNITS, strict=True) if part)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that an answer asks to wait: milliseconds as OpenAI and Azure send, or RFC 9110's seconds or date.

    `now` is the time in seconds since 1970.
    """
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
