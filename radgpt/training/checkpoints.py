"""Keep the Trainer's checkpoints such that a killed training goes on from the last whole one."""

import json
import os
import shutil
from pathlib import Path

from radgpt.artifacts import sync_folder, write_text

MARKER = "whole.json"
"""Written last into a checkpoint folder: its presence means that every rank's files are there."""


def seal(checkpoint: Path, world_size: int) -> None:
    """Mark a checkpoint as whole, once its files are on the disk."""
    for file in checkpoint.rglob("*"):
        if file.is_file():
            with open(file, "rb") as handle:
                os.fsync(handle.fileno())
    write_text(checkpoint / MARKER, json.dumps({"world_size": world_size}))
    sync_folder(checkpoint.parent)


def last_whole(folder: Path, world_size: int) -> Path | None:
    """The latest checkpoint that training with `world_size` processes can go on from."""
    whole = [checkpoint for checkpoint in by_step(folder) if saved_by(checkpoint) == world_size]
    return whole[-1] if whole else None


def unusable(folder: Path, world_size: int) -> list[Path]:
    """Checkpoints that are torn (the process was killed while it wrote them) or were saved by another number of processes."""
    return [checkpoint for checkpoint in by_step(folder) if saved_by(checkpoint) != world_size]


def saved_by(checkpoint: Path) -> int | None:
    """How many processes saved a checkpoint; None where it is torn."""
    try:
        return int(json.loads((checkpoint / MARKER).read_text(encoding="utf-8"))["world_size"])
    except (OSError, ValueError, KeyError):
        return None


def by_step(folder: Path) -> list[Path]:
    """All checkpoint folders of the Trainer, earliest first."""
    return sorted(folder.glob("checkpoint-*"), key=lambda checkpoint: int(checkpoint.name.rpartition("-")[2]))


def keep_last(folder: Path, count: int | None) -> None:
    """Delete all but the last `count` checkpoints (None: keep all)."""
    if count:
        for checkpoint in by_step(folder)[:-count]:
            discard(checkpoint)


def discard(folder: Path) -> None:
    """Delete a folder so that a kill in between leaves nothing that looks whole."""
    if folder.is_dir():
        doomed = folder.with_name(f".{folder.name}.doomed")
        shutil.rmtree(doomed, ignore_errors=True)
        os.replace(folder, doomed)
        shutil.rmtree(doomed)
