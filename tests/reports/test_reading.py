"""Reading reports from each source, and what a user is told when the source is not as it should be."""

import gzip
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from radgpt.config import Data, Source
from radgpt.errors import UserError
from radgpt.records import Report
from radgpt.reports.reading import read_reports

SECRET = "SECRETWORD"
"""Stands in report text; no message may hold it."""


def read(source: Source, path: Path, **settings: object) -> list[Report]:
    return list(read_reports(Data(source=source, path=str(path), **settings), seed=0))  # type: ignore[arg-type]


def refusal(source: Source, path: Path, **settings: object) -> str:
    with pytest.raises(UserError) as caught:
        read(source, path, **settings)
    message = str(caught.value)
    assert SECRET not in message
    assert "\n" not in message
    return message


def ids(reports: list[Report]) -> list[tuple[str, str]]:
    return [(report.report_id, report.patient_id) for report in reports]


# MIMIC-CXR


@pytest.fixture
def mimic(tmp_path: Path) -> Path:
    for subject, study in ((10000032, 50000002), (10000032, 50000001), (11000001, 50000003)):
        folder = tmp_path / "files" / f"p{str(subject)[:2]}" / f"p{subject}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"s{study}.txt").write_text(f" FINAL REPORT\n FINDINGS:  {SECRET} {study}.\n")
    return tmp_path


def write_gz(path: Path, text: str) -> None:
    with gzip.open(path, "wt", newline="") as file:
        file.write(text)


def study_list(root: Path, *studies: tuple[int, int]) -> None:
    lines = [f"{subject},{study},files/p{str(subject)[:2]}/p{subject}/s{study}.txt\n" for subject, study in studies]
    write_gz(root / "cxr-study-list.csv.gz", "subject_id,study_id,path\n" + "".join(lines))


def test_mimic_tree_is_walked_in_sorted_order(mimic: Path) -> None:
    reports = read(Source.mimic_cxr, mimic)
    assert ids(reports) == [("s50000001", "p10000032"), ("s50000002", "p10000032"), ("s50000003", "p11000001")]
    assert reports[0].sections == {"findings": f"{SECRET} 50000001."}
    assert reports[0].split is None


def test_mimic_study_list_says_which_and_in_which_order(mimic: Path) -> None:
    study_list(mimic, (11000001, 50000003), (10000032, 50000002))
    assert ids(read(Source.mimic_cxr, mimic)) == [("s50000003", "p11000001"), ("s50000002", "p10000032")]


def test_mimic_splits_come_from_the_split_file(mimic: Path) -> None:
    write_gz(
        mimic / "mimic-cxr-2.0.0-split.csv.gz",
        "dicom_id,study_id,subject_id,split\na,50000001,10000032,train\nb,50000001,10000032,train\nc,50000003,11000001,validate\n",
    )
    assert [report.split for report in read(Source.mimic_cxr, mimic)] == ["train", None, "validation"]


def test_mimic_report_in_latin_1_is_read(mimic: Path) -> None:
    (mimic / "files/p10/p10000032/s50000001.txt").write_bytes(b"FINDINGS: 37\xb0.")
    assert read(Source.mimic_cxr, mimic, limit=1)[0].sections == {"findings": "37°."}


def test_mimic_wrong_roots_are_named(mimic: Path, tmp_path: Path) -> None:
    assert f"is the `files` folder itself; give the one that holds it: data.path={mimic}" in refusal(Source.mimic_cxr, mimic / "files")
    assert "is no folder; unpack mimic-cxr-reports.zip" in refusal(Source.mimic_cxr, mimic / "files/p10/p10000032/s50000001.txt")
    assert "holds no folder `files`; give the folder that" in refusal(Source.mimic_cxr, mimic / "files/p10")


def test_mimic_cxr_jpg_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "files/p10/p10000032/s50000001").mkdir(parents=True)
    write_gz(tmp_path / "mimic-cxr-2.0.0-chexpert.csv.gz", "")
    assert "looks like MIMIC-CXR-JPG, which has no reports" in refusal(Source.mimic_cxr, tmp_path)
    study_list(tmp_path, (10000032, 50000001))
    assert "looks like MIMIC-CXR-JPG, which has no reports" in refusal(Source.mimic_cxr, tmp_path)


def test_mimic_zip_or_folder_below_is_pointed_out(tmp_path: Path) -> None:
    (tmp_path / "mimic-cxr-reports.zip").touch()
    assert "unpack mimic-cxr-reports.zip there" in refusal(Source.mimic_cxr, tmp_path)
    (tmp_path / "mimic-cxr-reports" / "files").mkdir(parents=True)
    assert f"data.path={tmp_path / 'mimic-cxr-reports'}" in refusal(Source.mimic_cxr, tmp_path)


