"""Read a judge's reply: one JSON object of the form asked for, whatever stands around it; anything else is no grade."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from radgpt.config import Grading
from radgpt.evaluation.judge.judgement import TIE

BETTER = "better"
"""The key of a pairwise reply."""
MARK = "mark"
"""The key that repeats the prompt's mark, where one is asked for."""

UNREADABLE = "unreadable"
"""Why a reply counts as missing: it holds no object of the form, with scores on the scale, for every criterion."""
CONTRADICTORY = "contradictory"
"""It holds several that differ."""

Scores = dict[str, dict[str, int]]
"""Label to criterion to score."""


@dataclass(frozen=True)
class Form:
    """What a usable reply holds."""

    grading: Grading
    labels: tuple[str, ...]
    criteria: tuple[str, ...]
    lowest: int
    highest: int
    mark: str | None = None
    """What the reply must repeat; None where nothing in the texts could be taken for a reply."""

    @property
    def shown(self) -> str:
        """The form, as the judge is told it."""
        scores = ", ".join(f'"{name}": …' for name in self.criteria)
        match self.grading:
            case Grading.pairwise:
                inside = f'"{BETTER}": "…"'
            case Grading.together:
                inside = ", ".join(f'"{label}": {{{scores}}}' for label in self.labels)
            case Grading.single:
                inside = scores
        marked = f'"{MARK}": "{self.mark}", ' if self.mark else ""
        return f"{{{marked}{inside}}}"

    def reads(self, found: Mapping[str, Any]) -> Scores | str | None:
        """What an object says: scores, or the label of the better answer or TIE; None if it is not of this form.

        An object that wraps one of this form, as `{"scores": {…}}` does, says what that one says.
        """
        if self.mark is not None and found.get(MARK) != self.mark:
            return None
        return self._unmarked(found, depth=2)

    def _unmarked(self, found: Mapping[str, Any], depth: int) -> Scores | str | None:
        said: Scores | str | None
        match self.grading:
            case Grading.pairwise:
                said = self._better(found)
            case Grading.together:
                rows = {label: self._scores(found.get(label.casefold())) for label in self.labels}
                said = {label: row for label, row in rows.items() if row is not None}
                said = said if len(said) == len(self.labels) else None
            case Grading.single:
                row = self._scores(found)
                said = None if row is None else {self.labels[0]: row}
        if said is not None or depth == 0:
            return said
        inner = [self._unmarked(value, depth - 1) for value in found.values() if isinstance(value, dict)]
        readings = [reading for reading in inner if reading is not None]
        return readings[0] if len(readings) == 1 else None

    def _scores(self, found: Any) -> dict[str, int] | None:
        """Criterion to score; None unless every criterion has one on the scale."""
        if not isinstance(found, dict):
            return None
        scores = {name: whole(found.get(name.casefold())) for name in self.criteria}
        read = {name: score for name, score in scores.items() if score is not None and self.lowest <= score <= self.highest}
        return read if len(read) == len(self.criteria) else None

    def _better(self, found: Mapping[str, Any]) -> str | None:
        value = found.get(BETTER)
        if not isinstance(value, str):
            return None
        word = value.strip().casefold()
        return next((known for known in (*self.labels, TIE) if word == known.casefold()), None)


def read_reply(text: str, form: Form) -> tuple[Scores | str | None, str | None]:
    """(what a reply says, None), or (None, why it says nothing): UNREADABLE or CONTRADICTORY."""
    readings = [reading for found in objects_in(text) if (reading := form.reads(found)) is not None]
    if not readings:
        return None, UNREADABLE
    if any(reading != readings[0] for reading in readings):
        return None, CONTRADICTORY
    return readings[0], None


def objects_in(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects that stand in a text, outermost ones only, keys in lower case; one that gives a key twice is none."""
    place = text.find("{")
    while place >= 0:
        try:
            found, end = DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            yield found
        place = text.find("{", end)


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of its keys in lower case; raises ValueError where one is given twice, as nobody knows which counts."""
    made = {name.strip().casefold(): value for name, value in pairs}
    if len(made) < len(pairs):
        raise ValueError
    return made


DECODER = json.JSONDecoder(object_pairs_hook=without_repeats)


def whole(value: Any) -> int | None:
    """A whole number, written as one, as `3.0`, or as a text; None for anything else."""
    if isinstance(value, str):
        value = value.strip()
        return int(value) if len(value) == 1 and value.isascii() and value.isdigit() else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value == value and abs(value) < 100 and value == int(value) else None
