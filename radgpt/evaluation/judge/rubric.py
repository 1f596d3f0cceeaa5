"""Read what answers are graded by: criteria, each with the meaning of its scores."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from radgpt.config import RUBRICS
from radgpt.errors import UserError
from radgpt.records import canonical_digest

FOLDER = Path(__file__).parent / "rubrics"

FORM = "criteria: {NAME: {asks: …, levels: {1: …, 2: …}}} and preference: …"
"""A rubric, as the user is told to write it."""


@dataclass(frozen=True)
class Criterion:
    """One quality that is graded."""

    name: str
    asks: str
    levels: dict[int, str]
    """Score to what it means, lowest first."""


@dataclass(frozen=True)
class Rubric:
    """What answers are graded by."""

    name: str
    """As the setting names it."""
    criteria: tuple[Criterion, ...]
    preference: str
    """What is asked of two answers or more: which is the best, and by what."""
    sha256: str
    """Digest of its content."""

    @property
    def names(self) -> tuple[str, ...]:
        """The criteria's."""
        return tuple(criterion.name for criterion in self.criteria)

    @property
    def lowest(self) -> int:
        """The worst score, of every criterion."""
        return min(self.criteria[0].levels)

    @property
    def highest(self) -> int:
        """The best score, of every criterion."""
        return max(self.criteria[0].levels)


def read_rubric(chosen: str, setting: str) -> Rubric:
    """The rubric that a setting chooses: one that we ship, by name, or a file's.

    Args:
        chosen: the setting's value.
        setting: what a user would type to name it, such as `judge.rubric`.

    Raises:
        UserError: the file cannot be read or holds no rubric; names the key at fault.
    """
    place = FOLDER / f"{chosen}.yaml" if chosen in RUBRICS else Path(chosen).expanduser()
    what = f"{setting}={chosen}"
    try:
        content = yaml.safe_load(place.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no UTF-8"
        raise UserError(f"{what}: cannot be read ({reason}); name a YAML file, or one of {', '.join(RUBRICS)}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise UserError(f"{what}{f', line {mark.line + 1}' if mark else ''}: no YAML; write {FORM}") from None
    if not isinstance(content, dict) or content.keys() != {"criteria", "preference"}:
        raise UserError(f"{what}: must hold the keys criteria and preference and no others; write {FORM}")
    criteria, preference = content["criteria"], content["preference"]
    if not isinstance(criteria, dict) or not criteria:
        raise UserError(f"{what}: criteria: must name at least one; write {FORM}")
    if not isinstance(preference, str) or not preference.strip():
        raise UserError(f"{what}: preference: must ask which answer is better, such as 'Which answer …?'")
    read = tuple(read_criterion(f"{what}: criteria.{name}", name, row) for name, row in criteria.items())
    if odd := [one.name for one in read if one.levels.keys() != read[0].levels.keys()]:
        raise UserError(f"{what}: criteria.{odd[0]}.levels: all criteria need the same scores, here those of {read[0].name}")
    digested = [[[one.name, one.asks, {str(score): text for score, text in one.levels.items()}] for one in read], preference.strip()]
    return Rubric(chosen, read, preference.strip(), canonical_digest(digested))


def read_criterion(place: str, name: Any, row: Any) -> Criterion:
    """One criterion; raises UserError that begins with its place."""
    if not isinstance(name, str) or not name.isidentifier() or name != name.casefold():
        raise UserError(f"{place}: a criterion's name must be of small letters, digits and _, as replies and tables name it")
    if not isinstance(row, dict) or row.keys() != {"asks", "levels"} or not isinstance(row["asks"], str) or not row["asks"].strip():
        raise UserError(f"{place}: must hold asks (a question) and levels; write {FORM}")
    levels = row["levels"]
    if not isinstance(levels, dict) or len(levels) < 2 or not all(type(score) is int for score in levels):
        raise UserError(f"{place}.levels: must give whole numbers, at least two, each with what it means")
    scores = sorted(levels)
    if scores != list(range(scores[0], scores[-1] + 1)) or not 0 <= scores[0] <= scores[-1] <= 9:
        raise UserError(f"{place}.levels: must be one digit each, without a gap, such as 1, 2, 3, 4")
    if not all(isinstance(text, str) and text.strip() for text in levels.values()):
        raise UserError(f"{place}.levels: every score needs a text that says what it means")
    return Criterion(name, row["asks"].strip(), {score: levels[score].strip() for score in scores})
