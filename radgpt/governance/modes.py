"""Keep what derives from credentialed reports readable by its owner alone: 0600 files in 0700 folders."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from radgpt.config import Governance


@contextmanager
def created_for(governance: Governance) -> Iterator[None]:
    """Create files and folders for the owner alone while credentialed data are worked on; processes started meanwhile inherit it."""
    if governance is not Governance.credentialed:
        yield
        return
    previous = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(previous)


def close_to_others(path: Path) -> None:
    """Take everybody else's rights from a file, or from a folder and all in it; links are not followed.

    Some files come from processes that were started before the class was known, such as W&B's.
    """
    close_one(path)
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            close_one(Path(folder) / name)


def close_one(path: Path) -> None:
    """Take everybody else's rights from one file or folder, unless it is a link or gone by now."""
    with suppress(FileNotFoundError):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o700)
