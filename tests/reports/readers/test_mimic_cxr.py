"""MIMIC-CXR's reports from a tree or the archive, what the lists tell of them, and what users with the wrong folder are told."""

import gzip
import os
import zipfile
from pathlib import Path

import pytest
from reading_documents import SECRET, documents, ids, refusal

from radgpt.config import Data, Source, SplitPolicy
from radgpt.reports.document import Document
from radgpt.reports.readers.mimic_lists import FINDINGS

STUDIES = [("p10000032", "s50000002"), ("p10000032", "s50000001"), ("p11000001", "s50000003")]


def name_of(patient: str, report: str) -> str:
    return f"files/{patient[:3]}/{patient}/{report}.txt"


def text_of(report: str) -> str:
    return f" FINDINGS:  {SECRET} {report}.\n"


def mimic(path: Path, **settings: object) -> Data:
    return Data(source=Source.mimic_cxr, path=str(path), **settings)  # type: ignore[arg-type]


def write_tree(root: Path) -> Path:
    for patient, report in STUDIES:
        file = root / name_of(patient, report)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text_of(report))
    return root


def write_archive(path: Path, before: str = "", method: int = zipfile.ZIP_DEFLATED) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(f"{before}files/", "")
        for patient, report in STUDIES:
            archive.writestr(before + name_of(patient, report), text_of(report))
            archive.writestr(f"__MACOSX/{before}files/{patient[:3]}/{patient}/._{report}.txt", "x")
    return path