def test_mimic_listed_report_that_is_missing_is_named(mimic: Path) -> None:
    study_list(mimic, (10000032, 50000001), (10000032, 50000009))
    message = refusal(Source.mimic_cxr, mimic)
    assert "line 3" in message and "s50000009.txt is not there; complete the download" in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"not gzip", "no whole gzipped CSV file"),
        (gzip.compress(b"subject_id,study_id,path\n")[:-12], "no whole gzipped CSV file"),
        (gzip.compress(b"subject,study,path\n1,2,3\n"), "no column 'subject_id'"),
        (gzip.compress(b"subject_id,study_id,path\n1\n"), "line 2: too few columns"),
        (gzip.compress(b"subject_id,study_id,path\n10000032,50000001,files/p10/p10000032/s50000002.txt\n"), "path and ids disagree"),
    ],
)
def test_mimic_broken_study_list(mimic: Path, content: bytes, expected: str) -> None:
    (mimic / "cxr-study-list.csv.gz").write_bytes(content)
    assert expected in refusal(Source.mimic_cxr, mimic)


def test_study_listed_twice_is_refused(mimic: Path) -> None:
    study_list(mimic, (10000032, 50000001), (11000001, 50000003), (10000032, 50000001))
    assert "reports 1 and 3 have the same id" in refusal(Source.mimic_cxr, mimic)


# Open-i


def openi_xml(number: int, **sections: str) -> str:
    parts = "".join(f'<AbstractText Label="{label.upper()}">{text}</AbstractText>' for label, text in sections.items())
    return f'<?xml version="1.0" encoding="utf-8"?><eCitation><uId id="CXR{number}"/><Abstract>{parts}</Abstract></eCitation>'


@pytest.fixture
def openi(tmp_path: Path) -> Path:
    folder = tmp_path / "ecgen-radiology"
    folder.mkdir()
    (folder / "10.xml").write_text(openi_xml(10, comparison="", findings="", impression=""))
    (folder / "2.xml").write_text(
        openi_xml(2, comparison="None.", indication="Cough &amp; fever.", findings="Clear\n lungs.", impression="Normal.")
    )
    (folder / "._2.xml").write_bytes(b"\x00\x05")
    return tmp_path


def test_openi_sections_come_from_labels(openi: Path) -> None:
    reports = read(Source.openi, openi)
    assert ids(reports) == [("CXR2", "CXR2"), ("CXR10", "CXR10")]
    assert reports[0].sections == {
        "indication": "Cough & fever.",
        "comparison": "None.",
        "findings": "Clear lungs.",
        "impression": "Normal.",
    }
    assert reports[0].text == "COMPARISON: None.\n\nINDICATION: Cough & fever.\n\nFINDINGS: Clear lungs.\n\nIMPRESSION: Normal."
    assert (reports[1].text, reports[1].sections, reports[1].flags) == ("", {}, ["no_narrative"])


def test_openi_archive_reads_as_its_folder(openi: Path, tmp_path: Path) -> None:
    archive = tmp_path / "NLMCXR_reports.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(openi / "ecgen-radiology", "ecgen-radiology")
    assert read(Source.openi, archive) == read(Source.openi, openi)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f"<eCitation>{SECRET}", "1.xml, line 1: broken XML"),
        (f"<eCitation><a>{SECRET}</a></eCitation>", "1.xml: no uId"),
        (f'<!DOCTYPE a [<!ENTITY x "{SECRET}">]><a>&x;</a>', "1.xml: not an Open-i report, as it declares a document type"),
        (f'<?xml version="1.0" encoding="nonsense"?><a>{SECRET}</a>', "1.xml"),
        ("", "1.xml, line 1: broken XML"),
    ],
)
def test_openi_broken_file_is_named(tmp_path: Path, content: str, expected: str) -> None:
    (tmp_path / "1.xml").write_text(content)
    assert expected in refusal(Source.openi, tmp_path)


def test_openi_without_reports(tmp_path: Path) -> None:
    assert "holds no .xml file" in refusal(Source.openi, tmp_path)
    (tmp_path / "a.tgz").write_bytes(b"no archive")
    assert "is no whole tar archive" in refusal(Source.openi, tmp_path / "a.tgz")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo("1.xml")
        member.size = 50_000
        tar.addfile(member, io.BytesIO(os.urandom(50_000)))
    (tmp_path / "a.tgz").write_bytes(buffer.getvalue()[:20_000])
    assert "is no whole tar archive" in refusal(Source.openi, tmp_path / "a.tgz")


