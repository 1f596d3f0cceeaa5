"""Read the lists that PhysioNet publishes beside MIMIC-CXR's reports and, in MIMIC-CXR-JPG, beside its images."""

import csv
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from radgpt.artifacts import identity
from radgpt.errors import UserError
from radgpt.records import SPLITS
from radgpt.reports.readers.splits import SPLIT_NAMES
from radgpt.reports.readers.table_file import opened

STUDY_LIST = "cxr-study-list"
RECORD_LIST = "cxr-record-list"
KINDS = ("split", "metadata", "chexpert", "negbio")
"""The lists of MIMIC-CXR-JPG that are used where they are found."""
JPG_LIST = re.compile(rf"mimic-cxr-(2(?:\.\d+)+)-({'|'.join(KINDS)})\.csv(\.gz)?")
FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Enlarged Cardiomediastinum",
    "Fracture",
    "Lung Lesion",
    "Lung Opacity",
    "No Finding",
    "Pleural Effusion",
    "Pleural Other",
    "Pneumonia",
    "Pneumothorax",
    "Support Devices",
)
"""The columns of the CheXpert and NegBio lists."""
CODES = {"": " ", "1": "+", "1.0": "+", "0": "0", "0.0": "0", "-1": "-", "-1.0": "-"}
"""A label as one character: present, absent, uncertain or not mentioned."""
VALUES = {"+": 1, "0": 0, "-": -1}


class About(NamedTuple):
    """What the lists say of a study; equal ones are one object, as hundreds of thousands may be alive."""

    split: str | None = None
    conflict: bool = False
    """Whether the study's images have been put into several splits."""
    images: int | None = None
    views: tuple[str, ...] = ()
    chexpert: str | None = None
    negbio: str | None = None
    """One of CODES' characters for each of FINDINGS."""


def own_list(folder: Path, name: str) -> Path | None:
    """A list of MIMIC-CXR by its name without suffix, zipped or not; None where it is not there."""
    return next((path for suffix in (".csv.gz", ".csv") if (path := folder / f"{name}{suffix}").is_file()), None)


def jpg_lists(folder: Path) -> dict[str, Path]:
    """Kind to file of MIMIC-CXR-JPG's lists in a folder; of several versions the latest counts."""
    found: dict[str, tuple[tuple[int, ...], bool, Path]] = {}
    for path in folder.iterdir():
        if match := JPG_LIST.fullmatch(path.name):
            version = tuple(map(int, match[1].split(".")))
            found[match[2]] = max(found.get(match[2], (version, False, path)), (version, bool(match[3]), path))
    return {kind: found[kind][2] for kind in KINDS if kind in found}


def studies(folder: Path) -> list[tuple[str, str]] | None:
    """(patient id, report id) of the studies that MIMIC-CXR's own lists name, in their order; None where there is no list."""
    path = own_list(folder, STUDY_LIST) or own_list(folder, RECORD_LIST)
    return read_studies(path, *identity(path)) if path else None


@lru_cache(maxsize=1)
def read_studies(path: Path, *unchanged: int) -> list[tuple[str, str]]:
    """The studies of a list, read once as long as the file is the same: the key of a stage and its plan both ask."""
    return list(listed_studies(path) if path.name.startswith(STUDY_LIST) else dict.fromkeys(studies_of_records(path)))


def listed_studies(path: Path) -> Iterator[tuple[str, str]]:
    """The studies of cxr-study-list."""
    for line, (subject, study, place) in numbered_rows(path, ("subject_id", "study_id", "path")):
        if not place.endswith(f"p{subject}/s{study}.txt"):
            raise UserError(f"{path}, line {line}: path and ids disagree; download the list again")
        yield sys.intern(f"p{subject}"), f"s{study}"


def studies_of_records(path: Path) -> Iterator[tuple[str, str]]:
    """The study of each image of cxr-record-list."""
    for subject, study in rows(path, ("subject_id", "study_id")):
        yield sys.intern(f"p{subject}"), f"s{study}"


