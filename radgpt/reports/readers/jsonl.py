"""Read reports from a JSONL or CSV file, plain or gzipped."""

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from radgpt.config import Data
from radgpt.errors import UserError
from radgpt.records import Report
from radgpt.reports.sections import as_report

Row = tuple[int, dict[str, Any]]
"""Line number from 1 (of a row's last line in CSV), and column to value."""

HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")
LONGEST_ID = 200
"""Characters; what is longer is a report rather than its id."""


def read(data: Data, seed: int) -> Iterator[Report]:
    """Yield the reports of `data.path`; its suffix (.jsonl or .csv, with or without .gz) says how to read it."""
    assert data.path is not None
    path = Path(data.path).expanduser()
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = suffixes[-1:] == [".gz"]
    rows = {".jsonl": json_rows, ".ndjson": json_rows, ".csv": csv_rows}.get("".join(suffixes[-2:-1] if zipped else suffixes[-1:]))
    if rows is None or not path.is_file():
        raise UserError(f"data.path={data.path} must be a file that ends in .jsonl or .csv, or in one of these and .gz")
    try:
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") if zipped else open(path, encoding="utf-8-sig", newline="") as file:
            for number, row in rows(file, path):
                report_id = identifier(row, "report_id_field", data.report_id_field, path, number)
                patient_id = (
                    report_id if data.patient_id_field is None else identifier(row, "patient_id_field", data.patient_id_field, path, number)
                )
                text = value(row, "text_field", data.text_field, path, number)
                if not is_text(text):
                    raise UserError(f"{path}, line {number}: column '{data.text_field}' (data.text_field) holds no text")
                yield as_report(report_id, patient_id, text)
    except UnicodeDecodeError:
        raise UserError(f"data.path={data.path} is not UTF-8 text; convert it, for example with iconv") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UserError(f"data.path={data.path} is no whole gzip file; make or copy it again") from None


def json_rows(file: TextIO, path: Path) -> Iterator[Row]:
    """Yield the objects of a JSONL file; blank lines are passed over."""
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise UserError(f"{path}, line {number}: not a JSON object; mend or delete that line")
        yield number, row


def csv_rows(file: TextIO, path: Path) -> Iterator[Row]:
    """Yield the rows of a CSV file with a header line."""
    rows = csv.DictReader(file, strict=True)
    try:
        for row in rows:
            if None in row or None in row.values():
                raise UserError(f"{path}, line {rows.line_num}: not as many columns as the header has; mend or delete that line")
            yield rows.line_num, row
    except csv.Error:
        raise UserError(f"{path}, line {rows.line_num}: broken CSV, such as a quotation mark that is not closed") from None


def value(row: dict[str, Any], setting: str, column: str, path: Path, number: int) -> Any:
    """A row's value in a column; raises UserError that names the setting where there is no such column."""
    if column not in row:
        or_none = ", or to null if every report is a patient of its own" if setting == "patient_id_field" else ""
        raise UserError(f"{path}, line {number}: no column '{column}'; set data.{setting} to the right one{or_none}")
    return row[column]


def is_text(found: Any) -> bool:
    """Whether a value is text that can be written again; JSON can spell halves of characters, which cannot."""
    return isinstance(found, str) and not HALF_A_CHARACTER.search(found)


def identifier(row: dict[str, Any], setting: str, column: str, path: Path, number: int) -> str:
    """An id, given as text or a whole number; raises UserError where the value cannot be one."""
    found = value(row, setting, column, path, number)
    text = str(found).strip() if is_text(found) or type(found) is int else ""
    if not text or "\n" in text or len(text) > LONGEST_ID:
        raise UserError(f"{path}, line {number}: column '{column}' holds no id; set data.{setting} to the column of ids")
    return text
