"""Write the sections as a Parquet table and as MIT-LCP's CSV, for other tools."""

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from tqdm import tqdm

from radgpt.artifacts import count_rows
from radgpt.config import Data, ExportReports
from radgpt.records import Report, read_records
from radgpt.reports.exports import parquet_table, sectioned_csv, sectioned_row
from radgpt.run import Run

WRITES = {"exports": "exports"}


def run(run: Run, reports: Path, data: Data, export_reports: ExportReports) -> None:
    """Write `reports.parquet` and `mimic_cxr_sectioned.csv`, as far as asked for, with the reports in their order.

    With `data.sections=mit_lcp` the CSV has the rows that MIT-LCP's create_section_files.py makes of the same files, byte for byte; those
    of a patient stand in the reports' order, theirs in the file system's.
    """
    counts: Counter[str] = Counter(reports=0)
    rows = tqdm(read_records(reports, Report), total=count_rows(reports), desc="export_reports", unit=" reports", disable=None)
    with run.write_folder("exports") as folder, ExitStack() as files:
        to_parquet = to_csv = None
        if "parquet" in export_reports.formats:
            to_parquet = files.enter_context(parquet_table(folder / "reports.parquet"))
        if "csv" in export_reports.formats:
            to_csv = files.enter_context(sectioned_csv(folder / "mimic_cxr_sectioned.csv"))
        for report in rows:
            counts["reports"] += 1
            if to_parquet:
                to_parquet(report)
            if to_csv:
                row = sectioned_row(report, data.sections)
                if row is not None:
                    to_csv(row)
                counts["csv_rows" if row is not None else "csv_left_out"] += 1
    run.summarise(**counts)
