"""What an epoch added to the pool outlives the run that found it."""

from pathlib import Path

from radgpt.instructions.pool_epochs import Accepted, grow, keep_epoch, kept
from radgpt.instructions.tasks import Pool


def test_a_kept_epoch_is_read_back_rather_than_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    keep_epoch(folder, 0, [Accepted("r0/0", "own", "Is it new?")])
    keep_epoch(folder, 0, [Accepted("r0/0", "own", "Is it new?"), Accepted("r0/1", "own", "Where is it?")])
    pool = Pool({})
    grow(folder, 0, pool)
    assert pool.questions("own") == ["Is it new?"]
    assert kept(folder, 0) and not kept(folder, 1)
    assert [path.name for path in folder.iterdir()] == ["epoch-00000.jsonl"]
