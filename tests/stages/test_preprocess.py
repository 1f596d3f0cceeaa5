"""The preprocess stage: what it writes and says, equal bytes for equal reports, and what it says of an empty source or repeated ids."""

import json
import os
import zipfile
from pathlib import Path

import pytest
from reading_documents import SECRET

from radgpt.config import Data, Governance, Sectioning, Source, SplitPolicy
from radgpt.errors import UserError
from radgpt.records import Report, Section, read_records
from radgpt.reports import shards
from radgpt.reports.quality import Flagged, Quality
from radgpt.run import Run
from radgpt.stages import preprocess

ROWS = [
    {"report_id": "a", "patient_id": "p", "text": "FINDINGS: Clear.\nIMPRESSION: Normal."},
    {"report_id": "b", "patient_id": "p", "text": "FINDINGS AND IMPRESSION: Clear."},
    {"report_id": "c", "patient_id": "q", "text": "INDICATION: Cough.\n\nClear lungs."},
    {"report_id": "d", "patient_id": "q", "text": ""},
    {"report_id": "e", "patient_id": "r", "text": "Findings: clear. Impression: normal."},
]
STUDIES = {"p10/p10000032/s50000001": "a", "p10/p10000032/s50000002": "b", "p11/p11000001/s50000003": "c"}
"""Place in MIMIC-CXR's tree to the row that has the text."""


def table(path: Path, rows: list[dict[str, str]] = ROWS, **settings: object) -> Data:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Data(source=Source.table, path=str(path), workers=1, **settings)  # type: ignore[arg-type]


def run_on(directory: Path, data: Data) -> Run:
    directory.mkdir(exist_ok=True)
    run = Run(directory=directory, writes=preprocess.WRITES)
    preprocess.run(run, data, seed=0)
    return run


def test_rows_and_counts(tmp_path: Path) -> None:
    run = run_on(tmp_path / "run", table(tmp_path / "in.jsonl"))
    assert list(read_records(run.path("reports"), Report)) == [
        Report(
            "a",
            "p",
            "FINDINGS: Clear.\nIMPRESSION: Normal.",
            {"findings": "Clear.", "impression": "Normal."},
            spans=[Section("findings", "FINDINGS", "header", 10, 16), Section("impression", "IMPRESSION", "header", 29, 36)],
        ),
        Report(
            "b",
            "p",
            "FINDINGS AND IMPRESSION: Clear.",
            {"findings": "Clear."},
            flags=["merged"],
            spans=[Section("findings", "FINDINGS AND IMPRESSION", "merged", 25, 31)],
        ),
        Report(
            "c",
            "q",
            "INDICATION: Cough.\n\nClear lungs.",
            {"indication": "Cough.", "findings": "Clear lungs."},
            flags=["unheaded"],
            spans=[Section("indication", "INDICATION", "header", 12, 18), Section("findings", "", "last_paragraph", 20, 32)],
        ),
        Report("d", "q", "", {}, flags=["no_narrative"]),
        Report(
            "e",
            "r",
            "Findings: clear. Impression: normal.",
            {"findings": "clear.", "impression": "normal."},
            spans=[Section("findings", "Findings", "header", 10, 16), Section("impression", "Impression", "header", 29, 36)],
        ),
    ]
    assert list(read_records(run.path("flagged"), Flagged)) == [
        Flagged("b", ["merged"]),
        Flagged("c", ["unheaded"]),
        Flagged("d", ["no_narrative"]),
    ]
    assert Quality.from_json(json.loads(run.path("quality").read_text())).ids() == ["a", "b", "c", "d", "e"]
    assert run.path("quality_page").read_text().startswith("<!doctype html>")
    assert run.summary.pop("dataset").startswith("sha256:")
    assert run.summary == {
        "reports": 5,
        "patients": 3,
        "with_findings": 4,
        "with_impression": 2,
        "with_both": 2,
        "merged": 1,
        "unheaded": 1,
        "no_narrative": 1,
        "duplicates": 1,
        "unknown_headers": 0,
        "findings_words": 1,
        "impression_words": 1,
    }
    assert {path.name for path in run.directory.iterdir()} == set(preprocess.WRITES.values())


def write_tree(home: Path) -> None:
    for place, row in STUDIES.items():
        file = home / "files" / f"{place}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text_of(row))


def write_archive(home: Path, method: int) -> None:
    home.mkdir()
    with zipfile.ZipFile(home / "mimic-cxr-reports.zip", "w", method) as archive:
        for place, row in reversed(STUDIES.items()):
            archive.writestr(f"files/{place}.txt", text_of(row))


def text_of(report_id: str) -> str:
    return next(row["text"] for row in ROWS if row["report_id"] == report_id)


def test_equal_reports_make_the_same_dataset_however_they_are_stored(tmp_path: Path) -> None:
    write_tree(tmp_path / "tree")
    write_tree(tmp_path / "copied later")
    for file in (tmp_path / "copied later").rglob("*.txt"):
        os.utime(file, (0, 0))
    write_archive(tmp_path / "zip", zipfile.ZIP_DEFLATED)
    write_archive(tmp_path / "another zip", zipfile.ZIP_STORED)
    stored = {
        "tree": tmp_path / "tree",
        "copied": tmp_path / "copied later",
        "folder": tmp_path / "zip",
        "zip": tmp_path / "another zip" / "mimic-cxr-reports.zip",
    }
    runs = [run_on(tmp_path / name, Data(source=Source.mimic_cxr, path=str(path))) for name, path in stored.items()]
    assert [report.report_id for report in read_records(runs[0].path("reports"), Report)] == ["s50000001", "s50000002", "s50000003"]
    for artifact in ("reports", "flagged", "quality"):
        assert len({run.path(artifact).read_bytes() for run in runs}) == 1
    assert len({run.summary["dataset"] for run in runs}) == 1
    (tmp_path / "tree" / "files" / "p10" / "p10000032" / "s50000001.txt").write_text("FINDINGS: Opaque.")
    assert (
        run_on(tmp_path / "changed", Data(source=Source.mimic_cxr, path=str(stored["tree"]))).summary["dataset"]
        != runs[0].summary["dataset"]
    )


