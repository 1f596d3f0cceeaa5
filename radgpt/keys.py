"""A stage's key: the digest of everything that its outcome depends on, so that equal work is done once."""

import hashlib
from dataclasses import fields, is_dataclass
from functools import cache
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
                    stages.section_path(config, kind): outcome_settings(stages.section(config, kind)) for kind in stage.sections.values()
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
    """The digest of the reports at `data.path`; None for generated ones."""
    return None if data.source is Source.synthetic else external_file("data.path", data.path)


def external_file(setting: str, path: str | None) -> str:
    """The digest of a file's bytes, or of a folder's listing; raises UserError that names the setting.

    A folder may hold hundreds of thousands of reports, so its files count by name, size and time of change.
    """
    if path is None:
        raise UserError(f"{setting} is not set; give the file or folder to read")
    place = Path(path).expanduser()
    if not place.exists():
        raise UserError(f"{setting}={path} does not exist")
    try:
        return file_digest(place) if place.is_file() else listing_digest(place)
    except PermissionError as error:
        raise UserError(f"{setting}={path}: no permission to read {error.filename}") from None


@cache
def file_digest(path: Path) -> str:
    """`digest`, once a process: every stage of a pipeline asks."""
    return digest(path)


@cache
def listing_digest(folder: Path) -> str:
    """SHA-256 of the sorted (relative path, size in bytes, time of change in ns) of a folder's files."""
    total = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            status = file.stat()
            total.update(f"{file.relative_to(folder).as_posix()}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return total.hexdigest()
