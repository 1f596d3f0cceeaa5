"""Rooms of the code know only those before them, and the judge of answers nothing of how the teacher reads."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

ROOMS = ("clinical", "governance", "teacher", "instructions", "review", "export", "stages")


def imported(room: str) -> Iterator[tuple[Path, str]]:
    """(file, module of radgpt) for every import in a room."""
    for file in (ROOT / "radgpt" / room).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                yield from ((file, f"{node.module}.{alias.name}") for alias in node.names)
            elif isinstance(node, ast.Import):
                yield from ((file, alias.name) for alias in node.names)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_knows_none_after_it(room: str) -> None:
    known = list(imported(room))
    later = tuple(f"radgpt.{name}." for name in ROOMS[ROOMS.index(room) + 1 :])
    # The list of stages is known to all; what a stage does, to none.
    upward = [(file, module) for file, module in known if module.startswith(later) and not module.startswith("radgpt.stages.Stage")]
    assert known and not upward


def test_the_judge_does_not_read_as_the_teacher_does() -> None:
    known = list(imported("faithfulness"))
    assert known and not [file for file, module in known if module.startswith("radgpt.teacher")]
