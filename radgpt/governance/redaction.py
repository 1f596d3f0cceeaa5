"""Take what a user typed to chat, which may quote a report, out of the records of a run."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from radgpt.artifacts import write_text

REDACTED = "redacted"

TYPED = re.compile(r"\+{0,2}chat(\.\w+=|=(?=\{))")
"""How a word of the command line begins that sets something of `chat`; `chat=default` only names a file."""


def redacted_words(words: Iterable[str]) -> list[str]:
    """Words of a command line with the values of `chat.*` blotted out."""
    return [f"{name[0]}{REDACTED}" if (name := TYPED.match(word)) else word for word in words]


def redacted_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """A whole config as plain values, with those of `chat` blotted out where they are set."""
    return {**config, "chat": {name: value and REDACTED for name, value in config["chat"].items()}}


def redact_sweep(file: Path) -> None:
    """Blot the values of `chat.*` out of the record that Hydra leaves of a sweep (`multirun.yaml`), whatever class its runs will have."""
    if not file.exists():
        return
    record = yaml.safe_load(file.read_text(encoding="utf-8"))
    hydra = record["hydra"]
    words = redacted_words(hydra["overrides"]["task"])
    if words != hydra["overrides"]["task"]:
        hydra["overrides"]["task"] = words
        hydra["job"]["override_dirname"] = ",".join(sorted(words))
        write_text(file, yaml.safe_dump(redacted_config(record), sort_keys=False, allow_unicode=True))
