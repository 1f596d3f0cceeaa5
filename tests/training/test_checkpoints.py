"""Which checkpoint a killed training goes on from."""

from radgpt.training import checkpoints


def saved(folder, step, world_size=1, sealed=True):
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    (checkpoint / "weights").write_text("w")
    if sealed:
        checkpoints.seal(checkpoint, world_size)
    return checkpoint


def test_the_last_whole_one_by_step_not_by_name(tmp_path):
    nine, ten = saved(tmp_path, 9), saved(tmp_path, 10)
    torn = saved(tmp_path, 11, sealed=False)
    assert checkpoints.last_whole(tmp_path, 1) == ten
    assert checkpoints.unusable(tmp_path, 1) == [torn]
    assert nine.is_dir()


def test_none_to_go_on_from(tmp_path):
    assert checkpoints.last_whole(tmp_path / "absent", 1) is None
    saved(tmp_path, 3, sealed=False)
    (saved(tmp_path, 4) / checkpoints.MARKER).write_text("{torn")
    assert checkpoints.last_whole(tmp_path, 1) is None


def test_another_number_of_processes_cannot_go_on(tmp_path):
    checkpoint = saved(tmp_path, 5, world_size=2)
    assert checkpoints.last_whole(tmp_path, 1) is None
    assert checkpoints.unusable(tmp_path, 1) == [checkpoint]
    assert checkpoints.last_whole(tmp_path, 2) == checkpoint


def test_old_ones_are_deleted(tmp_path):
    for step in (2, 10, 4):
        saved(tmp_path, step)
    checkpoints.keep_last(tmp_path, 2)
    assert [checkpoint.name for checkpoint in checkpoints.by_step(tmp_path)] == ["checkpoint-4", "checkpoint-10"]
    checkpoints.keep_last(tmp_path, None)
    assert len(checkpoints.by_step(tmp_path)) == 2
