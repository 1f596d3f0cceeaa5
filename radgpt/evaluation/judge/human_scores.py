"""Read people's scores from a CSV file, as `stage=rate` or a spreadsheet writes it."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from radgpt.errors import UserError

REQUIRED = ("id", "criterion", "score")
OPTIONAL = ("system", "rater")
"""Further columns are passed over."""


@dataclass(frozen=True)
class HumanScore:
    """What one person gave one answer. Holds no text."""

    id: str
    """The question's, as `pair_id` of the predictions."""
    criterion: str
    score: float
    system: str
    """Whose answer it is; empty where the file does not say."""
    rater: str
    """Who gave it; empty where the file does not say."""


def read_human_scores(path: Path, setting: str = "evaluation.human_scores") -> list[HumanScore]:
    """The scores of a CSV file with a header line, in its order.

    Raises:
        UserError: the file cannot be read, lacks a column, or a line is broken or gives the same rater's score of the same answer again;
            names the line and quotes nothing of it.
    """
    found: dict[tuple[str, str, str, str], tuple[int, HumanScore]] = {}
    for number, score in score_rows(path, setting):
        key = (score.id, score.system, score.criterion, score.rater)
        if key in found:
            raise UserError(
                f"{setting}={path}, line {number}: same id, criterion, system and rater as line {found[key][0]}; delete one of the two"
            )
        found[key] = (number, score)
    if not found:
        raise UserError(f"{setting}={path}: holds no score")
    return [score for _, score in found.values()]


def score_rows(path: Path, setting: str) -> Iterator[tuple[int, HumanScore]]:
    """Yield (line number, score); raises UserError as `read_human_scores` does."""
    what = f"{setting}={path}"
    place = path.expanduser()
    if place.is_dir():
        raise UserError(f"{what}: a folder; name a CSV file")
    try:
        with open(place, encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            names = [name.strip().casefold() for name in next(lines, [])]
            if missing := [name for name in REQUIRED if name not in names]:
                raise UserError(f"{what}, line 1: no column '{missing[0]}' (wanted: {', '.join(REQUIRED)}, perhaps {', '.join(OPTIONAL)})")
            if twice := [name for name in (*REQUIRED, *OPTIONAL) if names.count(name) > 1]:
                raise UserError(f"{what}, line 1: two columns '{twice[0]}'; delete one")
            for row in lines:
                if any(cell.strip() for cell in row):
                    yield lines.line_num, score_of(names, row, f"{what}, line {lines.line_num}")
    except csv.Error:
        raise UserError(f"{what}, line {lines.line_num}: broken CSV, such as a quotation mark that is not closed") from None
    except UnicodeDecodeError:
        raise UserError(f"{what}: is not UTF-8 text; save it as CSV in UTF-8") from None
    except OSError as error:
        raise UserError(f"{what}: cannot be read ({error.strerror})") from None


def score_of(names: list[str], row: list[str], place: str) -> HumanScore:
    """The score on one line; raises UserError that begins with its place."""
    if len(row) != len(names):
        raise UserError(f"{place}: {len(row)} columns, and the header has {len(names)}; mend or delete that line")
    cells = dict(zip(names, map(str.strip, row), strict=True))
    if empty := [name for name in REQUIRED if not cells[name]]:
        raise UserError(f"{place}: no {empty[0]}; mend or delete that line")
    try:
        score = float(cells["score"])
    except ValueError:
        score = float("nan")
    if not isfinite(score):
        raise UserError(f"{place}: its score is no number; mend or delete that line")
    return HumanScore(cells["id"], cells["criterion"].casefold(), score, cells.get("system", ""), cells.get("rater", ""))
