"""Read rows from a CSV file with a header line; as quoted text may hold line breaks, the planner reads it front to back."""

import csv
from collections.abc import Iterable, Iterator
from typing import IO, Any

from radgpt.errors import UserError
from radgpt.reports.readers.table_file import TableFile

Item = tuple[TableFile, tuple[str, ...], int]
"""File, values of the columns wanted, and line number from 1 of the row's last line."""
LONGEST_FIELD = 1 << 30
"""Characters; by itself the csv module takes what is longer than 131,072 for broken."""


def header(table: TableFile) -> list[str] | None:
    """The columns; None where the file is empty."""
    with table.opened("rt") as file:
        return next(parsed(table, file), (0, None))[1]


def count(table: TableFile) -> int | None:
    """None: rows are counted only as they are read."""
    return None


def items(table: TableFile, wanted: tuple[str, ...]) -> Iterator[Item]:
    """Yield an item for each row."""
    with table.opened("rt") as file:
        lines = parsed(table, file)
        _, names = next(lines, (0, []))
        places = [names.index(column) for column in wanted] if names else []
        for number, row in lines:
            if len(row) != len(names):
                raise UserError(f"{table.path}, line {number}: not as many columns as the header has; mend or delete that line")
            yield table, tuple([row[place] for place in places]), number


def rows(items: Iterable[Item], wanted: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, row) of each item."""
    for table, values, number in items:
        yield f"{table.path}, line {number}", dict(zip(wanted, values, strict=True))


def parsed(table: TableFile, file: IO[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, values) of lines that are not blank, the header first."""
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(file, strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error:
        raise UserError(f"{table.path}, line {reader.line_num}: broken CSV, such as a quotation mark that is not closed") from None
