"""Read reports from JSONL, CSV or Parquet: one file, or a folder with a file for each split."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, Protocol

from radgpt.config import Data, SplitPolicy
from radgpt.errors import UserError
from radgpt.external import existing, external_file
from radgpt.records import SPLITS
from radgpt.reports.document import Document, Plan
from radgpt.reports.readers import columns, csv_rows, json_lines
from radgpt.reports.readers.splits import SPLIT_NAMES, no_official_split
from radgpt.reports.readers.table_file import TableFile

NO_SPLIT = "set data.split_field to the column that holds it, or data.path to a folder with a file for each split"
FILE_NAME = re.compile(
    r"(?P<name>.+?)(?P<part>-\d+-of-\d+)?(?P<suffix>\.jsonl|\.ndjson|\.jsonl\.gz|\.ndjson\.gz|\.csv|\.csv\.gz|\.parquet)", re.I
)
"""A table's name; Hugging Face's hub spreads a split over parts."""


class Kind(Protocol):
    """What the modules offer that know one kind of file."""

    def header(self, table: TableFile) -> list[str] | None:
        """The columns, where the file tells them once for all rows."""

    def count(self, table: TableFile) -> int | None:
        """The number of rows, where the file tells it."""

    def items(self, table: TableFile, wanted: tuple[str, ...]) -> Iterator[Any]:
        """Yield an item for each row, the file first in it."""

    def rows(self, items: Iterable[Any], wanted: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (place, row) of items; a row may hold more columns than are wanted."""


def digest(data: Data) -> str:
    """The digest of the file's bytes, or of the folder's listing."""
    return external_file("data.path", data.path)


def plan(data: Data, seed: int) -> Plan:
    """List the rows of `data.path`.

    In a folder, files named train, validation (validate, valid, val, dev) and test prescribe their split, and others are not read. If a
    report id stands in several of them, as where each file counts from 0, every report id takes its split before it: `test-12`.
    """
    tables = tables_of(data)
    if data.split is SplitPolicy.official and data.split_field is None and tables[0].split is None:
        raise no_official_split(data, NO_SPLIT)
    for table in tables:
        if (header := kind(table).header(table)) is not None:
            columns.check(data, header, table.path)
    if columns.recurring([(table.split, rows(table, (data.report_id_field,))) for table in tables], data):
        tables = [table._replace(prefixed=True) for table in tables]
    counts = [kind(table).count(table) for table in tables]
    items = chain.from_iterable(kind(table).items(table, columns.wanted(data)) for table in tables)
    return Plan(items, None if None in counts else sum(filter(None, counts)))


def load(data: Data, items: Sequence[Any]) -> Iterator[Document]:
    """Read the reports of some rows."""
    for table, own in groupby(items, key=itemgetter(0)):
        for place, row in kind(table).rows(own, columns.wanted(data)):
            yield columns.document(row, data, place, table.split, table.prefixed)


def kind(table: TableFile) -> Kind:
    """The module that knows how to read a file; pyarrow is imported for Parquet only."""
    if table.suffix == ".parquet":
        from radgpt.reports.readers import parquet

        return parquet
    return csv_rows if table.suffix.startswith(".csv") else json_lines


def tables_of(data: Data) -> list[TableFile]:
    """The file, or those of a folder by split and part; a split that stands alone prescribes nothing, as it leaves no other to fill."""
    path = existing("data.path", data.path)
    if path.is_file():
        if match := FILE_NAME.fullmatch(path.name):
            return [TableFile(str(path), match["suffix"].lower())]
        raise UserError(f"data.path={data.path} must be a file that ends in .jsonl, .csv or .parquet, or in .jsonl.gz or .csv.gz")
    found = [
        (SPLITS.index(SPLIT_NAMES[name]), match["suffix"].lower(), match["part"] or "", file.name)
        for file in path.iterdir()
        if (match := FILE_NAME.fullmatch(file.name)) and (name := match["name"].lower()) in SPLIT_NAMES
    ]
    if not found:
        raise UserError(
            f"data.path={data.path} holds no file such as train.jsonl, validation.csv or test.parquet; give a file, or such a folder"
        )
    whole = [split for split, _, part, _ in found if not part]
    if len(set(whole)) < len(whole) or len({suffix for _, suffix, _, _ in found}) > 1:
        raise UserError(
            f"data.path={data.path} holds a split twice, or splits in files of several kinds; give a folder with one file for each"
        )
    alone = len({split for split, _, _, _ in found}) == 1
    return [TableFile(str(path / name), suffix, None if alone else SPLITS[split]) for split, suffix, _, name in sorted(found)]


def rows(table: TableFile, wanted: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of every row."""
    return kind(table).rows(kind(table).items(table, wanted), wanted)
