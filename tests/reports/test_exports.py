"""Rows of the exported files, from small hand-written reports."""

import json
from pathlib import Path

import pyarrow.parquet
import pytest

from radgpt.config import Sectioning
from radgpt.records import Report, Section
from radgpt.reports import exports
from radgpt.reports.exports import parquet_table, sectioned_csv, sectioned_row, table_row
from radgpt.reports.mit_lcp import report_sections

REPORT = Report(
    "a",
    "p",
    "FINDINGS: Clear.\nIMPRESSION: Normal.",
    {"findings": "Clear.", "impression": "Normal."},
    "train",
    ["merged"],
    [Section("findings", "FINDINGS", "header", 10, 16), Section("impression", "IMPRESSION", "merged", 29, 36)],
    {"views": ["PA"], "chexpert": {"Edema": 0}},
)
BARE = Report("b", "q", "", {})
ROW = {
    "report_id": "a",
    "patient_id": "p",
    "split": "train",
    "text": "FINDINGS: Clear.\nIMPRESSION: Normal.",
    "examination": None,
    "history": None,
    "indication": None,
    "technique": None,
    "comparison": None,
    "findings": "Clear.",
    "impression": "Normal.",
    "last_paragraph": None,
    "findings_provenance": "header",
    "impression_provenance": "merged",
    "flags": ["merged"],
    "metadata": '{"chexpert":{"Edema":0},"views":["PA"]}',
}


def test_a_row_of_the_table() -> None:
    assert table_row(REPORT) == ROW


def test_the_table_reads_back_in_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "ROW_GROUP", 2)
    with parquet_table(tmp_path / "reports.parquet") as add:
        for _ in range(2):
            add(REPORT)
        add(BARE)
    file = pyarrow.parquet.ParquetFile(tmp_path / "reports.parquet")
    assert file.num_row_groups == 2
    rows = file.read().to_pylist()
    assert rows[:2] == [ROW, ROW]
    assert rows[2]["text"] == "" and rows[2]["split"] is None and rows[2]["flags"] == [] and json.loads(rows[2]["metadata"]) == {}


def test_a_table_of_nothing_has_its_columns(tmp_path: Path) -> None:
    with parquet_table(tmp_path / "reports.parquet"):
        pass
    assert pyarrow.parquet.read_table(tmp_path / "reports.parquet").column_names == list(ROW)


def test_the_csv_has_the_bytes_that_python_writes(tmp_path: Path) -> None:
    with sectioned_csv(tmp_path / "out.csv") as add:
        add(["s1", "Normal.", 'Clear, "dry"\n lungs.', None, ""])
    assert (tmp_path / "out.csv").read_bytes() == (
        b'study,impression,findings,last_paragraph,comparison\r\ns1,Normal.,"Clear, ""dry""\n lungs.",,\r\n'
    )


@pytest.mark.parametrize("study", ["s51491012", "s51410602", "s50798377"])
def test_studies_with_an_override_have_a_row_only_with_our_sections(study: str) -> None:
    report = Report(study, "p", "", {"findings": "Clear."})
    assert sectioned_row(report, Sectioning.mit_lcp) is None
    assert sectioned_row(report, Sectioning.radgpt) == [study, None, "Clear.", None, None]


def test_rows_of_theirs_come_from_the_sections_alone() -> None:
    text = "\n COMPARISON: CT.\n COMPARISON: \n HISTORY: Cough.\n \n Clear\n lungs.\n"
    report = Report("a", "p", text, *report_sections("a", text)[:1])
    assert sectioned_row(report, Sectioning.mit_lcp) == ["a", None, None, "Clear\n lungs.", None]


def test_findings_without_a_header_are_the_last_paragraph() -> None:
    guessed = Section("findings", "", "last_paragraph", 8, 14)
    report = Report("a", "p", "Cough.\n\nClear.", {"findings": "Clear."}, spans=[guessed])
    assert sectioned_row(report, Sectioning.radgpt) == ["a", None, "", "Clear.", None]
    assert table_row(report)["findings"] == "Clear." and table_row(report)["findings_provenance"] == "last_paragraph"


def test_findings_in_part_below_a_header_are_findings() -> None:
    spans = [Section("findings", "FINDINGS", "header", 10, 16), Section("findings", "", "last_paragraph", 17, 23)]
    report = Report("a", "p", "FINDINGS: Clear. Normal", {"findings": "Clear.\n\nNormal"}, spans=spans)
    assert sectioned_row(report, Sectioning.radgpt) == ["a", None, "Clear.\n\nNormal", None, None]
    assert table_row(report)["findings_provenance"] == "header,last_paragraph"
