"""What an epoch added to the pool outlives the run that found it."""

from pathlib import Path

from radgpt.instructions.pool_epochs import Accepted, end_epoch
from radgpt.instructions.tasks import Pool


def test_a_finished_epoch_is_read_back_rather_than_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    first = Pool({})
    end_epoch(folder, 0, [Accepted("r0/0", "own", "Is it new?")], first)
    end_epoch(folder, 1, [Accepted("r1/0", "own", "Is it large?")], first)
    assert first.questions("own") == ["Is it new?", "Is it large?"]
    assert sorted(path.name for path in folder.iterdir()) == ["epoch-00000.jsonl", "epoch-00001.jsonl"]
    again = Pool({})
    end_epoch(folder, 0, [Accepted("r0/0", "own", "Is it new?"), Accepted("r0/1", "own", "Where is it?")], again)
    end_epoch(folder, 1, [], again)
    assert again.questions("own") == first.questions("own")