# JSONL and CSV

ROWS: list[dict[str, object]] = [
    {"report_id": "a", "patient_id": 7, "text": f"FINDINGS: {SECRET}."},
    {"report_id": 2, "patient_id": "p", "text": "Clear."},
]


def json_lines(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize("name", ["r.jsonl", "r.JSONL", "r.v2.jsonl.gz"])
def test_jsonl(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    content = ("\ufeff" + json_lines(ROWS).replace("\n", "\n\n")).encode()
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    reports = read(Source.jsonl, path)
    assert ids(reports) == [("a", "7"), ("2", "p")]
    assert reports[0].sections == {"findings": f"{SECRET}."}


@pytest.mark.parametrize("name", ["r.csv", "r.csv.gz"])
def test_csv_keeps_line_breaks_within_quotes(tmp_path: Path, name: str) -> None:
    content = b'\xef\xbb\xbfnote,id\r\n"FINDINGS: ""Clear"".\r\nIMPRESSION: Normal.",x\r\n'
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    reports = read(Source.jsonl, tmp_path / name, report_id_field="id", patient_id_field=None, text_field="note")
    assert ids(reports) == [("x", "x")]
    assert reports[0].sections == {"findings": '"Clear".', "impression": "Normal."}


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("r.jsonl", json_lines(ROWS[:1]) + f'{{"text": "{SECRET}\n', "line 2: not a JSON object"),
        ("r.jsonl", f'["{SECRET}"]\n', "line 1: not a JSON object"),
        ("r.jsonl", "[" * 200_000, "line 1: not a JSON object"),
        ("r.jsonl", json_lines([{"report_id": "a", "text": SECRET}]), "line 1: no column 'patient_id'; set data.patient_id_field"),
        ("r.jsonl", json_lines([{"id": SECRET}]), "line 1: no column 'report_id'; set data.report_id_field"),
        ("r.jsonl", json_lines([{**ROWS[0], "text": None}]), "line 1: column 'text' (data.text_field) holds no text"),
        ("r.jsonl", json_lines([{**ROWS[0], "text": "\ud800"}]), "line 1: column 'text' (data.text_field) holds no text"),
        ("r.jsonl", json_lines([{**ROWS[0], "report_id": f"{SECRET}\n{SECRET}"}]), "line 1: column 'report_id' holds no id"),
        ("r.jsonl", json_lines([{**ROWS[0], "patient_id": 1.5}]), "line 1: column 'patient_id' holds no id"),
        ("r.jsonl", json_lines([ROWS[0], ROWS[1], ROWS[0]]), "reports 1 and 3 have the same id; set data.report_id_field"),
        ("r.csv", f"report_id,patient_id,text\na,b\n{SECRET},c,d\n", "line 2: not as many columns"),
        ("r.csv", f"report_id,patient_id,text\na,b,{SECRET},d\n", "line 2: not as many columns"),
        ("r.csv", f'report_id,patient_id,text\na,b,"{SECRET}\n', "broken CSV"),
        ("r.csv", f"{SECRET},b\n1,2\n", "line 2: no column 'report_id'"),
        ("r.txt", SECRET, "must be a file that ends in .jsonl or .csv"),
        ("r.gz", SECRET, "must be a file that ends in .jsonl or .csv"),
        ("r.jsonl.gz", SECRET, "is no whole gzip file"),
    ],
)
def test_broken_tables_are_refused_by_line(tmp_path: Path, name: str, content: str, expected: str) -> None:
    (tmp_path / name).write_text(content)
    assert expected in refusal(Source.jsonl, tmp_path / name)


def test_text_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_bytes(b"report_id,patient_id,text\na,b,37\xb0\n")
    assert "is not UTF-8 text" in refusal(Source.jsonl, tmp_path / "r.csv")


# All sources


@pytest.mark.parametrize("source", [Source.mimic_cxr, Source.openi, Source.jsonl])
def test_missing_path(source: Source, tmp_path: Path) -> None:
    assert refusal(source, tmp_path / "nowhere") == f"data.path={tmp_path / 'nowhere'} does not exist"


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.csv"
    path.touch()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("radgpt.reports.readers.jsonl.open", refuse, raising=False)
    assert refusal(Source.jsonl, path) == f"data.path={path}: no permission to read {path}"


def test_limit_reads_no_further(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text(json_lines(ROWS[:1]) + "broken\n")
    assert ids(read(Source.jsonl, tmp_path / "r.jsonl", limit=1)) == [("a", "7")]


def test_home_folder_is_understood(mimic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(mimic.parent))
    assert len(read(Source.mimic_cxr, Path("~") / mimic.name)) == 3
