"""Read MIMIC-CXR's reports from their tree or from mimic-cxr-reports.zip, and what its lists and MIMIC-CXR-JPG's say of each study."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from radgpt import artifacts
from radgpt.config import Data, SplitPolicy
from radgpt.errors import UserError
from radgpt.external import listing_digest
from radgpt.reports.document import Document, Plan
from radgpt.reports.readers import mimic_archive, mimic_lists
from radgpt.reports.readers.mimic_archive import ARCHIVE
from radgpt.reports.readers.mimic_lists import About
from radgpt.reports.readers.mimic_places import Place, lists_of, place_of, report_path, used_lists, walked
from radgpt.reports.readers.splits import no_official_split

NO_SPLIT = "it stands in MIMIC-CXR-JPG's split list: set data.jpg_path to the folder of that"
NOTHING = About()
ONE_READ = 8192
"""Bytes; more than any report has."""


class Study(NamedTuple):
    """A report to read."""

    patient_id: str
    report_id: str
    where: bytes | None
    """Its place in the archive; None in a tree, where the ids say it."""
    about: About


def digest(data: Data) -> str:
    """The digest of the reports, by content in an archive and by listing in a tree, and of the lists, by content.

    Images in the same tree do not count.
    """
    place = place_of(data)
    reports = listing_digest(place.home, reports_in_tree) if place.archive is None else artifacts.digest(place.archive)
    lists = [f"{path.name} {artifacts.digest(path)}" for path in used_lists(data, place.home)]
    return hashlib.sha256("\n".join([reports, *lists]).encode()).hexdigest()


def reports_in_tree(home: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield (report id, status of its file) of what MIMIC-CXR's own list names, or else of all there are."""
    listed = mimic_lists.studies(home)
    for patient, report in walked(home) if listed is None else listed:
        # One that is listed but not there is the reader's to tell.
        if status := status_of(report_path(home, patient, report)):
            yield report, status


def status_of(path: str) -> os.stat_result | None:
    """The status of a file; None where there is none."""
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def plan(data: Data, seed: int) -> Plan:
    """List the studies of cxr-study-list in its order, or without it those of cxr-record-list, or else all there are in sorted order.

    The id of a report is its study's (`s50414267`), that of a patient the subject's (`p10000032`). Tree and archive give the same.
    """
    place = place_of(data)
    lists = lists_of(data, place.home)
    if data.split is SplitPolicy.patient:
        lists.pop("split", None)
    if data.split is SplitPolicy.official and "split" not in lists:
        raise no_official_split(data, NO_SPLIT)
    listed = mimic_lists.studies(place.home)
    if place.archive is None:
        return Plan(studies(place, lists, listed if listed is not None else walked(place.home)), None if listed is None else len(listed))
    assert data.path is not None
    members = mimic_archive.members(place.archive, data.path)
    found = listed if listed is not None else [(patient, report) for report, (patient, _) in members.items()]
    return Plan(studies(place, lists, found, members), len(found))


def studies(
    place: Place, lists: dict[str, Path], found: Iterable[tuple[str, str]], members: dict[str, tuple[str, bytes]] | None = None
) -> Iterator[Study]:
    """The studies with what the lists say of them, which are read only now: workers can start meanwhile."""
    about = mimic_lists.about_studies(place.home, lists)
    for patient, report in found:
        where = None if members is None else member(members, patient, report, place)
        yield Study(patient, report, where, about.get(report, NOTHING))


def member(members: dict[str, tuple[str, bytes]], patient_id: str, report_id: str, place: Place) -> bytes:
    """Where a report stands in the archive; raises UserError if it is listed only."""
    patient, where = members.get(report_id, ("", b""))
    if patient != patient_id:
        raise missing(f"{place.archive}: {report_id} of {patient_id}")
    return where


def missing(report: str) -> UserError:
    """What a user is told of a listed report that is not there."""
    return UserError(f"{report} is not there, though a list names it; complete the download, or remove the list to read what is there")


def load(data: Data, items: Sequence[Any]) -> Iterator[Document]:
    """Read the reports; bytes that are no UTF-8 are taken for Latin-1, in which any byte is a letter."""
    for study, content in contents(data, items):
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            text = content.decode("latin-1")
        about = study.about
        flags = ("split_conflict",) if about.conflict else ()
        yield Document(study.report_id, study.patient_id, text, None, about.split, flags, metadata(about))


def contents(data: Data, items: Sequence[Study]) -> Iterator[tuple[Study, bytes]]:
    """The bytes of each report."""
    assert data.path is not None
    path = Path(data.path).expanduser()
    if not items or items[0].where is None:
        for study in items:
            yield study, read(report_path(path, study.patient_id, study.report_id))
        return
    file = path if path.is_file() else path / ARCHIVE
    archive = os.open(file, os.O_RDONLY)
    try:
        for study in items:
            assert study.where is not None
            yield study, mimic_archive.read(archive, study.where, f"{file}: {study.report_id} of {study.patient_id}")
    finally:
        os.close(archive)


def read(path: str) -> bytes:
    """The bytes of a small file: this is where a run over 228,000 files spends its time, so no file object is made."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        raise missing(path) from None
    try:
        content = os.read(file, ONE_READ)
        # Some file systems give less than was asked for before the end, which only an empty read tells.
        while part := os.read(file, ONE_READ):
            content += part
        return content
    finally:
        os.close(file)


@lru_cache(maxsize=4096)
def metadata(about: About) -> dict[str, Any]:
    """What is known of a study beside its text; studies of which the same is known share it."""
    known: dict[str, Any] = {}
    if about.images is not None:
        known["images"] = about.images
    if about.views:
        known["views"] = list(about.views)
    if about.chexpert is not None:
        known["chexpert"] = mimic_lists.labels_of(about.chexpert)
    if about.negbio is not None:
        known["negbio"] = mimic_lists.labels_of(about.negbio)
    return known
