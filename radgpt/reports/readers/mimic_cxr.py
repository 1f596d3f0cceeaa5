"""Read MIMIC-CXR's reports from the folder that holds `files/p10/p10000032/s50414267.txt` and so on."""

import csv
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from radgpt.config import Data
from radgpt.errors import UserError
from radgpt.records import Report
from radgpt.reports.sections import as_report

STUDY_LIST = "cxr-study-list.csv.gz"
SPLIT_LIST = "mimic-cxr-2.0.0-split.csv.gz"
"""Belongs to MIMIC-CXR-JPG; used where it has been put beside the study list."""
SPLIT_NAMES = {"train": "train", "validate": "validation", "test": "test"}


def read(data: Data, seed: int) -> Iterator[Report]:
    """Yield the studies of cxr-study-list.csv.gz in its order or, without that file, all under `files` in sorted order.

    The id of a report is its study's (`s50414267`), the id of a patient the subject's (`p10000032`). Splits are MIMIC-CXR-JPG's
    where its split file stands in the same folder.
    """
    assert data.path is not None
    root = Path(data.path).expanduser()
    refuse_wrong_root(root, data.path)
    splits = read_splits(root / SPLIT_LIST) if (root / SPLIT_LIST).is_file() else {}
    found = False
    for path in listed(root) if (root / STUDY_LIST).is_file() else walked(root):
        found = True
        yield as_report(path.stem, path.parent.name, text_of(path), splits.get(path.stem))
    if not found:
        raise UserError(f"data.path={data.path}: no report such as files/p10/p10000032/s50414267.txt in it{what_it_may_be(root)}")


def refuse_wrong_root(root: Path, typed: str) -> None:
    """Raise UserError if a path cannot be MIMIC-CXR's folder, saying what it seems to be."""
    if not root.is_dir():
        raise UserError(f"data.path={typed} is no folder; unpack mimic-cxr-reports.zip and give the folder that holds `files`")
    if (root / "files").is_dir():
        return
    if root.name == "files" or (root / "p10").is_dir():
        raise UserError(f"data.path={typed} is the `files` folder itself; give the one that holds it: data.path={root.parent}")
    raise UserError(f"data.path={typed} holds no folder `files`{what_it_may_be(root)}")


def what_it_may_be(root: Path) -> str:
    """The mend for a folder without reports, as the end of a message."""
    if (inner := root / "mimic-cxr-reports" / "files").is_dir():
        return f"; the reports seem to stand one folder down: data.path={inner.parent}"
    if (root / "mimic-cxr-reports.zip").is_file():
        return "; unpack mimic-cxr-reports.zip there"
    if any(root.glob("mimic-cxr-2.0.0-*.csv.gz")):
        return "; it looks like MIMIC-CXR-JPG, which has no reports: they are in MIMIC-CXR's mimic-cxr-reports.zip"
    return "; give the folder that mimic-cxr-reports.zip was unpacked in"


def listed(root: Path) -> Iterator[Path]:
    """Yield the reports that the study list names; raises UserError at one that is not there."""
    for line, row in rows(root / STUDY_LIST, ("subject_id", "study_id", "path")):
        path = root / row["path"]
        if path.stem != f"s{row['study_id']}" or path.parent.name != f"p{row['subject_id']}":
            raise UserError(f"{root / STUDY_LIST}, line {line}: path and ids disagree; download the list again")
        if not path.is_file():
            mend = (
                what_it_may_be(root) if not any(walked(root)) else f"; complete the download, or remove {STUDY_LIST} to read what is there"
            )
            raise UserError(f"{root / STUDY_LIST}, line {line}: {path} is not there{mend}")
        yield path


def walked(root: Path) -> Iterator[Path]:
    """Yield all reports under `files`, by subject and study."""
    for group in sorted(path for path in (root / "files").iterdir() if path.is_dir()):
        for subject in sorted(path for path in group.iterdir() if path.is_dir()):
            yield from sorted(path for path in subject.iterdir() if path.suffix == ".txt" and path.name.startswith("s"))


def text_of(path: Path) -> str:
    """A report's text; bytes that are no UTF-8 are taken for Latin-1, in which any byte is a letter."""
    content = path.read_bytes()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def read_splits(path: Path) -> dict[str, str]:
    """Report id to split; the file has a row for each image, and images of a study share its split."""
    splits = {}
    for line, row in rows(path, ("study_id", "split")):
        if row["split"] not in SPLIT_NAMES:
            raise UserError(f"{path}, line {line}: split is none of {', '.join(SPLIT_NAMES)}; download the file again")
        splits[f"s{row['study_id']}"] = SPLIT_NAMES[row["split"]]
    return splits


def rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row) of a gzipped CSV list; raises UserError if it is broken or lacks a column."""
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if missing := [column for column in columns if column not in (reader.fieldnames or ())]:
                raise UserError(f"{path}: no column '{missing[0]}'; download the file again")
            for row in reader:
                if any(row[column] is None for column in columns):
                    raise UserError(f"{path}, line {reader.line_num}: too few columns; download the file again")
                yield reader.line_num, row
    except (gzip.BadGzipFile, EOFError, zlib.error, csv.Error, UnicodeDecodeError):
        raise UserError(f"{path} is no whole gzipped CSV file; download it again") from None
