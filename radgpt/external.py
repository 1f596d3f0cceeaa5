"""What a command reads from outside its runs: the digests that keys hold, and what a user is told of a place that cannot be read."""

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from operator import attrgetter
from pathlib import Path

from radgpt.artifacts import digest
from radgpt.errors import UserError

Listing = Callable[[Path], Iterable[tuple[str, os.stat_result]]]
"""Finds (name, status) of the files of a folder that count, always in the same order."""

TAKEN: ContextVar[dict[tuple[Path, Listing], str] | None] = ContextVar("TAKEN", default=None)
"""Digests of the folders that this job has listed; None outside of a job, where nothing is kept."""


@contextmanager
def folders_listed_once() -> Iterator[None]:
    """List each folder once within the block, which is one job: its stages ask for the same ones, and 228,000 files take a second."""
    before = TAKEN.set({})
    try:
        yield
    finally:
        TAKEN.reset(before)


def external_file(setting: str, path: str | None, names: Collection[str] = ()) -> str:
    """The digest of a file's bytes, or of a folder's listing; raises UserError that names the setting, and the `names` that it takes too.

    A folder may hold hundreds of thousands of reports, so its files count by name, size and time of change.
    """
    with permissions_told(setting, path):
        place = existing(setting, path, names)
        return digest(place) if place.is_file() else listing_digest(place, files_under)


def existing(setting: str, path: str | None, names: Collection[str] = ()) -> Path:
    """The path that a setting names; raises UserError if there is none, with the `names` that may stand instead."""
    if path is None:
        raise UserError(f"{setting} is not set; give the file or folder to read")
    place = Path(path).expanduser()
    if not place.exists():
        instead = f", and is none of {', '.join(sorted(names))}" if names else ""
        raise UserError(f"{setting}={path} does not exist{instead}")
    return place


@contextmanager
def permissions_told(setting: str, path: str | None) -> Iterator[None]:
    """Turn a refusal of the file system into a line for the user."""
    try:
        yield
    except PermissionError as error:
        raise UserError(f"{setting}={path}: no permission to read {error.filename or 'it'}") from None
    except FileNotFoundError:
        raise UserError(f"{setting}={path}: files vanish from it while they are looked at; name one that stays as it is") from None


def listing_digest(folder: Path, listing: Listing) -> str:
    """SHA-256 of (name, size in bytes, time of change in ns) of the files that `listing` finds; taken once in a job."""
    taken = TAKEN.get()
    if taken is not None and (folder, listing) in taken:
        return taken[folder, listing]
    told = "".join([f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n" for name, status in listing(folder)])
    found = hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()
    if taken is not None:
        taken[folder, listing] = found
    return found


def files_under(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield (path relative to the folder, status) of its files at any depth, sorted; links to folders are not followed."""
    return files_within(str(folder), "")


def files_within(folder: str, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    """The same, with `prefix` before each path."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=attrgetter("name"))
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from files_within(entry.path, f"{prefix}{entry.name}/")
        elif entry.is_file():
            yield prefix + entry.name, entry.stat()
