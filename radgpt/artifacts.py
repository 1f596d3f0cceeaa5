"""Write what a stage makes so that a killed process never leaves half of it under its final name."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from radgpt.records import as_line

ENOUGH_TO_SYNC = 1 << 25
"""Bytes that are handed to the disk at once."""
KNOWN_DIGESTS: dict[tuple[Any, ...], str] = {}
"""Digests of files by path and identity: a pipeline asks for the same ones again and again, and some are large."""


@contextmanager
def write_records(path: Path) -> Iterator[Callable[[Any], None]]:
    """Give a function that appends one record to `path`; the file appears whole, or not at all."""
    temporary = path.with_name(f".{path.name}.partial")
    with gone_unless_whole(temporary), open(temporary, "wb") as file:

        def append(record: Any) -> None:
            file.write(as_line(record))

        yield append
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole, or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file whole, or not at all; one that can be made again need not be `durable`, which outlives a power cut."""
    temporary = path.with_name(f".{path.name}.partial")
    with open(temporary, "wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(temporary, path)
    if durable:
        sync_folder(path.parent)


@contextmanager
def write_joined(path: Path) -> Iterator[Callable[[Path], None]]:
    """Give a function that appends a file's bytes to `path`, which appears whole, or not at all."""
    temporary = path.with_name(f".{path.name}.partial")
    total = hashlib.sha256()
    buffer = memoryview(bytearray(1 << 20))
    with gone_unless_whole(temporary), open(temporary, "wb") as file, ThreadPoolExecutor(1) as to_disk:
        synced: list[Future[None]] = []

        def append(part: Path) -> None:
            with open(part, "rb", buffering=0) as source:
                while count := source.readinto(buffer):
                    total.update(buffer[:count])
                    file.write(buffer[:count])
            file.flush()
            # Begun early, so that little is left to wait for at the end.
            if file.tell() > ENOUGH_TO_SYNC * (len(synced) + 1):
                synced.append(to_disk.submit(os.fsync, file.fileno()))

        yield append
        for one in synced:
            # The system tells an error of writing once only.
            one.result()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    KNOWN_DIGESTS[path, *identity(path)] = total.hexdigest()
    sync_folder(path.parent)


@contextmanager
def gone_unless_whole(temporary: Path) -> Iterator[None]:
    """Remove a temporary file where the block that fills it fails."""
    try:
        yield
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def write_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder that takes the name `path`, replacing what stood there, once the block ends well."""
    temporary = path.with_name(f".{path.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    yield temporary
    for file in temporary.rglob("*"):
        if file.is_file():
            with open(file, "rb") as handle:
                os.fsync(handle.fileno())
    shutil.rmtree(path, ignore_errors=True)
    os.replace(temporary, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, or of a folder's sorted (relative path, file digest) list."""
    if path.is_file():
        known = (path, *identity(path))
        if known not in KNOWN_DIGESTS:
            with open(path, "rb") as file:
                KNOWN_DIGESTS[known] = hashlib.file_digest(file, "sha256").hexdigest()
        return KNOWN_DIGESTS[known]
    total = hashlib.sha256()
    for file_path in sorted(p for p in path.rglob("*") if p.is_file()):
        total.update(f"{file_path.relative_to(path).as_posix()}\0{digest(file_path)}\n".encode())
    return total.hexdigest()


def identity(path: Path) -> tuple[int, int, int]:
    """What changes when a file does: its inode, size in bytes and time of change in ns."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def count_rows(path: Path) -> int | None:
    """Rows of a JSONL file; None for anything else."""
    if path.suffix != ".jsonl":
        return None
    with open(path, "rb") as file:
        return sum(1 for _ in file)
