"""Read the Indiana University chest X-ray reports of Open-i from their archive or a folder of their XML files."""

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from radgpt.config import Data
from radgpt.errors import UserError
from radgpt.records import SECTIONS, Report


def read(data: Data, seed: int) -> Iterator[Report]:
    """Yield the reports of NLMCXR_reports.tgz, or of a folder with its XML files at any depth, by rising number.

    Sections come from the labels of AbstractText. The collection names no patients: every report counts as one's own.
    """
    assert data.path is not None
    path = Path(data.path).expanduser()
    found = False
    for name, content in folder_files(path) if path.is_dir() else archive_files(path):
        found = True
        yield report_of(content, f"data.path={data.path}: {name}")
    if not found:
        raise UserError(f"data.path={data.path} holds no .xml file; data=openi reads NLMCXR_reports.tgz or the folder unpacked from it")


def folder_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the XML files under a folder."""
    for path in sorted(folder.rglob("*.xml"), key=lambda path: by_number(path.as_posix())):
        if is_report(path.name):
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def archive_files(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the XML files in a tar archive, compressed or not."""
    try:
        with tarfile.open(archive) as tar:
            members = [member for member in tar.getmembers() if member.isfile() and is_report(Path(member.name).name)]
            # A compressed archive is read front to back: holding 4,000 small files beats 4,000 seeks.
            contents = {member.name: file.read() for member in members if (file := tar.extractfile(member))}
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error):
        raise UserError(f"data.path={archive} is no whole tar archive; data=openi reads NLMCXR_reports.tgz") from None
    yield from sorted(contents.items(), key=lambda item: by_number(item[0]))


def is_report(name: str) -> bool:
    """Whether a file name is a report's, and not one of those that macOS leaves beside it."""
    return name.lower().endswith(".xml") and not name.startswith(".")


def by_number(name: str) -> tuple[int, str]:
    """Sort key that puts 2.xml before 10.xml."""
    number = re.search(r"(\d+)\.xml$", name, re.IGNORECASE)
    return (int(number[1]) if number else 0, name)


def report_of(content: bytes, place: str) -> Report:
    """The report in an XML file; raises UserError that names `place`. Documents that declare entities are refused unread."""
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root = fromstring(content, forbid_dtd=True)
    except ParseError as error:
        raise UserError(f"{place}, line {error.position[0]}: broken XML; unpack or download it again") from None
    except (DefusedXmlException, ValueError, LookupError):
        raise UserError(f"{place}: not an Open-i report, as it declares a document type or an unknown encoding") from None
    report_id = attribute(root.find(".//uId"), "id")
    if not report_id:
        raise UserError(f"{place}: no uId, so it is no Open-i report")
    labelled = [(attribute(part, "Label").lower(), " ".join("".join(part.itertext()).split())) for part in root.iter("AbstractText")]
    sections = {name: " ".join(text for label, text in labelled if label == name and text) for name in SECTIONS}
    sections = {name: text for name, text in sections.items() if text}
    return Report(
        report_id=report_id,
        patient_id=report_id,
        text="\n\n".join(f"{label.upper()}: {text}" if label else text for label, text in labelled if text),
        sections=sections,
        flags=[] if sections.keys() & {"findings", "impression"} else ["no_narrative"],
    )


def attribute(element: Any, name: str) -> str:
    """An attribute of an element, stripped; empty where either is missing."""
    return "" if element is None else str(element.get(name, "")).strip()
