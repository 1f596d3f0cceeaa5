"""Find MIMIC-CXR's reports and lists under the folders that a user names, and say what is amiss where they are not there."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from radgpt.config import Data
from radgpt.errors import UserError
from radgpt.external import existing
from radgpt.reports.readers.mimic_archive import ARCHIVE
from radgpt.reports.readers.mimic_lists import RECORD_LIST, STUDY_LIST, jpg_lists, own_list

GROUP = re.compile(r"p\d\d")
SUBJECT = re.compile(r"p\d+")
REPORT = re.compile(r"(s\d+)\.txt")
REPORTS_FROM = f"MIMIC-CXR's {ARCHIVE}, from https://physionet.org/content/mimic-cxr/"
LISTS_FROM = "https://physionet.org/content/mimic-cxr-jpg/"
LEVELS = 4
"""Folders to look up or down for what may have been meant; `wget -r` lays four."""
MOST_FOLDERS = 500


class Place(NamedTuple):
    """Where the reports are: under `home`, in the archive if there is one, else in the tree `files`."""

    home: Path
    archive: Path | None


def place_of(data: Data) -> Place:
    """Where the reports are; raises UserError that says what `data.path` seems to be instead, and what to type."""
    path = existing("data.path", data.path)
    if path.suffix.lower() == ".zip" and path.is_file():
        return Place(path.parent, path)
    if path.is_dir():
        if any(walked(path)):
            return Place(path, None)
        if (path / ARCHIVE).is_file():
            return Place(path, path / ARCHIVE)
    raise UserError(f"data.path={data.path} {what_it_is(path)}")


def walked(home: Path) -> Iterator[tuple[str, str]]:
    """Yield (patient id, report id) of all reports under `files`, by subject and study. Nothing but names is read."""
    root = os.path.join(home, "files")
    for group in matching(root, GROUP):
        for subject in matching(f"{root}/{group}", SUBJECT):
            if subject.startswith(group):
                for report in sorted(match[1] for name in names(f"{root}/{group}/{subject}") if (match := REPORT.fullmatch(name))):
                    yield subject, report


def matching(folder: str, pattern: re.Pattern[str]) -> list[str]:
    """The names in a folder that a pattern allows, sorted."""
    return sorted(filter(pattern.fullmatch, names(folder)))


def names(folder: str | Path) -> list[str]:
    """What a folder holds; nothing where it is no folder."""
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def report_path(home: Path, patient_id: str, report_id: str) -> str:
    """The file of a report in the tree."""
    return f"{home}/files/{patient_id[:3]}/{patient_id}/{report_id}.txt"


def what_it_is(path: Path) -> str:
    """What a path without reports seems to be and what to give instead, as the end of a message."""
    if above := home_above(path):
        return f"lies inside MIMIC-CXR's folder; give the folder that holds `files` or {ARCHIVE}: data.path={above}"
    if not path.is_dir():
        return f"is neither a folder nor a zip file; give {REPORTS_FROM}, or the folder that it was unpacked in"
    if any(GROUP.fullmatch(name) for name in names(path)):
        return f"holds p10, p11 and so on itself; put them into a folder named `files` and give the one above: data.path={path.parent}"
    if jpg_lists(path):
        return (
            f"looks like MIMIC-CXR-JPG, which has no reports: they are in {REPORTS_FROM}; "
            f"give both: data.path=<folder>/{ARCHIVE} data.jpg_path={path}"
        )
    if below := home_below(path):
        return f"holds no reports itself; they seem to stand further down: data.path={below}"
    if any(GROUP.fullmatch(name) for name in names(path / "files")):
        return f"holds a folder `files` without a single report in it, as if only images were there; the reports are in {REPORTS_FROM}"
    return f"holds neither files/p10/p10000032/s50414267.txt and so on nor {ARCHIVE}; the reports are in {REPORTS_FROM}"


def is_home(folder: Path) -> bool:
    """Whether MIMIC-CXR's reports can be read from a folder."""
    try:
        return (folder / ARCHIVE).is_file() or any(walked(folder))
    except PermissionError:
        return False


def home_above(path: Path) -> Path | None:
    """The home that a path lies in: it is a list, a report, `files` or a folder within that."""
    if path.is_file() and is_home(path.parent):
        return path.parent
    within = (folder.parent for folder in [path, *path.parents][:LEVELS] if folder.name == "files")
    return next(filter(is_home, within), None)


def home_below(folder: Path) -> Path | None:
    """The nearest folder below that reports can be read from."""
    level = [folder]
    for _ in range(LEVELS):
        level = [inner for outer in level for inner in folders(outer)][:MOST_FOLDERS]
        if found := next(filter(is_home, level), None):
            return found
    return None


def folders(folder: Path) -> list[Path]:
    """The folders in a folder that may hold a copy of MIMIC-CXR; none where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            found = [entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    except OSError:
        return []
    return [folder / name for name in sorted(found) if not SUBJECT.fullmatch(name)]


def lists_of(data: Data, home: Path) -> dict[str, Path]:
    """Kind to file of MIMIC-CXR-JPG's lists, from `data.jpg_path` or else beside the reports; raises UserError at a wrong folder."""
    if data.jpg_path is None:
        return jpg_lists(home)
    folder = Path(data.jpg_path).expanduser()
    if not folder.exists():
        raise UserError(f"data.jpg_path={data.jpg_path} does not exist")
    if not folder.is_dir():
        raise UserError(
            f"data.jpg_path={data.jpg_path} is no folder; give the one that holds MIMIC-CXR-JPG's lists: data.jpg_path={folder.parent}"
        )
    if lists := jpg_lists(folder):
        return lists
    what = f"no list such as mimic-cxr-2.0.0-split.csv.gz; they are in MIMIC-CXR-JPG, from {LISTS_FROM}"
    if below := next((inner for inner in sorted(folder.glob("*/")) + sorted(folder.glob("*/*/")) if jpg_lists(inner)), None):
        raise UserError(f"data.jpg_path={data.jpg_path} holds none of the lists itself; they stand further down: data.jpg_path={below}")
    if own_list(folder, STUDY_LIST) or own_list(folder, RECORD_LIST) or is_home(folder):
        raise UserError(f"data.jpg_path={data.jpg_path} is MIMIC-CXR, not MIMIC-CXR-JPG, and holds {what}")
    raise UserError(f"data.jpg_path={data.jpg_path} holds {what}; give the folder that they are in")


def used_lists(data: Data, home: Path) -> list[Path]:
    """The files of all lists that reading depends on."""
    own = [path for name in (STUDY_LIST, RECORD_LIST) if (path := own_list(home, name))]
    return [*own, *lists_of(data, home).values()]
