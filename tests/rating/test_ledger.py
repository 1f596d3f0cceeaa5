"""Every click is in its file at once, the last of each counts, and files of one rater become one."""

from pathlib import Path

import pytest

from radgpt.errors import UserError
from radgpt.rating.ledger import Rating, merged, open_ledger, read_ratings, standing


def rating(score: int | None, second: int = 0, *, criterion: str = "accuracy", systems: tuple[str, ...] = ("a",)) -> Rating:
    return Rating("r1/0", criterion, [*systems], score, "texts", "rubric", "rose", f"2026-01-01T00:00:{second:02}+00:00")


def test_the_last_of_each_counts_and_what_is_taken_back_does_not(tmp_path: Path) -> None:
    path = tmp_path / "rose.jsonl"
    with open_ledger(path) as ledger:
        for given in (rating(3), rating(2, criterion="conciseness"), rating(4), rating(1, systems=("b",)), rating(None, systems=("b",))):
            ledger.append(given)
            assert given in read_ratings(path)
        assert list(ledger.standing.values()) == [rating(2, criterion="conciseness"), rating(4)]
    with open_ledger(path) as again:
        assert list(again.standing.values()) == list(ledger.standing.values())


def test_a_preference_replaces_one_for_another_answer() -> None:
    preferred = [rating(1, criterion="preference", systems=systems) for systems in (("a",), ("b",), ())]
    assert list(standing(preferred).values()) == [preferred[-1]]
    assert standing([*preferred, rating(None, criterion="preference", systems=())]) == {}


def test_a_torn_line_is_cut_before_the_next(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rose.jsonl"
    with open_ledger(path) as ledger:
        ledger.append(rating(3))
    with open(path, "ab") as file:
        file.write(b'{"pair_id": "SECRET')
    with open_ledger(path) as ledger:
        ledger.append(rating(4, systems=("b",)))
    assert [one.score for one in read_ratings(path)] == [3, 4]
    told = capfd.readouterr().err
    assert "line 2: half written" in told and "SECRET" not in told


def test_a_line_of_another_kind_is_refused_by_number(tmp_path: Path) -> None:
    path = tmp_path / "rose.jsonl"
    path.write_text('{"pair_id": "r1/0"}\n')
    with pytest.raises(UserError, match=r"rose\.jsonl, line 1: no field"), open_ledger(path):
        pass


def test_one_rating_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "rose.jsonl"
    with open_ledger(path), pytest.raises(UserError, match="another rating has it open"), open_ledger(path):
        pass


def test_files_that_began_from_each_other_become_one_in_the_order_of_time(tmp_path: Path) -> None:
    first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    for path, added in ((first, rating(2, 5)), (second, rating(1, 3))):
        with open_ledger(path) as ledger:
            ledger.append(rating(4, 1))
            ledger.append(added)
    (tmp_path / "both.jsonl").write_bytes(merged([second, first]))
    assert list(read_ratings(tmp_path / "both.jsonl")) == [rating(4, 1), rating(1, 3), rating(2, 5)]