def about_studies(folder: Path, lists: dict[str, Path]) -> dict[str, About]:
    """Report id to what the record list of `folder` and MIMIC-CXR-JPG's `lists` say of it.

    Where the images of a study stand in several splits, the study is in the most held-out of them; a line on stderr counts such studies.
    """
    records = own_list(folder, RECORD_LIST)
    images = image_counts(records) if records else {}
    splits, conflicts = read_splits(lists["split"]) if "split" in lists else ({}, set())
    views = read_views(lists["metadata"]) if "metadata" in lists else {}
    chexpert = read_labels(lists["chexpert"]) if "chexpert" in lists else {}
    negbio = read_labels(lists["negbio"]) if "negbio" in lists else {}
    if conflicts:
        print(
            f"radgpt: {lists['split']}: {len(conflicts)} studies have images in several splits; each counts as the most held-out one",
            file=sys.stderr,
            flush=True,
        )
    by_field: dict[str, dict[str, Any]] = {"split": splits, "images": images, "views": views, "chexpert": chexpert, "negbio": negbio}
    present = {name: known for name, known in by_field.items() if known}
    told: dict[tuple[Any, ...], About] = {}
    found = {}
    for study in set().union(*present.values()):
        values = (study in conflicts, *[known.get(study) for known in present.values()])
        if (about := told.get(values)) is None:
            given: dict[str, Any] = {name: value for name, value in zip(present, values[1:], strict=True) if value is not None}
            about = told[values] = About(conflict=study in conflicts, **given)
        found[f"s{study}"] = about
    return found


def image_counts(path: Path) -> dict[str, int]:
    """Study to its number of images."""
    counts: dict[str, int] = {}
    for (study,) in rows(path, ("study_id",)):
        counts[study] = counts.get(study, 0) + 1
    return counts


def read_splits(path: Path) -> tuple[dict[str, str], set[str]]:
    """Study to split, and the studies whose images stand in several."""
    splits: dict[str, str] = {}
    conflicts = set()
    # The list has a row for each image, most of which say the same of a study.
    for study, name in dict.fromkeys(rows(path, ("study_id", "split"))):
        if name not in SPLIT_NAMES:
            line = next(line for line, row in numbered_rows(path, ("split",)) if row == (name,))
            raise UserError(f"{path}, line {line}: split is none of {', '.join(SPLIT_NAMES)}; download the file again")
        split = SPLIT_NAMES[name]
        if (earlier := splits.setdefault(study, split)) != split:
            conflicts.add(study)
            splits[study] = max(earlier, split, key=SPLITS.index)
    return splits, conflicts


def read_views(path: Path) -> dict[str, tuple[str, ...]]:
    """Study to the views of its images in the file's order, without images whose view is not known."""
    views: dict[str, tuple[str, ...]] = {}
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    for study, view in rows(path, ("study_id", "ViewPosition")):
        if view:
            longer = (*views.get(study, ()), view)
            views[study] = known.setdefault(longer, longer)
    return views


def read_labels(path: Path) -> dict[str, str]:
    """Study to its labels as CODES."""
    labels = {}
    for line, (study, *values) in numbered_rows(path, ("study_id", *FINDINGS)):
        try:
            labels[study] = sys.intern("".join(map(CODES.__getitem__, values)))
        except KeyError:
            raise UserError(f"{path}, line {line}: a label is none of 1, 0, -1 and blank; download the file again") from None
    return labels


def labels_of(codes: str) -> dict[str, int]:
    """Finding to 1 (present), 0 (absent) or -1 (uncertain); findings that are not mentioned are left out."""
    return {finding: VALUES[code] for finding, code in zip(FINDINGS, codes, strict=True) if code != " "}


def rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the values of the columns in each row of a CSV list, zipped or not; raises UserError if it is broken or lacks a column."""
    try:
        with opened(str(path), "rt", mend="download it again") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            if missing := [column for column in columns if column not in header]:
                raise UserError(f"{path}: no column '{missing[0]}'; download the file again")
            places = [header.index(column) for column in columns]
            # Of a single column, itemgetter would give the bare value.
            picked = itemgetter(*places) if len(places) > 1 else lambda row: (row[places[0]],)
            try:
                # A blank line, as some editors leave at the end, is an empty row.
                yield from map(picked, filter(None, reader))
            except IndexError:
                raise UserError(f"{path}, line {reader.line_num}: too few columns; download the file again") from None
    except csv.Error:
        raise UserError(f"{path} is no whole CSV file; download it again") from None


def numbered_rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The same with line numbers, for lists that never break a line within a value and leave none blank but at the end."""
    return enumerate(rows(path, columns), start=2)
