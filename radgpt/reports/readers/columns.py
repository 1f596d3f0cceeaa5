"""Turn a row of named columns into a report, whatever kind of table it comes from."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from radgpt.config import Data
from radgpt.errors import UserError
from radgpt.records import SECTIONS
from radgpt.reports.document import Document
from radgpt.reports.readers.splits import SPLIT_NAMES

PlacedRows = Iterable[tuple[str, Mapping[str, Any]]]
"""(place to name in messages, row)."""
HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")
LONGEST_ID = 200
"""Characters; what is longer is a report rather than its id."""


def settings(data: Data) -> list[tuple[str, str]]:
    """(setting, the column that it names), for every column that is read."""
    named = [
        ("report_id_field", data.report_id_field),
        ("patient_id_field", data.patient_id_field),
        ("text_field", data.text_field),
        *((f"section_fields.{name}", data.section_fields.get(name)) for name in SECTIONS),
        ("split_field", data.split_field),
    ]
    return [(setting, column) for setting, column in named if column is not None]


def wanted(data: Data) -> tuple[str, ...]:
    """The columns that are read, each once."""
    return tuple(dict.fromkeys(column for _, column in settings(data)))


def check(data: Data, present: Collection[str], place: str) -> None:
    """Raise UserError that names the setting and what it may be if a column is not among those that are there."""
    for setting, column in settings(data):
        if column not in present:
            mend = f"set data.{setting} to the right one"
            if setting == "patient_id_field":
                mend += ", or to null if every report is a patient of its own"
            if setting == "text_field" and data.section_fields:
                mend += ", or to null if data.section_fields hold all there is"
            raise UserError(f"{place}: no column '{column}'; {mend}")


def document(row: Mapping[str, Any], data: Data, place: str, split: str | None = None, prefixed: bool = False) -> Document:
    """The report in a row; `split` is that of the file that the row stands in, `prefixed` as in `recurring`.

    Raises:
        UserError: a column is missing, or holds what cannot be an id, a text or a split; the message gives the place, never the value.
    """
    try:
        report_id = identifier(row, "report_id_field", data.report_id_field, place)
        if prefixed:
            report_id = f"{split}-{report_id}"
        return Document(
            report_id=report_id,
            patient_id=report_id if data.patient_id_field is None else identifier(row, "patient_id_field", data.patient_id_field, place),
            text="" if data.text_field is None else text(row, "text_field", data.text_field, place),
            given=given(row, data, place) if data.section_fields else None,
            split=split if data.split_field is None else split_of(row, data.split_field, place),
        )
    except KeyError:
        check(data, row.keys(), place)
        raise


def identifier(row: Mapping[str, Any], setting: str, column: str, place: str) -> str:
    """An id, given as text or a whole number."""
    found = row[column]
    written = str(found).strip() if is_text(found) or type(found) is int else ""
    if not written or "\n" in written or len(written) > LONGEST_ID:
        raise UserError(f"{place}: column '{column}' holds no id; set data.{setting} to the column of ids")
    return written


def given(row: Mapping[str, Any], data: Data, place: str) -> list[tuple[str, str]]:
    """The sections that the row tells apart, in the order in which reports carry them; blank ones are left out."""
    return [
        (name, written)
        for name in SECTIONS
        if name in data.section_fields and (written := text(row, f"section_fields.{name}", data.section_fields[name], place).strip())
    ]


def text(row: Mapping[str, Any], setting: str, column: str, place: str) -> str:
    """A text as it stands, empty where it is null: such a report is kept and flagged, as an empty one is."""
    found = row[column]
    if found is None:
        return ""
    if not is_text(found):
        raise UserError(f"{place}: column '{column}' (data.{setting}) holds no text; mend that row, or name the column of texts")
    return found


def is_text(found: Any) -> bool:
    """Whether a value is text that can be written again; JSON can spell halves of characters, which cannot."""
    return isinstance(found, str) and not HALF_A_CHARACTER.search(found)


def split_of(row: Mapping[str, Any], column: str, place: str) -> str | None:
    """The split that a row prescribes; None where it is blank."""
    found = row[column]
    if found is None or found == "":
        return None
    split = SPLIT_NAMES.get(found.strip().lower()) if isinstance(found, str) else None
    if split is None:
        raise UserError(f"{place}: column '{column}' (data.split_field) holds none of {', '.join(SPLIT_NAMES)}")
    return split


def recurring(parts: Sequence[tuple[str | None, PlacedRows]], data: Data) -> bool:
    """Whether a report id stands in more than one split, as where each counts from 0, so that each id needs its split before it.

    `parts` are (split, rows with at least the column of ids), read only where there is more than one split.
    """
    if len({split for split, _ in parts}) < 2:
        return False
    splits: dict[str, str | None] = {}
    return any(splits.setdefault(report_id, split) != split for split, rows in parts for report_id in ids_of(rows, data))


def ids_of(rows: PlacedRows, data: Data) -> Iterator[str]:
    """The ids of rows."""
    for place, row in rows:
        if data.report_id_field in row:
            yield identifier(row, "report_id_field", data.report_id_field, place)
