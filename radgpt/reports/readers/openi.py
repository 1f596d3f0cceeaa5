"""Read the Indiana University chest X-ray reports of Open-i from their archive or a folder of their XML files."""

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from radgpt.config import Data, SplitPolicy
from radgpt.errors import UserError
from radgpt.external import existing, external_file
from radgpt.reports.document import Document, Plan
from radgpt.reports.readers.splits import no_official_split

NO_SPLIT = "Open-i prescribes none"


def digest(data: Data) -> str:
    """The digest of the archive's bytes, or of the folder's listing."""
    return external_file("data.path", data.path)


def plan(data: Data, seed: int) -> Plan:
    """List the reports of NLMCXR_reports.tgz, or of a folder with its XML files at any depth, by rising number.

    An item is (name, content): a compressed archive is read front to back, so holding 4,000 small files beats 4,000 seeks. The content
    of a file in a folder is None until it is loaded.
    """
    if data.split is SplitPolicy.official:
        raise no_official_split(data, NO_SPLIT)
    path = existing("data.path", data.path)
    items = [(name, None) for name in folder_names(path)] if path.is_dir() else archive_files(path)
    if not items:
        raise UserError(f"data.path={data.path} holds no .xml file; data=openi reads NLMCXR_reports.tgz or the folder unpacked from it")
    return Plan(items, len(items))


def load(data: Data, items: Sequence[Any]) -> Iterator[Document]:
    """Read the reports. The collection names no patients: every report counts as one's own."""
    assert data.path is not None
    folder = Path(data.path).expanduser()
    for name, content in items:
        yield document(content if content is not None else (folder / name).read_bytes(), f"data.path={data.path}: {name}")


def folder_names(folder: Path) -> list[str]:
    """The XML files under a folder, relative to it."""
    return sorted((path.relative_to(folder).as_posix() for path in folder.rglob("*.xml") if is_report(path.name)), key=by_number)


def archive_files(archive: Path) -> list[tuple[str, bytes]]:
    """(name, content) of the XML files in a tar archive, compressed or not."""
    try:
        with tarfile.open(archive) as tar:
            members = [member for member in tar.getmembers() if member.isfile() and is_report(Path(member.name).name)]
            contents = {member.name: file.read() for member in members if (file := tar.extractfile(member))}
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error):
        raise UserError(f"data.path={archive} is no whole tar archive; data=openi reads NLMCXR_reports.tgz") from None
    return sorted(contents.items(), key=lambda item: by_number(item[0]))


def is_report(name: str) -> bool:
    """Whether a file name is a report's, and not one of those that macOS leaves beside it."""
    return name.lower().endswith(".xml") and not name.startswith(".")


def by_number(name: str) -> tuple[int, str]:
    """Sort key that puts 2.xml before 10.xml."""
    number = re.search(r"(\d+)\.xml$", name, re.IGNORECASE)
    return (int(number[1]) if number else 0, name)


def document(content: bytes, place: str) -> Document:
    """The report in an XML file, its sections as AbstractText labels them and its MeSH terms as people set them.

    Raises UserError that names `place`. Files that declare entities are refused unread.
    """
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
    labelled = [(attribute(part, "Label"), " ".join("".join(part.itertext()).split())) for part in root.iter("AbstractText")]
    mesh = [term for major in root.iterfind(".//MeSH/major") if (term := " ".join("".join(major.itertext()).split()))]
    return Document(
        report_id=report_id,
        patient_id=report_id,
        text="",
        given=[(label, text) for label, text in labelled if text],
        metadata={"mesh": mesh} if mesh else {},
    )


def attribute(element: Any, name: str) -> str:
    """An attribute of an element, stripped; empty where either is missing."""
    return "" if element is None else str(element.get(name, "")).strip()
