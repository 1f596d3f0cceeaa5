"""Read what a user attests about an endpoint outside this machine: a claim with a date, kept by its digest."""

import hashlib
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from radgpt.config import HOST_NAME
from radgpt.errors import UserError

PROMISES = ("zero_retention", "no_training", "no_human_review")
"""What PhysioNet's notice asks of a third party; each must be true."""

TEXTS = ("provider", "evidence", "who")
KEYS = ("provider", "host", *PROMISES, "evidence", "who", "date")

VALID_DAYS = 90
"""Terms of service change: a claim older than this must be made anew."""


@dataclass(frozen=True)
class Attestation:
    """One checked claim about one host."""

    host: str
    sha256: str
    """Digest of the file's bytes, kept by every row that was made under it."""


def read_attestation(path: str, today: date) -> Attestation:
    """Read and check the file of `governance.attestation`; values are never repeated but for the host and the dates.

    Raises:
        UserError: the file cannot be read, a key is missing, unknown or given twice, a value is not what its key needs,
            or the date lies in the future or more than VALID_DAYS back.
    """

    def wrong(problem: str) -> UserError:
        return UserError(f"governance.attestation={path}: {problem}")

    try:
        content = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise wrong(f"{error.strerror}; give the file of an attestation") from None
    try:
        names = written_keys(content)
        claim = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError):  # a day such as 2026-13-01 is a ValueError
        raise wrong("it cannot be read as YAML; write one `key: value` a line, and the date as 2026-01-31") from None
    if not isinstance(claim, dict):
        raise wrong(f"it holds no keys; it needs {', '.join(KEYS)}")
    if strange := next((name for name in claim if name not in KEYS), None):
        raise wrong(f"{strange} is no key of an attestation; it has {', '.join(KEYS)}")
    if missing := next((name for name in KEYS if name not in claim), None):
        raise wrong(f"{missing} is missing; an attestation needs {', '.join(KEYS)}")
    if twice := next((name for name in KEYS if names.count(name) > 1), None):
        raise wrong(f"{twice} stands there twice; say it once")
    for name in TEXTS:
        if not isinstance(claim[name], str) or not claim[name].strip():
            raise wrong(f"{name} must be a text that is not empty")
    for name in PROMISES:
        if claim[name] is not True:
            raise wrong(f"{name} must be true (without quotes); a provider that does not promise it may not be sent credentialed reports")
    if not isinstance(claim["host"], str) or not HOST_NAME.fullmatch(claim["host"]):
        raise wrong("host must be one host's name in lower case, without scheme, port, path or wildcard, such as llm.example.org")
    day = day_of(claim["date"])
    if day is None:
        raise wrong("date must be a day such as 2026-01-31")
    if day > today:
        raise wrong(f"date: {day} lies in the future; give the day on which the provider's terms were checked")
    expires = day + timedelta(days=VALID_DAYS)
    if today > expires:
        raise wrong(f"date: it was made on {day} and expired on {expires}; check the provider's terms again and renew it")
    return Attestation(claim["host"], hashlib.sha256(content).hexdigest())


def written_keys(content: bytes) -> list[str]:
    """The keys as they stand in the file, where YAML's own reading would keep the last of two alike."""
    node = yaml.compose(content, Loader=yaml.SafeLoader)
    return [str(key.value) for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []


def day_of(value: Any) -> date | None:
    """A day from YAML's own date or from text; None for anything else."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            return None
    return None