def test_what_a_killed_run_left_is_finished_and_then_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SIZE", 2)
    data = table(tmp_path / "in.jsonl")
    whole = run_on(tmp_path / "whole", data)
    left = tmp_path / "left"
    stale = left / ".shards-0badc0de"
    stale.mkdir(parents=True)
    (stale / "00000.jsonl").write_text("rows of other code\n")
    (stale / "00000.json").write_text("{}")
    (left / ".reports.jsonl.partial").write_text("what a killed run left")
    # Rows in the place of a finished shard show that it is taken.
    (first, *_) = shards.make_shards(left / shards.folder_name(data), data, preprocess.plan(data, 0))
    by_hand = "x" * (first.reports.stat().st_size - 1)
    first.reports.write_text(f"{by_hand}\n")
    run = run_on(left, data)
    expected = whole.path("reports").read_text().splitlines()
    assert run.path("reports").read_text().splitlines() == [by_hand, *expected[2:]]
    assert {path.name for path in left.iterdir()} == set(preprocess.WRITES.values())


def test_made_up_reports_are_the_same_again(tmp_path: Path) -> None:
    first, second = (run_on(tmp_path / name, Data(synthetic_reports=20)) for name in ("one", "two"))
    assert first.path("reports").read_bytes() == second.path("reports").read_bytes()
    assert first.summary["reports"] == 20


@pytest.mark.parametrize(
    ("sectioning", "sections"),
    [
        (Sectioning.radgpt, {"history": "Cough.", "findings": "Clear."}),
        (Sectioning.mit_lcp, {"history": "Cough.", "last_paragraph": "Clear."}),
        (Sectioning.original, {"history": "Cough. Clear."}),
    ],
)
def test_sections_as_the_config_wants_them(tmp_path: Path, sectioning: Sectioning, sections: dict[str, str]) -> None:
    row = {"report_id": "a", "patient_id": "p", "text": " CHEST\n HISTORY: Cough.\n \n Clear.\n"}
    run = run_on(tmp_path / "run", table(tmp_path / "in.jsonl", [row], sections=sectioning))
    assert [report.sections for report in read_records(run.path("reports"), Report)] == [sections]


@pytest.mark.parametrize("governance", Governance)
def test_the_console_shows_words_of_reports_only_where_anybody_may_read_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], governance: Governance
) -> None:
    row = {"report_id": "a", "patient_id": "p", "text": f"{SECRET}: 1 2 3.\n\nFINDINGS: Clear.\n\nIMPRESSION: Normal."}
    run = run_on(tmp_path / "run", table(tmp_path / "in.jsonl", [row], governance=governance))
    told = capsys.readouterr().out
    assert run.summary["unknown_headers"] == 1
    assert "1 report of 1 patient" in told
    assert (f"new headers  1, 1 times: {SECRET} 1" in told) == (governance in (Governance.open, Governance.synthetic))
    assert (SECRET in told) == (governance in (Governance.open, Governance.synthetic))
    assert str(run.path("quality_page")) in told
    assert SECRET not in str(run.summary)


def test_an_empty_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^data\.path=.*in\.jsonl: no reports in it$"):
        run_on(tmp_path / "run", table(tmp_path / "in.jsonl", []))
    assert not [path for path in (tmp_path / "run").iterdir() if path.name in preprocess.WRITES.values()]


def test_repeated_ids_are_refused_by_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SIZE", 2)
    rows = [row | {"report_id": SECRET} if place in (1, 4) else row for place, row in enumerate(ROWS)]
    with pytest.raises(UserError) as caught:
        run_on(tmp_path / "run", table(tmp_path / "in.jsonl", rows))
    assert str(caught.value) == (
        f"data.path={tmp_path / 'in.jsonl'}: reports 2 and 5 have the same id; set data.report_id_field to a column of unique ids"
    )
    assert not [path for path in (tmp_path / "run").iterdir() if path.name in preprocess.WRITES.values()]


def test_a_patient_in_two_prescribed_splits_is_refused_before_anything_is_paid_for(tmp_path: Path) -> None:
    rows = [row | {"split": split} for row, split in zip(ROWS, ("train", "test", "train", "train", "test"), strict=True)]
    data = table(tmp_path / "in.jsonl", rows, split_field="split")
    with pytest.raises(UserError) as refusal:
        run_on(tmp_path / "run", data)
    assert str(refusal.value) == (
        f"data.path={tmp_path / 'in.jsonl'}: the source prescribes more than one split for 1 of its patients; mend its splits, or choose "
        "data.split=patient"
    )
    assert not (tmp_path / "run" / "reports.jsonl").exists()
    assert (
        run_on(tmp_path / "ours", table(tmp_path / "in.jsonl", rows, split_field="split", split=SplitPolicy.patient)).summary["reports"]
        == 5
    )


def test_a_tokenizer_that_cannot_be_loaded_is_told_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.tokenizer=.*nowhere cannot be loaded"):
        run_on(tmp_path / "run", table(tmp_path / "in.jsonl", tokenizer=str(tmp_path / "nowhere")))
    assert list((tmp_path / "run").iterdir()) == []
