"""Reports in JSONL, CSV and Parquet: columns, sections, splits, and what is said of a broken row."""

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet
from reading_documents import SECRET, documents, ids, refusal

from radgpt.config import Data, Sectioning, Source, SplitPolicy
from radgpt.reports import reading
from radgpt.reports.document import Document
from radgpt.reports.sectioning import as_report

Rows = list[dict[str, Any]]

ROWS: Rows = [
    {"report_id": "a", "patient_id": 7, "text": f"FINDINGS: {SECRET}."},
    {"report_id": 2, "patient_id": "p", "text": "Clear."},
]


def table(path: Path, **settings: object) -> Data:
    return Data(source=Source.table, path=str(path), **settings)  # type: ignore[arg-type]


def json_lines(rows: Rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def write(path: Path, rows: Rows) -> Path:
    """A table of the kind that the file's name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=3)
        return path
    if ".csv" in path.name:
        file = io.StringIO(newline="")
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        content = file.getvalue().encode()
    else:
        content = json_lines(rows).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", ["r.jsonl", "r.JSONL", "r.v2.jsonl.gz", "r.ndjson"])
def test_json_lines_with_a_byte_order_mark_and_blank_lines(tmp_path: Path, name: str) -> None:
    content = ("\ufeff" + json_lines(ROWS).replace("\n", "\n \n")).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert documents(table(tmp_path / name)) == [Document("a", "7", f"FINDINGS: {SECRET}."), Document("2", "p", "Clear.")]


@pytest.mark.parametrize("name", ["r.csv", "r.csv.gz"])
def test_csv_keeps_line_breaks_within_quotes(tmp_path: Path, name: str) -> None:
    content = b'\xef\xbb\xbfnote,id\r\n"FINDINGS: ""Clear"".\r\nIMPRESSION: Normal.",x\r\n'
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    found = documents(table(tmp_path / name, report_id_field="id", patient_id_field=None, text_field="note"))
    assert found == [Document("x", "x", 'FINDINGS: "Clear".\r\nIMPRESSION: Normal.')]


@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz", "r.csv", "r.csv.gz", "r.parquet"])
@pytest.mark.parametrize("batch", [1, 4, 100])
def test_every_kind_gives_the_same_however_it_is_shared_out(tmp_path: Path, name: str, batch: int) -> None:
    rows: Rows = [{"report_id": f"r{n}", "patient_id": f"p{n // 2}", "text": f"Report {n}, 37 °C.", "other": "x"} for n in range(11)]
    data = table(write(tmp_path / name, rows))
    assert documents(data, batch=batch) == [Document(row["report_id"], row["patient_id"], row["text"]) for row in rows]
    assert ids(documents(table(tmp_path / name, limit=3))) == [("r0", "p0"), ("r1", "p0"), ("r2", "p1")]


def test_parquet_rows_are_read_in_any_order(tmp_path: Path) -> None:
    rows: Rows = [{"report_id": n, "patient_id": n, "text": f"Report {n}."} for n in range(2000)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "r.parquet", row_group_size=900)
    data = table(tmp_path / "r.parquet")
    plan = reading.plan(data, seed=0)
    assert plan.total == 2000
    items = list(plan.items)
    for start, end in ((1000, 1010), (0, 5), (1700, 2000), (1790, 1810), (600, 1000)):
        assert [document.text for document in reading.load(data, items[start:end])] == [f"Report {n}." for n in range(start, end)]


def test_csv_reads_long_fields(tmp_path: Path) -> None:
    long = "x" * 200_000
    assert documents(table(write(tmp_path / "r.csv", [{**ROWS[0], "text": long}])))[0].text == long


@pytest.mark.parametrize("name", ["r.jsonl", "r.parquet"])
def test_a_text_that_is_null_is_an_empty_report(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, [{**ROWS[1], "text": None}, {**ROWS[1], "report_id": 3}])
    assert documents(table(path)) == [Document("2", "p", ""), Document("3", "p", "Clear.")]
    assert as_report(documents(table(path))[0], Sectioning.radgpt).flags == ["no_narrative"]


@pytest.mark.parametrize("name", ["r.jsonl", "r.csv", "r.parquet"])
def test_columns_of_sections(tmp_path: Path, name: str) -> None:
    rows: Rows = [
        {"idx": 1, "why": "Cough.", "seen": " Clear lungs.\n", "meant": "Normal.", "note": "All of it."},
        {"idx": 2, "why": "", "seen": " ", "meant": "Normal.", "note": ""},
    ]
    columns = {"impression": "meant", "findings": "seen", "indication": "why"}
    data = table(write(tmp_path / name, rows), report_id_field="idx", patient_id_field=None, text_field=None, section_fields=columns)
    assert documents(data) == [
        Document("1", "1", "", [("indication", "Cough."), ("findings", "Clear lungs."), ("impression", "Normal.")]),
        Document("2", "2", "", [("impression", "Normal.")]),
    ]
    data.text_field = "note"
    assert [document.text for document in documents(data)] == ["All of it.", ""]


def test_a_section_that_is_null_is_left_out(tmp_path: Path) -> None:
    rows: Rows = [{"idx": 1, "seen": "Clear.", "meant": None}]
    columns = {"findings": "seen", "impression": "meant"}
    data = table(write(tmp_path / "r.jsonl", rows), report_id_field="idx", patient_id_field=None, text_field=None, section_fields=columns)
    assert documents(data)[0].given == [("findings", "Clear.")]


@pytest.mark.parametrize("name", ["r.jsonl", "r.csv", "r.parquet"])
def test_a_column_of_splits(tmp_path: Path, name: str) -> None:
    rows: Rows = [{**ROWS[1], "report_id": n, "part": part} for n, part in enumerate(("Train", "val", "dev", "validate", "test", ""))]
    found = documents(table(write(tmp_path / name, rows), split_field="part"))
    assert [document.split for document in found] == ["train", "validation", "validation", "validation", "test", None]


# A folder with a file for each split


def split_folder(folder: Path, suffix: str, start_again: bool) -> Path:
    number = 0
    for name in ("train", "validate", "test"):
        number = 0 if start_again else number
        write(folder / f"{name}{suffix}", [{"report_id": number + n, "patient_id": f"{name} {n}", "text": "Clear."} for n in range(2)])
        number += 2
    return folder


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".csv", ".parquet"])
def test_files_prescribe_splits(tmp_path: Path, suffix: str) -> None:
    (split_folder(tmp_path, suffix, start_again=False) / "README.md").write_text("x")
    found = documents(table(tmp_path))
    assert [document.report_id for document in found] == ["0", "1", "2", "3", "4", "5"]
    assert [document.split for document in found] == ["train", "train", "validation", "validation", "test", "test"]
    assert {document.split for document in documents(table(tmp_path, split=SplitPolicy.patient))} == {None}


@pytest.mark.parametrize("suffix", [".jsonl", ".csv.gz", ".parquet"])
def test_ids_that_recur_take_their_split_before_them(tmp_path: Path, suffix: str) -> None:
    data = table(split_folder(tmp_path, suffix, start_again=True), patient_id_field=None)
    assert ids(documents(data)) == [(f"{split}-{n}",) * 2 for split in ("train", "validation", "test") for n in range(2)]
    data = table(tmp_path, limit=1)
    assert ids(documents(data)) == [("train-0", "train 0")]


def test_parts_of_a_split_stand_in_their_order(tmp_path: Path) -> None:
    for part in range(3):
        rows: Rows = [{"report_id": part, "patient_id": 1, "text": "Clear."}]
        write(tmp_path / f"train-{part:05}-of-00003.parquet", rows)
    write(tmp_path / "dev-00000-of-00001.parquet", [{"report_id": 3, "patient_id": 2, "text": "Clear."}])
    found = documents(table(tmp_path))
    assert [(document.report_id, document.split) for document in found] == [
        ("0", "train"),
        ("1", "train"),
        ("2", "train"),
        ("3", "validation"),
    ]


def test_a_split_that_stands_alone_prescribes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", ROWS)
    assert [document.split for document in documents(table(tmp_path))] == [None, None]
    assert "set data.split_field to the column" in refusal(table(tmp_path, split=SplitPolicy.official))


def test_folders_that_leave_doubt(tmp_path: Path) -> None:
    assert "holds no file such as train.jsonl" in refusal(table(tmp_path))
    write(tmp_path / "train.jsonl", ROWS)
    write(tmp_path / "test.csv", ROWS)
    assert "splits in files of several kinds" in refusal(table(tmp_path))
    (tmp_path / "test.csv").unlink()
    write(tmp_path / "valid.jsonl", ROWS)
    write(tmp_path / "dev.jsonl", ROWS)
    assert "holds a split twice" in refusal(table(tmp_path))


def test_the_official_split(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", [{**ROWS[0], "part": "test"}, {**ROWS[1], "part": None}])
    assert "set data.split_field to the column" in refusal(table(path, split=SplitPolicy.official))
    assert "does not prescribe a split for every report" in refusal(table(path, split=SplitPolicy.official, split_field="part"))
    assert [document.split for document in documents(table(path, split=SplitPolicy.official, split_field="part", limit=1))] == ["test"]


# What goes wrong


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("r.jsonl", json_lines(ROWS[:1]) + f'{{"text": "{SECRET}\n', "line 2: not a JSON object"),
        ("r.jsonl", f'["{SECRET}"]\n', "line 1: not a JSON object"),
        ("r.jsonl", "[" * 200_000, "line 1: not a JSON object"),
        ("r.jsonl", json_lines([{"report_id": "a", "text": SECRET}]), "line 1: no column 'patient_id'; set data.patient_id_field"),
        ("r.jsonl", json_lines([{"id": SECRET}]), "line 1: no column 'report_id'; set data.report_id_field"),
        ("r.jsonl", f'{{"{SECRET}": {"9" * 5000}}}', "line 1: not a JSON object"),
        ("r.jsonl", json_lines([{**ROWS[0], "text": 1}]), "line 1: column 'text' (data.text_field) holds no text; mend that row"),
        ("r.jsonl", json_lines([{**ROWS[0], "text": "\ud800"}]), "line 1: column 'text' (data.text_field) holds no text"),
        ("r.jsonl", json_lines([{**ROWS[0], "report_id": f"{SECRET}\n{SECRET}"}]), "line 1: column 'report_id' holds no id"),
        ("r.jsonl", json_lines([{**ROWS[0], "patient_id": 1.5}]), "line 1: column 'patient_id' holds no id"),
        ("r.csv", f"report_id,patient_id,text\na,b\n{SECRET},c,d\n", "line 2: not as many columns"),
        ("r.csv", f"report_id,patient_id,text\na,b,{SECRET},d\n", "line 2: not as many columns"),
        ("r.csv", f'report_id,patient_id,text\na,b,"{SECRET}\n', "broken CSV"),
        ("r.csv", "id,b\n1,2\n", "r.csv: no column 'report_id'; set data.report_id_field"),
        ("r.txt", SECRET, "must be a file that ends in .jsonl, .csv or .parquet"),
        ("r.gz", SECRET, "must be a file that ends in .jsonl, .csv or .parquet"),
        ("r.jsonl.gz", SECRET, "is no whole gzip file"),
        ("r.csv.gz", SECRET, "is no whole gzip file"),
        ("r.parquet", SECRET, "is no whole Parquet file"),
    ],
)
def test_broken_tables_are_refused_by_line(tmp_path: Path, name: str, content: str, expected: str) -> None:
    (tmp_path / name).write_text(content)
    assert expected in refusal(table(tmp_path / name))


def test_a_parquet_file_that_is_damaged_within(tmp_path: Path) -> None:
    path = write(tmp_path / "r.parquet", [{"report_id": n, "patient_id": n, "text": f"{SECRET} {n}" * 50} for n in range(50)])
    content = bytearray(path.read_bytes())
    content[4:400] = b"\xff" * 396
    path.write_bytes(content)
    assert "is no whole Parquet file" in refusal(table(path))


@pytest.mark.parametrize("name", ["r.jsonl", "r.csv", "r.parquet"])
def test_sections_and_splits_that_are_none(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, [{"report_id": "a", "patient_id": "p", "text": SECRET, "part": SECRET}])
    assert "column 'part' (data.split_field) holds none of train" in refusal(table(path, split_field="part"))
    message = refusal(table(path, section_fields={"findings": "seen"}))
    assert "no column 'seen'; set data.section_fields.findings to the right one" in message
    message = refusal(table(path, text_field="note", section_fields={"findings": "text"}))
    assert "no column 'note'; set data.text_field to the right one, or to null if data.section_fields hold all there is" in message


@pytest.mark.parametrize("name", ["r.jsonl", "r.csv"])
def test_text_in_another_encoding_is_refused(tmp_path: Path, name: str) -> None:
    row = b'{"report_id": "a", "patient_id": "b", "text": "37\xb0"}\n' if name == "r.jsonl" else b"report_id,patient_id,text\na,b,37\xb0\n"
    (tmp_path / name).write_bytes(row)
    message = refusal(table(tmp_path / name))
    assert "UTF-8 text" in message and "iconv" in message


def test_an_empty_file_holds_no_reports(tmp_path: Path) -> None:
    for name in ("r.jsonl", "r.csv"):
        (tmp_path / name).touch()
        assert documents(table(tmp_path / name)) == []


def test_limit_reads_no_further(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text(json_lines(ROWS[:1]) + "broken\n")
    assert ids(documents(table(tmp_path / "r.jsonl", limit=1))) == [("a", "7")]
