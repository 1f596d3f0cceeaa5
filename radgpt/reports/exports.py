"""Write reports for other tools: a Parquet table of everything, and the CSV that MIT-LCP's code makes of MIMIC-CXR."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from radgpt.config import Sectioning
from radgpt.records import SECTIONS, Report, canonical_json
from radgpt.reports import overrides
from radgpt.reports.mit_lcp import CSV_COLUMNS

ROW_GROUP = 4096
"""Reports in a row group of the Parquet table: about 20 MB, all that is held in memory."""


@contextmanager
def parquet_table(path: Path) -> Iterator[Callable[[Report], None]]:
    """Give a function that adds a report to a Parquet table."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    texts = ("report_id", "patient_id", "split", "text", *SECTIONS, "last_paragraph", "findings_provenance", "impression_provenance")
    schema = pyarrow.schema(
        [*((name, pyarrow.string()) for name in texts), ("flags", pyarrow.list_(pyarrow.string())), ("metadata", pyarrow.string())]
    )
    rows: list[dict[str, Any]] = []
    with ParquetWriter(path, schema, compression="zstd") as writer:

        def flush() -> None:
            writer.write_table(pyarrow.Table.from_pylist(rows, schema), row_group_size=ROW_GROUP)
            rows.clear()

        def add(report: Report) -> None:
            rows.append(table_row(report))
            if len(rows) == ROW_GROUP:
                flush()

        yield add
        if rows:
            flush()


def table_row(report: Report) -> dict[str, Any]:
    """A report as a row of the Parquet table; what it has not is null, and metadata are JSON."""
    return {
        "report_id": report.report_id,
        "patient_id": report.patient_id,
        "split": report.split,
        "text": report.text,
        **{name: report.sections.get(name) for name in (*SECTIONS, "last_paragraph")},
        "findings_provenance": provenance(report, "findings"),
        "impression_provenance": provenance(report, "impression"),
        "flags": report.flags,
        "metadata": canonical_json(report.metadata),
    }


@contextmanager
def sectioned_csv(path: Path) -> Iterator[Callable[[list[str | None]], None]]:
    """Give a function that adds a row to a file of mimic_cxr_sectioned.csv's columns, in its dialect."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("study", *CSV_COLUMNS))
        yield writer.writerow


def sectioned_row(report: Report, sectioning: Sectioning) -> list[str | None] | None:
    """A report's row of mimic_cxr_sectioned.csv.

    Split as MIT-LCP's code does, it is theirs: none (None) for studies that they published an override for. Otherwise every report has
    one, and findings without a header stand under last_paragraph.
    """
    if sectioning is Sectioning.mit_lcp and report.report_id in overrides.STUDIES:
        return None
    found = report.sections
    if provenance(report, "findings") == "last_paragraph":
        found = {**found, "last_paragraph": found["findings"], "findings": ""}
    return [report.report_id, *(found.get(name) for name in CSV_COLUMNS)]


def provenance(report: Report, section: str) -> str | None:
    """What says that a section of a report is one, each reason once, such as `header` or `header,override`; None where nothing is known."""
    if section not in report.sections:
        return None
    return ",".join(dict.fromkeys(span.provenance for span in report.spans if span.name == section and span.start < span.end)) or None