@pytest.fixture(params=["tree", "archive", "folder of the archive", "archive with a leading folder"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """(data.path, the folder for lists) of each layout, the reports being the same."""
    if request.param == "tree":
        return write_tree(tmp_path), tmp_path
    archive = write_archive(tmp_path / "mimic-cxr-reports.zip", "mimic-cxr-reports/" if "leading" in request.param else "")
    return (tmp_path if "folder of" in request.param else archive), tmp_path


def write_list(path: Path, *lines: str) -> Path:
    content = "".join(f"{line}\n" for line in lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return path


def study_list(folder: Path, *studies: tuple[str, str], suffix: str = ".csv.gz") -> Path:
    rows = [f"{patient[1:]},{report[1:]},{name_of(patient, report)}" for patient, report in studies]
    return write_list(folder / f"cxr-study-list{suffix}", "subject_id,study_id,path", *rows)


def split_list(folder: Path, *rows: str, name: str = "mimic-cxr-2.0.0-split.csv.gz") -> Path:
    return write_list(folder / name, "dicom_id,study_id,subject_id,split", *rows)


def test_all_reports_in_sorted_order(home: tuple[Path, Path]) -> None:
    found = documents(mimic(home[0]))
    assert found == [
        Document("s50000001", "p10000032", text_of("s50000001")),
        Document("s50000002", "p10000032", text_of("s50000002")),
        Document("s50000003", "p11000001", text_of("s50000003")),
    ]
    assert documents(mimic(home[0], limit=2)) == found[:2]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_the_study_list_says_which_and_in_which_order(home: tuple[Path, Path], suffix: str) -> None:
    study_list(home[1], STUDIES[2], STUDIES[0], suffix=suffix)
    assert ids(documents(mimic(home[0]))) == [("s50000003", "p11000001"), ("s50000002", "p10000032")]


def test_the_record_list_counts_images_and_stands_in_for_the_study_list(home: tuple[Path, Path]) -> None:
    rows = ["10000032,50000002,a,x", "11000001,50000003,b,x", "10000032,50000002,c,x"]
    write_list(home[1] / "cxr-record-list.csv.gz", "subject_id,study_id,dicom_id,path", *rows)
    found = documents(mimic(home[0]))
    assert ids(found) == [("s50000002", "p10000032"), ("s50000003", "p11000001")]
    assert [document.metadata for document in found] == [{"images": 2}, {"images": 1}]
    study_list(home[1], *STUDIES)
    assert [document.metadata for document in documents(mimic(home[0]))] == [{"images": 2}, {}, {"images": 1}]


@pytest.mark.parametrize("beside", [True, False])
def test_mimic_cxr_jpg_tells_splits_views_and_labels(home: tuple[Path, Path], tmp_path: Path, beside: bool) -> None:
    folder = home[1] if beside else tmp_path / "jpg"
    split_list(folder, "a,50000001,10000032,train", "b,50000001,10000032,train", "c,50000003,11000001,validate")
    write_list(
        folder / "mimic-cxr-2.0.0-metadata.csv.gz",
        "dicom_id,subject_id,study_id,ViewPosition,Rows",
        "a,10000032,50000001,PA,1",
        "b,10000032,50000001,LATERAL,1",
        "d,10000032,50000001,,1",
        "c,11000001,50000003,,1",
    )
    labels = f"subject_id,study_id,{','.join(FINDINGS)}"
    write_list(folder / "mimic-cxr-2.0.0-chexpert.csv.gz", labels, "10000032,50000001,1.0,0.0,-1.0" + "," * 11)
    write_list(folder / "mimic-cxr-2.0.0-negbio.csv", labels, "11000001,50000003" + "," * 13 + ",1")
    found = documents(mimic(home[0], jpg_path=None if beside else str(folder)))
    assert [document.split for document in found] == ["train", None, "validation"]
    assert [document.metadata for document in found] == [
        {"views": ["PA", "LATERAL"], "chexpert": {"Atelectasis": 1, "Cardiomegaly": 0, "Consolidation": -1}},
        {},
        {"negbio": {"Support Devices": 1}},
    ]


def test_images_in_several_splits_put_the_study_into_the_most_held_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tree(tmp_path)
    rows = ["a,50000001,10000032,train", "b,50000001,10000032,test", "c,50000001,10000032,validate", "d,50000003,11000001,train"]
    path = split_list(tmp_path, *rows)
    found = documents(mimic(tmp_path))
    assert [(document.split, list(document.flags)) for document in found] == [("test", ["split_conflict"]), (None, []), ("train", [])]
    assert capsys.readouterr().err == (f"radgpt: {path}: 1 studies have images in several splits; each counts as the most held-out one\n")
    assert all(not document.flags for document in documents(mimic(tmp_path, split=SplitPolicy.patient)))


def test_of_several_versions_the_latest_list_counts(tmp_path: Path) -> None:
    write_tree(tmp_path)
    split_list(tmp_path, "a,50000001,10000032,train")
    split_list(tmp_path, "a,50000001,10000032,test", name="mimic-cxr-2.1.0-split.csv")
    assert documents(mimic(tmp_path))[0].split == "test"


def test_bytes_that_are_no_utf_8_are_read_as_latin_1(tmp_path: Path) -> None:
    write_tree(tmp_path)
    (tmp_path / name_of("p10000032", "s50000001")).write_bytes(b"FINDINGS: 37\xb0.")
    assert documents(mimic(tmp_path, limit=1))[0].text == "FINDINGS: 37°."


def test_long_reports_are_read_to_their_end(tmp_path: Path) -> None:
    write_tree(tmp_path)
    for length in (65536, 200_000):
        (tmp_path / name_of("p10000032", "s50000001")).write_bytes(b"x" * length)
        assert len(documents(mimic(tmp_path, limit=1))[0].text) == length


def test_files_that_are_given_in_parts_are_read_to_their_end(home: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """As some network file systems do."""
    whole, read, pread = documents(mimic(home[0])), os.read, os.pread
    monkeypatch.setattr("os.read", lambda file, size: read(file, min(size, 11)))
    monkeypatch.setattr("os.pread", lambda file, size, offset: pread(file, min(size, 11), offset))
    assert documents(mimic(home[0])) == whole


@pytest.mark.parametrize("end", ["", "\n", "\r\n\n"])
def test_blank_lines_at_the_end_of_a_list_are_passed_over(tmp_path: Path, end: str) -> None:
    write_tree(tmp_path)
    study_list(tmp_path, *STUDIES[:2], suffix=".csv")
    split_list(tmp_path, "a,50000001,10000032,test", name="mimic-cxr-2.0.0-split.csv")
    for path in tmp_path.glob("*.csv"):
        path.write_text(path.read_text() + end)
    assert [(document.report_id, document.split) for document in documents(mimic(tmp_path))] == [("s50000002", None), ("s50000001", "test")]


def test_other_files_in_the_tree_are_passed_over(tmp_path: Path) -> None:
    write_tree(tmp_path)
    for name in ("index.html", "p10/index.html", "p10/p10000032/s50000001/a.dcm", "p10/p10000032/s50000001.txt~", "p10/p11000001/s5.txt"):
        (tmp_path / "files" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "files" / name).write_text("x")
    assert len(documents(mimic(tmp_path))) == 3


def test_members_that_are_stored_or_have_long_names_are_read(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "a.zip", before=f"{'x' * 600}/", method=zipfile.ZIP_STORED)
    assert [document.text for document in documents(mimic(archive))] == [text_of(f"s5000000{n}") for n in (1, 2, 3)]


# What goes wrong


def test_a_listed_report_that_is_missing(home: tuple[Path, Path]) -> None:
    study_list(home[1], STUDIES[0], ("p10000032", "s50000009"))
    message = refusal(mimic(home[0]))
    assert "s50000009" in message and "is not there, though" in message and "complete the download" in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"not gzip", "is no whole gzip file; download it again"),
        (gzip.compress(b"subject_id,study_id,path\n")[:-12], "is no whole gzip file; download it again"),
        (gzip.compress(b"subject,study,path\n1,2,3\n"), "no column 'subject_id'"),
        (gzip.compress(b""), "no column 'subject_id'"),
        (gzip.compress(b"subject_id,study_id,path\n1\n"), "line 2: too few columns"),
        (gzip.compress(b"subject_id,study_id,path\n10000032,50000001,files/p10/p10000032/s50000002.txt\n"), "path and ids disagree"),
    ],
)
def test_a_broken_study_list(tmp_path: Path, content: bytes, expected: str) -> None:
    (write_tree(tmp_path) / "cxr-study-list.csv.gz").write_bytes(content)
    assert expected in refusal(mimic(tmp_path))


def test_a_strange_split_or_label(tmp_path: Path) -> None:
    path = split_list(write_tree(tmp_path), "a,50000001,10000032,held out")
    assert "line 2: split is none of train" in refusal(mimic(tmp_path))
    path.unlink()
    write_list(tmp_path / "mimic-cxr-2.0.0-negbio.csv.gz", f"study_id,{','.join(FINDINGS)}", f"1,yes{',' * 13}")
    assert "line 2: a label is none of 1, 0, -1 and blank" in refusal(mimic(tmp_path))


def test_broken_archives(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "mimic-cxr-reports.zip")
    content = archive.read_bytes()

    archive.write_bytes(content[: len(content) // 2])
    assert "mimic-cxr-reports.zip is no whole zip file; download it again" in refusal(mimic(archive))
    archive.write_bytes(b"")
    assert "is no whole zip file" in refusal(mimic(tmp_path))

    start = content.index(b"PK\1\2", content.index(b"PK\1\2") + 1)
    archive.write_bytes(content[: start + 8] + b"\1" + content[start + 9 :])
    assert "is encrypted" in refusal(mimic(archive))

    damaged = content.index(name_of(*STUDIES[1]).encode()) + len(name_of(*STUDIES[1])) + 4
    archive.write_bytes(content[:damaged] + bytes([content[damaged] ^ 0xFF]) + content[damaged + 1 :])
    assert "mimic-cxr-reports.zip: s50000001 of p10000032 is damaged" in refusal(mimic(archive))

    write_archive(archive, method=zipfile.ZIP_BZIP2)
    assert "is compressed in an unusual way; unpack it" in refusal(mimic(archive))


def test_a_report_that_an_archive_holds_twice(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        for patient in ("p10000032", "p11000001"):
            archive.writestr(f"files/{patient[:3]}/{patient}/s50000001.txt", "FINDINGS: Clear.")
    assert "twice.zip holds s50000001 more than once; give the archive as PhysioNet has it" in refusal(mimic(tmp_path / "twice.zip"))


def test_an_archive_of_images(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.writestr("files/p10/p10000032/s50000001/a.jpg", "x")
    message = refusal(mimic(tmp_path / "images.zip"))
    assert "holds images and no reports" in message and f"data.path={tmp_path / 'mimic-cxr-reports.zip'}" in message


@pytest.mark.parametrize(
    "inner", ["files", "files/p10", "files/p10/p10000032", "files/p10/p10000032/s50000001.txt", "cxr-study-list.csv.gz"]
)
def test_a_path_inside_the_folder(tmp_path: Path, inner: str) -> None:
    study_list(write_tree(tmp_path), *STUDIES)
    assert refusal(mimic(tmp_path / inner)).endswith(
        f"lies inside MIMIC-CXR's folder; give the folder that holds `files` or mimic-cxr-reports.zip: data.path={tmp_path}"
    )


@pytest.mark.parametrize("packed", [True, False])
def test_a_path_above_the_folder(tmp_path: Path, packed: bool) -> None:
    root = tmp_path / "physionet.org/files/mimic-cxr/2.1.0"
    write_archive(root / "mimic-cxr-reports.zip") if packed else write_tree(root)
    for above in (tmp_path, tmp_path / "physionet.org", root.parent):
        assert refusal(mimic(above)).endswith(f"they seem to stand further down: data.path={root}")


def test_groups_that_stand_in_no_folder_named_files(tmp_path: Path) -> None:
    (write_tree(tmp_path / "a") / "files").rename(tmp_path / "a" / "reports")
    assert "put them into a folder named `files` and give the one above" in refusal(mimic(tmp_path / "a" / "reports"))


def test_mimic_cxr_jpg_in_place_of_mimic_cxr(tmp_path: Path) -> None:
    (tmp_path / "files/p10/p10000032/s50000001").mkdir(parents=True)
    study_list(tmp_path, *STUDIES)
    write_list(tmp_path / "mimic-cxr-2.0.0-chexpert.csv.gz", "")
    message = refusal(mimic(tmp_path))
    assert "looks like MIMIC-CXR-JPG, which has no reports" in message
    assert f"data.path=<folder>/mimic-cxr-reports.zip data.jpg_path={tmp_path}" in message


def test_images_without_reports(tmp_path: Path) -> None:
    (tmp_path / "files/p10/p10000032/s50000001").mkdir(parents=True)
    assert "without a single report in it, as if only images were there" in refusal(mimic(tmp_path))
    write_archive(tmp_path / "mimic-cxr-reports.zip")
    assert len(documents(mimic(tmp_path))) == 3


def test_something_else(tmp_path: Path) -> None:
    (tmp_path / "a.tar").touch()
    assert "is neither a folder nor a zip file" in refusal(mimic(tmp_path / "a.tar"))
    (tmp_path / "empty").mkdir()
    assert "holds neither files/p10/p10000032/s50414267.txt and so on nor mimic-cxr-reports.zip" in refusal(mimic(tmp_path / "empty"))


def test_a_wrong_jpg_path(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "mimic-cxr")
    study_list(root, *STUDIES)

    def told(path: Path) -> str:
        return refusal(mimic(root, jpg_path=str(path)))

    assert told(tmp_path / "nowhere").endswith("nowhere does not exist")
    assert "is MIMIC-CXR, not MIMIC-CXR-JPG, and holds no list such as mimic-cxr-2.0.0-split.csv.gz" in told(root)
    path = split_list(tmp_path / "jpg" / "2.0.0", "a,50000001,10000032,train")
    assert told(path).endswith(f"is no folder; give the one that holds MIMIC-CXR-JPG's lists: data.jpg_path={path.parent}")
    assert told(path.parent.parent).endswith(f"they stand further down: data.jpg_path={path.parent}")
    (tmp_path / "empty").mkdir()
    assert "they are in MIMIC-CXR-JPG, from https://physionet.org/content/mimic-cxr-jpg/" in told(tmp_path / "empty")


def test_the_official_split_is_asked_for_where_the_lists_are(tmp_path: Path) -> None:
    write_tree(tmp_path)
    assert "set data.jpg_path to the folder of that" in refusal(mimic(tmp_path, split=SplitPolicy.official))
    split_list(tmp_path / "jpg", "a,50000001,10000032,train")
    assert "does not prescribe a split for every report" in refusal(
        mimic(tmp_path, jpg_path=str(tmp_path / "jpg"), split=SplitPolicy.official)
    )
