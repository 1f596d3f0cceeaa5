"""Read rows from a JSONL file: the planner finds lines, whoever loads parses them."""

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

from radgpt.errors import UserError
from radgpt.reports.readers.table_file import TableFile

Item = tuple[TableFile, int | bytes, int]
"""File; the byte that the line begins at or, where the file is zipped, the line itself; line number from 1."""
BLANK = b"\xef\xbb\xbf \t\r\n"
"""What a line may consist of that holds no row; a byte order mark is among it."""


def header(table: TableFile) -> list[str] | None:
    """None: each line names its own columns."""
    return None


def count(table: TableFile) -> int | None:
    """None: lines are counted only as they are read."""
    return None


def items(table: TableFile, wanted: tuple[str, ...]) -> Iterator[Item]:
    """Yield an item for each line that is not blank."""
    offset = 0
    with table.opened("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip(BLANK):
                yield table, line if table.zipped else offset, number
            offset += len(line)


def rows(items: Iterable[Item], wanted: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, row) of each item; raises UserError at a line that is no JSON object."""
    for table, own in groupby(items, key=itemgetter(0)):
        for number, line in lines(table, own):
            place = f"{table.path}, line {number}"
            try:
                row = json.loads(line.decode("utf-8-sig"))
            except UnicodeDecodeError:
                raise UserError(f"{place}: not UTF-8 text; convert the file, for example with iconv") from None
            except (ValueError, RecursionError):
                # Beside what is no JSON, integers of thousands of digits are refused.
                row = None
            if not isinstance(row, dict):
                raise UserError(f"{place}: not a JSON object; mend or delete that line")
            yield place, row


def lines(table: TableFile, items: Iterable[Item]) -> Iterator[tuple[int, bytes]]:
    """Yield (line number, line) of one file's items."""
    if table.zipped:
        for _, line, number in items:
            assert isinstance(line, bytes)
            yield number, line
        return
    with table.opened("rb") as file:
        for _, offset, number in items:
            assert isinstance(offset, int)
            if file.tell() != offset:
                file.seek(offset)
            yield number, file.readline()
