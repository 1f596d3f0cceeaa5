"""Read what a person decided of answers, and let it outweigh what the filters said."""

import json
import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

from radgpt.append_only import is_whole
from radgpt.errors import UserError
from radgpt.instructions.reasons import REJECTED
from radgpt.records import DECISIONS, Decision, JudgedAnswer, canonical_digest, field_checks

BEGINNING = b'{"instruction_id":'
"""How every line that a review writes begins: a file of half a line that does not is of another kind, and must not be cut."""


def judged_sha256(instruction: str, answer: str) -> str:
    """Digest of the two texts that a decision is about, as they were before any edit."""
    return canonical_digest([instruction, answer])


def apply(judged: JudgedAnswer, decision: Decision) -> JudgedAnswer:
    """The answer as its reviewer left it; unchanged where the decision was made on other texts.

    An accepted or edited answer is kept whatever the filters found. An edited answer has no score, problems or evidence: those were of
    the text before.
    """
    if decision.judged_sha256 != judged_sha256(judged.instruction, judged.answer):
        return judged
    match decision.decision:
        case "accept":
            return replace(judged, reason=None, decision="accept")
        case "reject":
            return replace(judged, reason=REJECTED, decision="reject")
        case "edit":
            edited = replace(judged, instruction=decision.instruction or "", answer=decision.answer or "", reason=None, decision="edit")
            return edited if edited.answer == judged.answer else replace(edited, faithfulness=None, problems=[], evidence=[])
        case _:
            return judged


def read_decisions(path: Path) -> dict[str, Decision]:
    """The last decision on each answer, by instruction id, the one made last at the end; withdrawn ones are left out.

    A last line that a killed server left half written is ignored, with a warning.

    Raises:
        UserError: the file is missing, or a line is no decision; the message names the file and the line and never quotes it.
    """
    standing: dict[str, Decision] = {}
    for decision in decision_rows(path):
        standing.pop(decision.instruction_id, None)
        if decision.decision != "withdraw":
            standing[decision.instruction_id] = decision
    return standing


def decision_rows(path: Path) -> Iterator[Decision]:
    """Every row of a file of decisions, in order; raises UserError as `read_decisions` does."""
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                if not line.endswith(b"\n") and not is_whole(line) and (number > 1 or line.startswith(BEGINNING[: len(line)])):
                    print(f"radgpt: {path}, line {number}: half written when a review was killed; ignored", file=sys.stderr, flush=True)
                    return
                yield decision_of(line, f"{path}, line {number}")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except (IsADirectoryError, PermissionError) as error:
        raise UserError(f"{path}: no file of decisions that can be read ({error.strerror})") from None


def decision_of(line: bytes, place: str) -> Decision:
    """The decision that a line holds; raises UserError that begins with its place."""
    try:
        row: Any = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise UserError(f"{place}: not a JSON object; mend or delete that line")
    checks = field_checks(Decision)
    if missing := [field.name for field in fields(Decision) if field.default is MISSING and field.name not in row]:
        raise UserError(f"{place}: no field '{missing[0]}' (a decision has {', '.join(checks)})")
    if strange := sorted(row.keys() - checks.keys()):
        raise UserError(f"{place}: '{strange[0]}' is no field of a decision; mend or delete that line")
    if wrong := [name for name, value in row.items() if not checks[name](value)]:
        raise UserError(f"{place}: '{wrong[0]}' is not what a decision holds there; mend or delete that line")
    decision = Decision(**row)
    if decision.decision not in DECISIONS:
        raise UserError(f"{place}: 'decision' must be one of {', '.join(DECISIONS)}; mend or delete that line")
    if decision.decision == "edit" and not (decision.instruction and decision.answer):
        raise UserError(f"{place}: an edit needs both 'instruction' and 'answer'; mend or delete that line")
    return decision
