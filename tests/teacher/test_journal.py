"""The journal gives back what was put, survives torn and damaged lines, and keeps no text in memory."""

import json
import stat
from pathlib import Path

import pytest

from radgpt.errors import UserError
from radgpt.teacher.journal import Journal


def key(number: int) -> str:
    return f"{number:064x}"


def test_rows_are_found_again_in_this_run_and_the_next(tmp_path: Path) -> None:
    path = tmp_path / "new" / "journal.jsonl"
    with Journal(path) as journal:
        journal.put(key(1), {"text": "Is the heart enlarged? 心"})
        journal.put(key(2), {"text": "first"})
        journal.put(key(2), {"text": "second"})
        assert journal.get(key(1)) == {"key": key(1), "text": "Is the heart enlarged? 心"}
        assert journal.get(key(3)) is None
    with Journal(path) as journal:
        assert len(journal) == 2
        assert journal.get(key(2)) == {"key": key(2), "text": "second"}
        journal.put(key(3), {"text": "third"})
        assert journal.get(key(3)) == {"key": key(3), "text": "third"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("cut", [1, 20, 75])
def test_a_torn_tail_is_cut_and_the_next_row_stands_whole(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.put(key(1), {"text": "whole"})
        journal.put(key(2), {"text": "torn"})
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(path) as journal:
        assert journal.get(key(1)) == {"key": key(1), "text": "whole"}
        assert journal.get(key(2)) is None
        journal.put(key(3), {"text": "after"})
        assert journal.get(key(3)) == {"key": key(3), "text": "after"}
    assert [json.loads(line)["text"] for line in path.read_text().splitlines()] == ["whole", "after"]


def test_a_damaged_line_costs_only_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        for number in (1, 2, 3):
            journal.put(key(number), {"text": f"text {number}"})
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\0" * 40 + b"\n" + lines[2])
    with Journal(path) as journal:
        assert journal.get(key(1)) and journal.get(key(3)) and not journal.get(key(2))
    assert "line 2 is damaged" in caplog.text and "text 2" not in caplog.text


def test_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path), pytest.raises(UserError, match="in use"):
        Journal(path)
    Journal(path).close()
