"""Keep the Trainer's checkpoints such that a killed training goes on from the last whole one."""

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from radgpt.artifacts import sync_folder, write_text

MARKER = "whole.json"
"""Written last into a checkpoint folder: its presence means that every rank's files are there."""


@dataclass(frozen=True)
class Saved:
    """How a whole checkpoint was trained."""

    world_size: int
    per_device_train_batch_size: int
    gradient_accumulation_steps: int

    @property
    def step(self) -> int:
        """Examples in an optimizer step, over all processes; rows, where batches are packed."""
        return self.world_size * self.per_device_train_batch_size * self.gradient_accumulation_steps


def seal(checkpoint: Path, world_size: int, per_device_train_batch_size: int, gradient_accumulation_steps: int) -> None:
    """Mark a checkpoint as whole, once its files are on the disk."""
    for file in checkpoint.rglob("*"):
        if file.is_file():
            with open(file, "rb") as handle:
                os.fsync(handle.fileno())
    saved = Saved(world_size, per_device_train_batch_size, gradient_accumulation_steps)
    write_text(checkpoint / MARKER, json.dumps(asdict(saved)))
    sync_folder(checkpoint.parent)


def saved_by(checkpoint: Path) -> Saved | None:
    """How a checkpoint was trained; None where it is torn: the process was killed while it wrote it."""
    try:
        return Saved(**json.loads((checkpoint / MARKER).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def last_whole(folder: Path) -> Path | None:
    """The latest checkpoint that training can go on from."""
    found = whole(folder)
    return found[-1] if found else None


def whole(folder: Path) -> list[Path]:
    """Whole checkpoints, earliest first."""
    return [checkpoint for checkpoint in by_step(folder) if saved_by(checkpoint) is not None]


def torn(folder: Path) -> list[Path]:
    """The other ones."""
    return [checkpoint for checkpoint in by_step(folder) if saved_by(checkpoint) is None]


def by_step(folder: Path) -> list[Path]:
    """All checkpoint folders of the Trainer, earliest first."""
    return sorted(folder.glob("checkpoint-*"), key=lambda checkpoint: int(checkpoint.name.rpartition("-")[2]))


def keep_last(folder: Path, count: int | None, spare: Path | None = None) -> None:
    """Delete all whole checkpoints but the last `count` (None: keep all) and the one to `spare`, the best so far."""
    if count:
        for checkpoint in whole(folder)[:-count]:
            if spare is None or checkpoint.name != spare.name:
                discard(checkpoint)


def discard(folder: Path) -> None:
    """Delete a folder so that a kill in between leaves nothing that looks whole."""
    if folder.is_dir():
        doomed = folder.with_name(f".{folder.name}.doomed")
        shutil.rmtree(doomed, ignore_errors=True)
        os.replace(folder, doomed)
        shutil.rmtree(doomed)
