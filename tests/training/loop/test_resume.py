"""Where a training goes on, with as many processes as before or with others."""

import pytest

from radgpt.config import Training
from radgpt.errors import UserError
from radgpt.run import Run
from radgpt.training.loop import checkpoints
from radgpt.training.loop.resume import resume, tidy_checkpoints

TRAINING = Training(per_device_train_batch_size=2, gradient_accumulation_steps=4)


def saved(folder, step, world_size, sealed=True):
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    if sealed:
        checkpoints.seal(checkpoint, world_size, 2, 4)
    return checkpoint


def run(folder, world_size=1):
    return Run(directory=folder, writes={}, world_size=world_size)


def sizes(training):
    return training.per_device_train_batch_size, training.gradient_accumulation_steps


def test_nothing_to_go_on_from(tmp_path):
    where = resume(run(tmp_path), "finetune", tmp_path / "absent", TRAINING)
    assert (where.checkpoint, where.training, where.universal) == (None, TRAINING, False)


def test_a_torn_one_is_deleted_with_a_word(tmp_path, capsys):
    whole, torn = saved(tmp_path, 4, 1), saved(tmp_path, 5, 1, sealed=False)
    tidy_checkpoints(run(tmp_path), "finetune", tmp_path)
    assert not torn.exists()
    assert resume(run(tmp_path), "finetune", tmp_path, TRAINING).checkpoint == whole
    assert "checkpoint-5 is torn" in capsys.readouterr().out


def test_fewer_processes_take_the_same_examples_in_each_step(tmp_path, capsys):
    whole = saved(tmp_path, 4, world_size=2)
    where = resume(run(tmp_path), "finetune", tmp_path, TRAINING)
    assert (where.checkpoint, sizes(where.training), where.universal) == (whole, (2, 8), False)
    assert "saved by 2 processes" in capsys.readouterr().out
    # The same holds for the next kill: what was saved says how to go on, not the settings.
    checkpoints.seal(whole, 1, *sizes(where.training))
    assert sizes(resume(run(tmp_path), "finetune", tmp_path, TRAINING).training) == (2, 8)


def test_a_number_of_processes_that_cannot_share_a_step(tmp_path):
    saved(tmp_path, 4, world_size=1)
    with pytest.raises(UserError, match=r"launch\.processes: .* 8 examples .* 3 processes cannot share evenly"):
        resume(run(tmp_path, world_size=3), "finetune", tmp_path, TRAINING)
