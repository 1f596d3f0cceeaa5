"""How fields are marked for keys, and how rules refuse."""

from collections.abc import Collection
from dataclasses import field
from typing import Any

from radgpt.errors import UserError


def operational(default: Any = None, *, factory: Any = None) -> Any:
    """A setting that changes how fast or where a stage runs, but not its outcome: left out of the stage's key."""
    if factory is not None:
        return field(default_factory=factory, metadata={"operational": True})
    return field(default=default, metadata={"operational": True})


def external_input(default: Any = None, *, stage: str | Collection[str] | None = None, names: Collection[str] = ()) -> Any:
    """A file that a stage's outcome depends on: its digest, not its place, is what keys hold. A list names several, a mapping
    several by name. `stage`: see `only`.

    `names` may stand instead of a file, for something that we ship.
    """
    metadata = {"external": True, "names": frozenset(names)} | ({"stages": of_stages(stage)} if stage else {})
    if default is not None:
        return field(default_factory=default, metadata=metadata)
    return field(default=None, metadata=metadata)


def only(stage: str | Collection[str], default: Any) -> Any:
    """A setting that one stage alone, or a few, read of a section that others read too: left out of those others' keys, so that no work
    is paid for again."""
    return field(default=default, metadata={"stages": of_stages(stage)})


def of_stages(stage: str | Collection[str]) -> frozenset[str]:
    """One name or several, as a set."""
    return frozenset([stage] if isinstance(stage, str) else stage)


def refuse(broken: bool, message: str) -> None:
    """Raise UserError(message) if a rule is broken."""
    if broken:
        raise UserError(message)
