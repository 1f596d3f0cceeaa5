"""A checkpoint is marked once it is whole, and a full disk costs no earlier one."""

import errno
import os

import pytest

from radgpt.errors import UserError
from radgpt.run import Run
from radgpt.training.loop import checkpoints
from radgpt.training.loop.keeper import Keeper, room_for
from radgpt.training.watching.meter import Meter


class Arguments:
    per_device_train_batch_size, gradient_accumulation_steps = 2, 4

    def __init__(self, folder):
        self.output_dir = str(folder)


class State:
    def __init__(self, step, best=None):
        self.global_step, self.best_model_checkpoint = step, best


def written(folder, step):
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir()
    (checkpoint / "weights").write_text("w")
    return checkpoint


def test_the_one_before_goes_once_the_next_is_whole(tmp_path, monkeypatch):
    keeper = Keeper(Run(directory=tmp_path, writes={}), Meter(1, lambda: False), limit=1)
    first = written(tmp_path, 1)
    keeper.on_save(Arguments(tmp_path), State(1), None)
    second = written(tmp_path, 2)

    def torn(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "seal", torn)
        with pytest.raises(UserError, match=r"the disk is full: .*checkpoint-2 could not be written, and what was saved before it is kept"):
            keeper.on_save(Arguments(tmp_path), State(2), None)
    assert checkpoints.by_step(tmp_path) == [first]
    written(tmp_path, 2)
    keeper.on_save(Arguments(tmp_path), State(2), None)
    assert checkpoints.by_step(tmp_path) == [second]


def test_a_training_that_was_asked_to_stop_ends_with_a_whole_checkpoint(tmp_path):
    meter = Meter(1, lambda: True)
    meter.stops = True
    checkpoint = written(tmp_path, 3)
    with pytest.raises(KeyboardInterrupt):
        Keeper(Run(directory=tmp_path, writes={}), meter, limit=2).on_save(Arguments(tmp_path), State(3), None)
    assert checkpoints.last_whole(tmp_path) == checkpoint


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        RuntimeError("[enforce fail at inline_container.cc:659] . PytorchStreamWriter failed writing file data/2: file write failed"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 546560 vs 546448"),
        Exception("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
    ids=["disk", "quota", "torch", "torch at its end", "safetensors"],
)
def test_a_full_disk_is_told_in_the_words_of_each_library(tmp_path, error):
    (tmp_path / "half").mkdir()
    with pytest.raises(UserError, match="the disk is full"), room_for(tmp_path / "half"):
        raise error
    assert not (tmp_path / "half").exists()


def test_other_errors_pass(tmp_path):
    with pytest.raises(PermissionError), room_for(tmp_path / "half"):
        raise PermissionError(errno.EACCES, "Permission denied")
