"""Decisions are appended whole, one review at a time, to a file that is its owner's alone."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from radgpt.config import Governance
from radgpt.errors import UserError
from radgpt.governance.modes import created_for
from radgpt.records import Decision
from radgpt.review.decisions import read_decisions
from radgpt.review.ledger import open_ledger

ACCEPTED = Decision("r1/0", "accept", "a")
REJECTED = Decision("r1/1", "reject", "b")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def umask(value: int) -> Iterator[None]:
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


def test_each_decision_is_in_the_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "below" / "decisions.jsonl"
    with open_ledger(path, "x") as ledger:
        ledger.append(ACCEPTED)
        assert read_decisions(path) == {"r1/0": ACCEPTED}
        ledger.append(REJECTED)
        ledger.append(Decision("r1/0", "withdraw", "a"))
        assert dict(ledger.standing) == read_decisions(path) == {"r1/1": REJECTED}
    with open_ledger(path, "x") as ledger:
        assert dict(ledger.standing) == {"r1/1": REJECTED}


@pytest.mark.parametrize("torn", [b'{"instruction_id"', b"{" + b"x" * 200_000])
def test_a_torn_line_is_cut_before_the_next(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "decisions.jsonl"
    with open_ledger(path, "x") as ledger:
        ledger.append(ACCEPTED)
    with open(path, "ab") as file:
        file.write(torn)
    with open_ledger(path, "x") as ledger:
        ledger.append(REJECTED)
    assert list(read_decisions(path).values()) == [ACCEPTED, REJECTED]
    assert path.read_bytes().count(b"\n") == 2


def test_a_whole_last_line_without_its_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    with open_ledger(path, "x") as ledger:
        ledger.append(ACCEPTED)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    with open_ledger(path, "x") as ledger:
        ledger.append(REJECTED)
    assert list(read_decisions(path).values()) == [ACCEPTED, REJECTED]


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    with umask(0o022), open_ledger(tmp_path / "decisions.jsonl", "x"):
        assert mode(tmp_path / "decisions.jsonl") == 0o600


def test_a_credentialed_run_closes_an_old_file_wherever_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    path.touch(0o644)
    with umask(0o022), open_ledger(path, "x"):
        assert mode(path) == 0o644
    with created_for(Governance.credentialed), open_ledger(path, "x"):
        assert mode(path) == 0o600


def test_a_second_review_of_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    with (
        open_ledger(path, "x"),
        pytest.raises(UserError, match=r"review\.decisions=d: another review"),
        open_ledger(path, "review.decisions=d"),
    ):
        pass


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"review\.decisions=d: cannot write there"), open_ledger(tmp_path, "review.decisions=d"):
        pass


@pytest.mark.parametrize("content", [b"FINDINGS: The lungs are clear.", b'[{"instruction_id": "r1/0"}]', b"\x00\xff"])
def test_a_file_of_another_kind_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "report.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"report.txt, line 1: not a JSON object"), open_ledger(path, "review.decisions=report.txt"):
        pass
    assert path.read_bytes() == content
