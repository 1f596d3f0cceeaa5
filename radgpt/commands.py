"""Spell commands that a user can type as they stand."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path


def program() -> list[str]:
    """How radgpt was called: as a script or as the installed command."""
    name = sys.argv[0]
    return ["python", name] if name.endswith(".py") else [Path(name).name]


def command(words: Sequence[str]) -> str:
    """The command line with these overrides, quoted for a shell."""
    return shlex.join([*program(), *words])


def command_to_make(stages: Sequence[str], words: Sequence[str]) -> str:
    """The command line that runs these stages in order under these overrides."""
    last = [f"stage={stages[0]}"] if len(stages) == 1 else ["stage=pipeline", f"pipeline=[{','.join(stages)}]"]
    return command([*words, *last])
