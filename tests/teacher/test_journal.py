"""The journal gives back what was put, survives torn and damaged lines and full disks, and keeps no text in memory."""

import errno
import hashlib
import json
import os
import stat
import tracemalloc
from pathlib import Path

import pytest

from radgpt.errors import UserError
from radgpt.mistakes import explain
from radgpt.teacher.budget import Spent
from radgpt.teacher.journal import PIECE, Journal, journals_in
from radgpt.teacher.key_index import KeyIndex


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


def test_what_other_runs_hold_is_found_and_neither_counted_nor_changed(tmp_path: Path) -> None:
    new, old = tmp_path / "new" / "journal.jsonl", tmp_path / "old" / "journal.jsonl"
    with Journal(old) as journal:
        journal.put(key(1), {"text": "old", "usd": 1.0})
        journal.put(key(2), {"text": "older", "usd": 1.0})
    with open(old, "ab") as file:
        file.write(b"damaged\n" + b'{"key": "' + key(3).encode() + b'", "text": "not wh')
    before = old.read_bytes()
    assert journals_in([tmp_path / "none", old.parent]) == [old]
    with Journal(new, [old]) as journal:
        journal.put(key(2), {"text": "own", "usd": 0.25})
        found = [journal.get(key(number)) for number in (1, 2, 3)]
        assert [row and row["text"] for row in found] == ["old", "own", None]
        assert len(journal) == 1 and journal.spent.usd == 0.25
    assert old.read_bytes() == before


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


def test_many_damaged_lines_are_told_in_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.put(key(1), {"text": "whole"})
    bad = ["{", "[]", "null", '{"key": "12"}', '{"key": 7}', f'{{"key": "{key(2)}", "usd": "much"}}', "\0\0"]
    path.write_text("\n".join(bad) + "\n" + path.read_text())
    with Journal(path) as journal:
        assert len(journal) == 1 and journal.get(key(1)) and not journal.get(key(2))
    (warning,) = caplog.messages
    assert warning == f"{path}, lines 1, 2, 3, 4, 5 and 2 more are damaged; what they answered is asked again"


@pytest.mark.parametrize("text", ["a\u2028b\u2029c\x85d", "\0 and \x1f", "\ud800 alone", "line\nbreak\r", "x" * (3 * PIECE), "心" * PIECE])
def test_hostile_texts_come_back_as_they_were(text: str, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.put(key(1), {"text": text})
        journal.put(key(2), {"text": "after"})
        assert journal.get(key(1)) == {"key": key(1), "text": text}
    with Journal(path) as journal:
        assert journal.get(key(1)) == {"key": key(1), "text": text}
        assert journal.get(key(2)) == {"key": key(2), "text": "after"}


def test_what_replies_took_is_summed_replaced_ones_among_them(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        assert journal.spent == Spent()
        journal.put(key(1), {"prompt_tokens": 100, "completion_tokens": 20, "usd": 0.25})
        journal.put(key(1), {"prompt_tokens": 50, "completion_tokens": 10, "usd": 0.125})
        journal.put(key(2), {"text": "from a time before prices"})
        assert journal.spent == Spent(requests=3, tokens=180, usd=0.375)
    with Journal(path) as journal:
        assert journal.spent == Spent(requests=3, tokens=180, usd=0.375) and len(journal) == 2


@pytest.mark.parametrize("failure", ["short write", "no space", "quota"])
def test_a_full_disk_leaves_the_file_whole(failure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.jsonl"
    write = os.write

    def full(file: int, line: bytes) -> int:
        if failure == "short write":
            return write(file, line[:30])
        raise OSError(errno.ENOSPC if failure == "no space" else errno.EDQUOT, "no room")

    with Journal(path) as journal:
        journal.put(key(1), {"text": "whole"})
        with monkeypatch.context() as patch, pytest.raises(OSError, match="disk is full") as raised:
            patch.setattr(os, "write", full)
            journal.put(key(2), {"text": "lost"})
        assert explain(raised.value) and str(path) in str(explain(raised.value))
        assert journal.get(key(2)) is None and len(journal) == journal.spent.requests == 1
        journal.put(key(3), {"text": "after"})
    assert [json.loads(line)["text"] for line in path.read_text().splitlines()] == ["whole", "after"]


def test_keys_that_begin_alike_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    alike = [f"{'ab' * 8}{number:048x}" for number in range(3)]
    with Journal(path) as journal:
        for one in alike:
            journal.put(one, {"text": one})
        journal.put(alike[1], {"text": "again"})
    with Journal(path) as journal:
        assert [journal.get(one)["text"] for one in alike] == [alike[0], "again", alike[2]]  # type: ignore[index]
        assert len(journal) == 3 and journal.get(f"{'ab' * 8}{7:048x}") is None


def test_the_index_finds_every_key_in_little_memory() -> None:
    keys = [hashlib.sha256(str(number).encode()).digest() for number in range(50_000)]
    tracemalloc.start()
    index = KeyIndex()
    for offset, one in enumerate(keys):
        index.set(one, offset)
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert all(list(index.places(one)) == [offset] for offset, one in enumerate(keys)) and len(index) == 50_000
    assert not any(list(index.places(hashlib.sha256(one).digest())) for one in keys[:1000])
    assert grown < 50 * len(keys)  # 460,000 keys: 2^20 slots of 16 bytes, 17 MB
