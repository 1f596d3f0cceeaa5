"""Mark each checkpoint as whole once all ranks have written theirs, and delete old ones after that."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgpt.errors import UserError
from radgpt.run import Run
from radgpt.training.engine.ranks import wait_for_all
from radgpt.training.loop import checkpoints

if TYPE_CHECKING:
    from radgpt.training.watching.meter import Meter

NO_ROOM = ("No space left", "file write failed", "unexpected pos", "Disk quota exceeded")
"""How libraries put it that a disk is full, where they do not pass the system's error on (torch's archive, closed on a full disk, finds
itself at an unexpected position)."""


class Keeper:
    """The last of the Trainer's watchers: ends a training that was asked to stop once its checkpoint is whole."""

    def __init__(self, run: Run, meter: "Meter", limit: int | None) -> None:
        self._run = run
        self._meter = meter
        self._limit = limit

    def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """The Trainer has written `checkpoint-<step>`.

        Raises:
            KeyboardInterrupt: on every rank, where one was asked to stop.
        """
        wait_for_all()
        if self._run.rank == 0:
            folder = Path(args.output_dir)
            checkpoint = folder / f"checkpoint-{state.global_step}"
            with room_for(checkpoint):
                checkpoints.seal(checkpoint, self._run.world_size, args.per_device_train_batch_size, args.gradient_accumulation_steps)
            checkpoints.keep_last(folder, self._limit, spare=Path(state.best_model_checkpoint) if state.best_model_checkpoint else None)
        wait_for_all()
        if self._meter.stops:
            raise KeyboardInterrupt


@contextmanager
def room_for(folder: Path) -> Iterator[None]:
    """Write a folder of the run inside the block; half of it does not stay.

    Raises:
        UserError: the disk is full.
    """
    try:
        yield
    # safetensors has an error of its own.
    except Exception as error:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(words in str(error) for words in NO_ROOM)
        if not full:
            raise
        checkpoints.discard(folder)
        raise UserError(
            f"the disk is full: {folder} could not be written, and what was saved before it is kept; free some space and give the same "
            "command again, with training.save_total_limit=1 if need be"
        ) from None
