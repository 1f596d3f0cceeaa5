"""Which checkpoint a killed training goes on from, and which ones are kept."""

from radgpt.training.loop import checkpoints
from radgpt.training.loop.checkpoints import Saved


def saved(folder, step, world_size=1, sealed=True):
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    (checkpoint / "weights").write_text("w")
    if sealed:
        checkpoints.seal(checkpoint, world_size, 2, 4)
    return checkpoint


def names(folder):
    return [checkpoint.name for checkpoint in checkpoints.by_step(folder)]


def test_the_last_whole_one_by_step_not_by_name(tmp_path):
    nine, ten = saved(tmp_path, 9), saved(tmp_path, 10)
    torn = saved(tmp_path, 11, sealed=False)
    assert checkpoints.last_whole(tmp_path) == ten
    assert checkpoints.torn(tmp_path) == [torn]
    assert nine.is_dir()


def test_none_to_go_on_from(tmp_path):
    assert checkpoints.last_whole(tmp_path / "absent") is None
    saved(tmp_path, 3, sealed=False)
    (saved(tmp_path, 4) / checkpoints.MARKER).write_text("{torn")
    (saved(tmp_path, 5) / checkpoints.MARKER).write_text('{"world_size": 1}')
    assert checkpoints.last_whole(tmp_path) is None


def test_it_says_how_it_was_trained(tmp_path):
    found = checkpoints.saved_by(saved(tmp_path, 5, world_size=3))
    assert found == Saved(3, per_device_train_batch_size=2, gradient_accumulation_steps=4)
    assert found.step == 3 * 2 * 4


def test_old_ones_are_deleted(tmp_path):
    for step in (2, 10, 4):
        saved(tmp_path, step)
    checkpoints.keep_last(tmp_path, 2)
    assert names(tmp_path) == ["checkpoint-4", "checkpoint-10"]
    checkpoints.keep_last(tmp_path, None)
    assert len(names(tmp_path)) == 2


def test_only_whole_ones_count(tmp_path):
    whole = saved(tmp_path, 2)
    saved(tmp_path, 4, sealed=False)
    checkpoints.keep_last(tmp_path, 1)
    assert checkpoints.last_whole(tmp_path) == whole


def test_the_best_one_is_kept_beside_the_last(tmp_path):
    for step in (2, 4, 6, 8):
        saved(tmp_path, step)
    checkpoints.keep_last(tmp_path, 1, spare=tmp_path / "checkpoint-4")
    assert names(tmp_path) == ["checkpoint-4", "checkpoint-8"]
