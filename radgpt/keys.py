"""A stage's key: the digest of everything that its outcome depends on, so that equal work is done once."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any

from radgpt import stages
from radgpt.artifacts import digest
from radgpt.config import Config, Data, Source, as_mapping
from radgpt.errors import UserError
from radgpt.records import canonical_json


def key(config: Config, stage_name: str) -> str:
    """SHA-256 over the sections and settings that the stage's function names, its external input, and the keys of its producers.

    Fields marked `operational` in the config stay out. Raises UserError where external input is missing.
    """
    stage = stages.load(stage_name)
    return hashlib.sha256(
        canonical_json(
            {
                "stage": stage_name,
                "sections": {
                    stages.section_path(config, kind): kept
                    for kind in stage.sections.values()
                    if (kept := outcome_settings(stages.section(config, kind)))
                },
                "settings": {name: getattr(config, name) for name in stage.settings},
                "reads": {name: input_key(config, name) for name in stage.reads},
                "external": external_digest(config.data) if Data in stage.sections.values() else None,
            }
        ).encode()
    ).hexdigest()


def input_key(config: Config, artifact: str) -> str:
    """The digest of `inputs.<artifact>` where set, else the key of the stage that makes it."""
    path = getattr(config.inputs, artifact)
    return external_file(f"inputs.{artifact}", path) if path else key(config, stages.producer(artifact))


def outcome_settings(section: Any) -> dict[str, Any]:
    """A section as plain values, without fields that only say how fast or where."""
    operational = {f.name for f in fields(section) if f.metadata.get("operational")}
    return {
        name: outcome_settings(getattr(section, name)) if isinstance(value, dict) and is_dataclass(getattr(section, name)) else value
        for name, value in as_mapping(section).items()
        if name not in operational
    }


def external_digest(data: Data) -> str | None:
    """The digest of the reports at `data.path` and of the lists that tell about them; None for made-up ones.

    A data set that is on no disk yet counts by its name on the Hugging Face hub.
    """
    if data.source is Source.synthetic:
        return None
    if data.source is Source.huggingface and data.path is not None and not Path(data.path).expanduser().exists():
        return f"hub {data.path}"
    return mimic_digest(data) if data.source is Source.mimic_cxr else external_file("data.path", data.path)


def mimic_digest(data: Data) -> str:
    """The digest of MIMIC-CXR's reports, by content in an archive and by listing in a tree, and of the lists, by content.

    Images in the same tree do not count.
    """
    from radgpt.reports.readers.mimic_places import place_of, used_lists

    existing("data.path", data.path)
    with permissions_told("data.path", data.path):
        place = place_of(data)
        reports = tree_digest(place.home) if place.archive is None else digest(place.archive)
        lists = [f"{path.name} {digest(path)}" for path in used_lists(data, place.home)]
    return hashlib.sha256("\n".join([reports, *lists]).encode()).hexdigest()


def external_file(setting: str, path: str | None) -> str:
    """The digest of a file's bytes, or of a folder's listing; raises UserError that names the setting.

    A folder may hold hundreds of thousands of reports, so its files count by name, size and time of change.
    """
    place = existing(setting, path)
    with permissions_told(setting, path):
        return digest(place) if place.is_file() else folder_digest(place)


def existing(setting: str, path: str | None) -> Path:
    """The path that a setting names; raises UserError if there is none."""
    if path is None:
        raise UserError(f"{setting} is not set; give the file or folder to read")
    place = Path(path).expanduser()
    if not place.exists():
        raise UserError(f"{setting}={path} does not exist")
    return place


@contextmanager
def permissions_told(setting: str, path: str | None) -> Iterator[None]:
    """Turn a refusal of the file system into a line for the user."""
    try:
        yield
    except PermissionError as error:
        raise UserError(f"{setting}={path}: no permission to read {error.filename}") from None


@cache
def folder_digest(folder: Path) -> str:
    """`listing_digest` of all files under a folder."""
    return listing_digest(files_under(str(folder)))


@cache
def tree_digest(home: Path) -> str:
    """`listing_digest` of the reports in MIMIC-CXR's tree: those of its own list, or else all there are."""
    from radgpt.reports.readers.mimic_lists import studies
    from radgpt.reports.readers.mimic_places import report_path, walked

    listed = studies(home)
    found = ((report, status_of(report_path(home, patient, report))) for patient, report in (walked(home) if listed is None else listed))
    # One that is listed but not there is the reader's to tell.
    return listing_digest((report, status) for report, status in found if status)


def status_of(path: str) -> os.stat_result | None:
    """The status of a file; None where there is none."""
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def files_under(folder: str, prefix: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Yield (path relative to the folder, status) of its files at any depth, sorted; links to folders are not followed."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=attrgetter("name"))
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from files_under(entry.path, f"{prefix}{entry.name}/")
        elif entry.is_file():
            yield prefix + entry.name, entry.stat()


def listing_digest(files: Iterable[tuple[str, os.stat_result]]) -> str:
    """SHA-256 of (name, size in bytes, time of change in ns) of files."""
    told = "".join([f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n" for name, status in files])
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()
