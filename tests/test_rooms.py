"""Rooms of the code know only those before them, and the judge of answers nothing of how the teacher reads."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

ROOMS = (
    "clinical",
    "governance",
    "teacher",
    "instructions",
    "review",
    "evaluation",
    "rating",
    "inference",
    "training",
    "export",
    "serving",
    "stages",
)

ROOMS_OF_TRAINING = ("data", "engine", "tuning", "watching", "loop", "planning")
"""`fit.py` beside them joins them; `recipe.py` is known to all."""

PARTS_OF_INFERENCE = ("backend", "endpoint", "local", "opening", "chat")
"""`opening.py` chooses between the two ways to answer; conversations know neither."""


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


@pytest.mark.parametrize("room", ROOMS_OF_TRAINING)
def test_a_room_of_training_knows_none_after_it(room: str) -> None:
    known = list(imported(f"training/{room}"))
    later = tuple(f"radgpt.training.{name}." for name in (*ROOMS_OF_TRAINING[ROOMS_OF_TRAINING.index(room) + 1 :], "fit"))
    assert known and not [(file, module) for file, module in known if module.startswith(later)]


@pytest.mark.parametrize("part", ("endpoint", "local", "chat"))
def test_a_part_of_inference_knows_none_after_it(part: str) -> None:
    known = list(imported(f"inference/{part}"))
    strange = set(PARTS_OF_INFERENCE[PARTS_OF_INFERENCE.index(part) + 1 :]) | ({"endpoint", "local"} - {part})
    modules = tuple(f"radgpt.inference.{name}." for name in strange)
    assert known and not [(file, module) for file, module in known if module.startswith(modules)]


def test_every_room_of_training_has_its_place_in_the_order() -> None:
    rooms = {folder.parent.name for folder in (ROOT / "radgpt" / "training").glob("*/__init__.py")}
    assert rooms == set(ROOMS_OF_TRAINING)


def test_the_judge_does_not_read_as_the_teacher_does() -> None:
    known = list(imported("faithfulness"))
    assert known and not [file for file, module in known if module.startswith("radgpt.teacher")]
