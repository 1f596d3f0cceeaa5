"""The export stage: which files it writes, and what it counts."""

from pathlib import Path

import pyarrow.parquet
import pytest

from radgpt.artifacts import write_records
from radgpt.config import Data, ExportReports, Sectioning
from radgpt.errors import UserError
from radgpt.records import Report
from radgpt.reports.mit_lcp import report_sections
from radgpt.run import Run
from radgpt.stages import export_reports

TEXTS = {
    "s1": " TITLE\n COMPARISON: None, ever.\n FINDINGS: Clear\n lungs.\n IMPRESSION: Normal.\n",
    "s2": " TITLE\n HISTORY:  Cough.\n \n Clear.\n",
    "s50798377": " TITLE\n FINDINGS: No films.\n",
    "s3": "",
}
CSV = b'study,impression,findings,last_paragraph,comparison\r\ns1,Normal.,"Clear\n lungs.",,"None, ever."\r\ns2,,,Clear.,\r\ns3,,,,\r\n'


def run_on(tmp_path: Path, settings: ExportReports, sectioning: Sectioning = Sectioning.mit_lcp) -> Run:
    with write_records(tmp_path / "reports.jsonl") as add:
        for study, text in TEXTS.items():
            sections, spans, flags = report_sections(study, text)
            add(Report(study, "p", text, sections, None, flags, spans))
    run = Run(directory=tmp_path, writes=export_reports.WRITES)
    export_reports.run(run, tmp_path / "reports.jsonl", Data(sections=sectioning), settings)
    return run


def test_both_files_and_counts(tmp_path: Path) -> None:
    run = run_on(tmp_path, ExportReports())
    assert (tmp_path / "exports" / "mimic_cxr_sectioned.csv").read_bytes() == CSV
    table = pyarrow.parquet.read_table(tmp_path / "exports" / "reports.parquet").to_pylist()
    assert [(row["report_id"], row["findings"], row["last_paragraph"], row["flags"]) for row in table] == [
        ("s1", "Clear\n lungs.", None, []),
        ("s2", None, "Clear.", ["unheaded"]),
        ("s50798377", None, None, ["override", "no_narrative"]),
        ("s3", None, None, ["no_narrative"]),
    ]
    assert run.summary == {"reports": 4, "csv_rows": 3, "csv_left_out": 1}


def test_our_own_sections_leave_no_study_out(tmp_path: Path) -> None:
    assert run_on(tmp_path, ExportReports(), Sectioning.radgpt).summary == {"reports": 4, "csv_rows": 4}


@pytest.mark.parametrize(("name", "file"), [("csv", "mimic_cxr_sectioned.csv"), ("parquet", "reports.parquet")])
def test_one_file_alone(tmp_path: Path, name: str, file: str) -> None:
    run_on(tmp_path, ExportReports(formats=[name]))
    assert [path.name for path in (tmp_path / "exports").iterdir()] == [file]


def test_settings_name_what_there_is() -> None:
    with pytest.raises(UserError, match=r"^export_reports\.formats: xlsx is no format; there are parquet and csv$"):
        ExportReports(formats=["csv", "xlsx"])
    with pytest.raises(UserError, match=r"^export_reports\.formats=\[\] names none; there are parquet and csv$"):
        ExportReports(formats=[])
