"""Read rows from a Parquet file: the planner counts them, whoever loads reads on from where it stands, never the whole file at once."""

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import accumulate
from typing import Any

import pyarrow
from pyarrow.parquet import ParquetFile

from radgpt.errors import UserError
from radgpt.reports.readers.table_file import TableFile

Item = tuple[TableFile, int]
"""File and row number from 0."""
BATCH = 512
"""Rows that are decoded at once."""


def header(table: TableFile) -> list[str] | None:
    """The columns."""
    with whole(table.path), ParquetFile(table.path) as file:
        return list(file.schema_arrow.names)


def count(table: TableFile) -> int | None:
    """The number of rows."""
    with whole(table.path), ParquetFile(table.path) as file:
        return int(file.metadata.num_rows)


def items(table: TableFile, wanted: tuple[str, ...]) -> Iterator[Item]:
    """Yield an item for each row."""
    for row in range(count(table) or 0):
        yield table, row


def rows(items: Iterable[Item], wanted: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, row) of each item."""
    for table, number in items:
        with whole(table.path):
            row = cursor(table.path, os.stat(table.path).st_mtime_ns, wanted).row(number)
        yield f"{table.path}, row {number + 1}", row


class Cursor:
    """Some columns of a Parquet file, read front to back.

    Rows are asked for in rising order, so it only steps over what others read, and skips row groups; asked for an earlier row it
    starts that row's group again.
    """

    def __init__(self, path: str, columns: tuple[str, ...]) -> None:
        self.file = ParquetFile(path, memory_map=True)
        self.columns = list(columns)
        sizes = [self.file.metadata.row_group(group).num_rows for group in range(self.file.metadata.num_row_groups)]
        self.starts = [0, *accumulate(sizes)]
        """The first row of each group, and the number of all rows."""
        self.group = -1
        self.first = 0
        self.values: dict[str, list[Any]] = {}
        """The batch that is decoded: its first row, and column to values."""
        self.length = 0
        self.batches: Iterator[Any] = iter(())

    def row(self, number: int) -> dict[str, Any]:
        """The row with this number, from 0."""
        group = bisect_right(self.starts, number) - 1
        if group != self.group or number < self.first:
            self.group, self.first, self.length = group, self.starts[group], 0
            self.batches = self.file.iter_batches(BATCH, row_groups=[group], columns=self.columns, use_threads=False)
        while number >= self.first + self.length:
            batch = next(self.batches)
            self.first += self.length
            self.length = batch.num_rows
            # Values are made only for a batch that a row is wanted of.
            self.values = batch.to_pydict() if number < self.first + self.length else {}
        return {column: values[number - self.first] for column, values in self.values.items()}


@lru_cache(maxsize=2)
def cursor(path: str, changed: int, columns: tuple[str, ...]) -> Cursor:
    """The process's cursor on a file as it was at a time of change."""
    return Cursor(path, columns)


@contextmanager
def whole(path: str) -> Iterator[None]:
    """Turn pyarrow's complaints of a broken file into a line for the user."""
    try:
        yield
    except PermissionError:
        raise
    except (pyarrow.ArrowException, OSError, StopIteration, UnicodeDecodeError):
        raise UserError(f"{path} is no whole Parquet file; make or copy it again") from None
