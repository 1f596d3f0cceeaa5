"""Say what a teacher's tokens cost, from a dated list of published prices or the user's own."""

import re
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from radgpt.config import Provider, Service, TeacherMode
from radgpt.errors import UserError, settings_of

SHIPPED = Path(__file__).with_name("prices.yaml")

FORM = "MODEL: {prompt: 0.15, completion: 0.60, batch_discount: 0.5, source: URL, date: 2026-01-31}"
"""An entry, as the user is told to write it."""

SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{4})")
"""What providers append to a model's name for one of its versions."""


@dataclass(frozen=True)
class Price:
    """What tokens cost, in US dollars a million."""

    prompt: float
    completion: float
    source: str = ""
    """Where the price is published."""
    date: str = ""
    """When it was read there, as ISO 8601."""

    def usd(self, prompt_tokens: float, completion_tokens: float) -> float:
        """What these tokens cost, in US dollars."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


FREE = Price(0.0, 0.0)


def price_of(service: Service) -> Price | None:
    """The price of a teacher, judge or backend in its mode; None if none is known.

    Those on one's own machines cost nothing unless `prices` says so.

    Raises:
        UserError: `prices` cannot be read, or no price is known and `budget.usd` wants one; names the section that the service is.
    """
    with settings_of(service.section, written="teacher"):
        return listed_price(service)


def listed_price(teacher: Service) -> Price | None:
    """See `price_of`; messages name a teacher's settings."""
    own = teacher.provider in (Provider.rules, Provider.local)
    if own and teacher.prices is None:
        return FREE
    path = Path(teacher.prices).expanduser() if teacher.prices else SHIPPED
    found = find(read_prices(path), teacher.model)
    if found is not None:
        kept = 1.0 - found.batch_discount if teacher.mode is TeacherMode.batch else 1.0
        return Price(found.prompt * kept, found.completion * kept, found.source, found.date)
    if own:
        return FREE
    if teacher.budget.usd is not None:
        raise UserError(
            f"teacher.budget.usd={teacher.budget.usd} needs the price of teacher.model={teacher.model}, which {path.name} does not list: "
            f"set teacher.prices to a YAML file with a line like {FORM.replace('MODEL', teacher.model)} (US dollars a million tokens)"
        )
    return None


@dataclass(frozen=True)
class Entry:
    """One line of a list of prices."""

    prompt: float
    completion: float
    source: str
    date: str
    batch_discount: float = 0.0
    """The share that batch mode takes off, in [0, 1]."""


def find(prices: dict[str, Entry], model: str) -> Entry | None:
    """The first entry that stands for a model: under its name, under its name without a version's date, or under a pattern with `*`."""
    for name, entry in prices.items():
        if fnmatchcase(model, name) or (model.startswith(name) and SNAPSHOT.fullmatch(model, len(name))):
            return entry
    return None


def read_prices(path: Path) -> dict[str, Entry]:
    """A list of prices: model name, or pattern with `*`, to entry, in the file's order.

    Raises:
        UserError: the file is missing, is no YAML, or an entry is not in the form of `prices.yaml`; names the line or the key.
    """
    try:
        rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"teacher.prices={path}: cannot be read ({getattr(error, 'strerror', None) or 'no UTF-8'})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"teacher.prices={path}{line}: no YAML; write one line a model, as {FORM}") from None
    if not isinstance(rows, dict):
        raise UserError(f"teacher.prices={path}: no list of models; write one line a model, as {FORM}")
    return {str(name): read_entry(f"teacher.prices={path}: {name}", row) for name, row in rows.items()}


def read_entry(place: str, row: Any) -> Entry:
    """One entry; raises UserError that begins with `place` and names the key at fault."""
    if not isinstance(row, dict):
        raise UserError(f"{place}: no entry; write {FORM}")
    known = Entry.__dataclass_fields__
    strange = sorted(str(key) for key in row if key not in known)
    missing = [key for key in known if key not in row and key != "batch_discount"]
    if strange or missing:
        raise UserError(f"{place}.{(strange or missing)[0]}: {'no such key' if strange else 'missing'}; write {FORM}")
    for key, most in (("prompt", float("inf")), ("completion", float("inf")), ("batch_discount", 1.0)):
        value = row.get(key, 0.0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most or value == float("inf"):
            wanted = "a share in [0, 1]" if most == 1.0 else "US dollars a million tokens, 0 or more"
            raise UserError(f"{place}.{key}={value}: must be {wanted}")
    day = row["date"]
    try:
        day = day if isinstance(day, date) else date.fromisoformat(day)
    except (TypeError, ValueError):
        raise UserError(f"{place}.date={day}: must be a day, such as 2026-01-31") from None
    if not isinstance(row["source"], str) or not row["source"].strip():
        raise UserError(f"{place}.source: must say where the price is published")
    return Entry(float(row["prompt"]), float(row["completion"]), row["source"], day.isoformat(), float(row.get("batch_discount", 0.0)))
