"""What changes, and what must not, when a training goes on with another number of processes."""

import pytest

from radgpt.errors import UserError
from radgpt.training.engine.world_size import batch_sizes, needs_universal


@pytest.mark.parametrize(
    ("examples", "processes", "largest", "wanted"),
    [
        (32, 1, 4, (4, 8)),
        (32, 4, 4, (4, 2)),
        # Fewer than fit at once.
        (8, 4, 4, (2, 1)),
        # Five do not divide a share of six; three do.
        (12, 2, 5, (3, 2)),
        (7, 1, 4, (1, 7)),
    ],
)
def test_each_step_keeps_its_examples(examples, processes, largest, wanted):
    size, accumulated = batch_sizes(examples, processes, largest)
    assert (size, accumulated) == wanted and size * accumulated * processes == examples


def test_a_step_that_cannot_be_shared_evenly_names_the_numbers_that_can():
    with pytest.raises(UserError, match="8 examples a step, which 3 processes cannot share evenly; go on with 1, 2, 4 of them"):
        batch_sizes(8, 3, 4)


def test_only_split_states_are_converted(tmp_path):
    (tmp_path / "global_step3").mkdir()
    (tmp_path / "global_step3" / "mp_rank_00_model_states.pt").touch()
    assert not needs_universal(tmp_path)
    (tmp_path / "global_step3" / "zero_pp_rank_0_mp_rank_00_optim_states.pt").touch()
    assert needs_universal(tmp_path)
