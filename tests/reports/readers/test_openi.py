"""Open-i's reports from the archive or its folder, with the sections and terms that the XML tells."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from reading_documents import SECRET, documents, refusal

from radgpt.config import Data, Source, SplitPolicy
from radgpt.reports.document import Document


def openi_data(path: Path, **settings: object) -> Data:
    return Data(source=Source.openi, path=str(path), **settings)  # type: ignore[arg-type]


def xml(number: int, terms: str = "", **sections: str) -> str:
    parts = "".join(f'<AbstractText Label="{label.upper()}">{text}</AbstractText>' for label, text in sections.items())
    return (
        f'<?xml version="1.0" encoding="utf-8"?><eCitation><uId id="CXR{number}"/><Abstract>{parts}</Abstract>'
        f"<MeSH>{terms}</MeSH></eCitation>"
    )


@pytest.fixture
def openi(tmp_path: Path) -> Path:
    folder = tmp_path / "ecgen-radiology"
    folder.mkdir()
    (folder / "10.xml").write_text(xml(10, comparison="", findings="", impression=""))
    terms = "<major>Opacity/lung/\n upper lobe</major><major>Nodule</major><automatic>nodules</automatic>"
    sections = {"comparison": "None.", "indication": "Cough &amp; fever.", "findings": "Clear\n lungs.", "impression": "Normal."}
    (folder / "2.xml").write_text(xml(2, terms, **sections))
    (folder / "._2.xml").write_bytes(b"\x00\x05")
    return tmp_path


def test_sections_come_from_labels_and_terms_from_people(openi: Path) -> None:
    assert documents(openi_data(openi)) == [
        Document(
            "CXR2",
            "CXR2",
            "",
            [("COMPARISON", "None."), ("INDICATION", "Cough & fever."), ("FINDINGS", "Clear lungs."), ("IMPRESSION", "Normal.")],
            metadata={"mesh": ["Opacity/lung/ upper lobe", "Nodule"]},
        ),
        Document("CXR10", "CXR10", "", []),
    ]


def test_the_archive_reads_as_its_folder(openi: Path, tmp_path: Path) -> None:
    archive = tmp_path / "NLMCXR_reports.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(openi / "ecgen-radiology", "ecgen-radiology")
    assert documents(openi_data(archive)) == documents(openi_data(openi))


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
def test_a_broken_file_is_named(tmp_path: Path, content: str, expected: str) -> None:
    (tmp_path / "1.xml").write_text(content)
    assert expected in refusal(openi_data(tmp_path))


def test_a_place_without_reports(tmp_path: Path) -> None:
    assert "holds no .xml file" in refusal(openi_data(tmp_path))
    (tmp_path / "a.tgz").write_bytes(b"no archive")
    assert "is no whole tar archive" in refusal(openi_data(tmp_path / "a.tgz"))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo("1.xml")
        member.size = 50_000
        tar.addfile(member, io.BytesIO(os.urandom(50_000)))
    (tmp_path / "a.tgz").write_bytes(buffer.getvalue()[:20_000])
    assert "is no whole tar archive" in refusal(openi_data(tmp_path / "a.tgz"))


def test_there_is_no_official_split(openi: Path) -> None:
    assert "Open-i prescribes none, or choose data.split=auto" in refusal(openi_data(openi, split=SplitPolicy.official))
