"""Change how replies are drawn by what a user typed, one setting at a time."""

from dataclasses import fields, replace
from typing import get_type_hints

from radgpt.config import Decoding
from radgpt.errors import UserError
from radgpt.validation import suggestion

SECTION = "decoding"
WORDS = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}
KINDS = {bool: "true or false", int: "a whole number", float: "a number"}
ONLY_SAMPLED = ("temperature", "top_p", "top_k")
"""What says nothing about the likeliest token."""


def names() -> list[str]:
    """The settings that can be changed, in their order."""
    return [field.name for field in fields(Decoding)]


def bare(typed: str) -> str:
    """The name of a setting, typed with or without its section.

    Raises:
        UserError: there is none.
    """
    name = typed.removeprefix(f"{SECTION}.").replace("-", "_")
    if name not in names():
        raise UserError(f"{SECTION}.{name} is no setting{suggestion(name, names(), SECTION + '.{}')}; there are {', '.join(names())}")
    return name


def changed(decoding: Decoding, typed: str, value: str) -> Decoding:
    """The decoding with one setting changed.

    Args:
        decoding: stays as it is.
        typed: the setting, such as `temperature` or `decoding.temperature`.
        value: as on the command line.

    Raises:
        UserError: no such setting, a value of the wrong kind, or one that breaks a rule; the message names the setting.
    """
    name = bare(typed)
    kind = get_type_hints(Decoding)[name]
    try:
        read = WORDS[value.lower()] if kind is bool else kind(value)
    except (KeyError, ValueError):
        raise UserError(f"{SECTION}.{name} takes {KINDS[kind]}") from None
    if read != read or read in (float("inf"), float("-inf")):
        raise UserError(f"{SECTION}.{name} takes a finite number")
    return replace(decoding, **{name: read})


def told(value: bool | int | float) -> str:
    """A value as it is typed."""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def in_short(decoding: Decoding) -> str:
    """`greedy`, or `sampled: temperature 0.75, top_p 0.9, top_k 100`, with the repetition penalty where there is one."""
    parts = [f"{name} {told(getattr(decoding, name))}" for name in ONLY_SAMPLED] if decoding.do_sample else []
    if decoding.repetition_penalty != 1:
        parts.append(f"repetition_penalty {told(decoding.repetition_penalty)}")
    return ": ".join(filter(None, ["sampled" if decoding.do_sample else "greedy", ", ".join(parts)]))
