"""The preprocess stage: rows, counts and what it says of an empty source."""

import json
from pathlib import Path

import pytest

from radgpt.config import Data, Source
from radgpt.errors import UserError
from radgpt.records import Report, read_records
from radgpt.run import Run
from radgpt.stages import preprocess


def run_on(tmp_path: Path, data: Data) -> Run:
    run = Run(directory=tmp_path, writes=preprocess.WRITES)
    preprocess.run(run, data, seed=0)
    return run


def test_rows_and_counts(tmp_path: Path) -> None:
    rows = [
        {"report_id": "a", "patient_id": "p", "text": "FINDINGS: Clear.\nIMPRESSION: Normal."},
        {"report_id": "b", "patient_id": "p", "text": "FINDINGS AND IMPRESSION: Clear."},
        {"report_id": "c", "patient_id": "q", "text": "INDICATION: Cough.\n\nClear lungs."},
        {"report_id": "d", "patient_id": "q", "text": ""},
    ]
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = run_on(tmp_path, Data(source=Source.jsonl, path=str(path)))
    assert list(read_records(run.path("reports"), Report)) == [
        Report("a", "p", rows[0]["text"], {"findings": "Clear.", "impression": "Normal."}),
        Report("b", "p", rows[1]["text"], {"findings": "Clear."}, flags=["merged"]),
        Report("c", "q", rows[2]["text"], {"indication": "Cough.", "findings": "Clear lungs."}, flags=["unheaded"]),
        Report("d", "q", "", {}, flags=["no_narrative"]),
    ]
    assert run.summary == {
        "reports": 4,
        "patients": 2,
        "with_findings": 3,
        "with_impression": 1,
        "merged": 1,
        "unheaded": 1,
        "no_narrative": 1,
    }


def test_same_bytes_again(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / ".reports.jsonl.partial").write_text("what a killed run left")
    first, second = (run_on(tmp_path / name, Data(synthetic_reports=20)) for name in ("one", "two"))
    assert first.path("reports").read_bytes() == second.path("reports").read_bytes()
    assert first.summary["reports"] == 20


def test_empty_source_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(UserError, match=r"data\.path=.*empty\.jsonl: no reports in it"):
        run_on(tmp_path, Data(source=Source.jsonl, path=str(tmp_path / "empty.jsonl")))
    assert not (tmp_path / "reports.jsonl").exists()
