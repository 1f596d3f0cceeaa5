"""The CSV names models and holds no text; agreement reads it as it is."""

from pathlib import Path

from rating_desk import ROWS, compared

from radgpt.evaluation.judge.human_scores import HumanScore, read_human_scores
from radgpt.evaluation.judge.rubric import read_rubric
from radgpt.rating.blinding import sha256_of
from radgpt.rating.ledger import Rating
from radgpt.rating.table import Answered, as_csv

RUBRIC = read_rubric("asclepius", "rate.rubric")
THREE = compared("r4/0", "Is it?", a="Yes.", b="No.", c="Yes.")


def rating(row: int, criterion: str, systems: tuple[str, ...], score: int, rater: str = "rose") -> Rating:
    rows = (*ROWS, THREE)
    return Rating(rows[row].pair_id, criterion, [*systems], score, sha256_of(rows[row]), RUBRIC.sha256, rater, "2026-01-01")


def test_scores_and_preferences_are_told_of_every_model(tmp_path: Path) -> None:
    ratings = [
        rating(0, "quality", ("base",), 1),
        rating(0, "preference", ("tuned",), 1),
        rating(1, "preference", (), 1, "mary, MD"),
        rating(2, "quality", ("tuned", "base"), 3),
        rating(3, "preference", ("a", "c"), 1),
    ]
    file = tmp_path / "ratings.csv"
    file.write_text(as_csv(ratings, Answered([*ROWS, THREE]), RUBRIC))
    assert file.read_text().splitlines()[:2] == ["id,system,criterion,score,rater,decided", "r1/0,base,quality,1,rose,2026-01-01"]
    assert read_human_scores(file) == [
        HumanScore("r1/0", "quality", 1.0, "base", "rose"),
        HumanScore("r1/0", "preference", 1.0, "tuned", "rose"),
        HumanScore("r1/0", "preference", 0.0, "base", "rose"),
        HumanScore("r2/0", "preference", 0.5, "tuned", "mary, MD"),
        HumanScore("r2/0", "preference", 0.5, "base", "mary, MD"),
        HumanScore("r3/0", "quality", 3.0, "tuned", "rose"),
        HumanScore("r3/0", "quality", 3.0, "base", "rose"),
        HumanScore("r4/0", "preference", 1.0, "a", "rose"),
        HumanScore("r4/0", "preference", 1.0, "c", "rose"),
        HumanScore("r4/0", "preference", 0.0, "b", "rose"),
    ]
    assert "effusion" not in file.read_text()


def test_ratings_of_other_texts_or_by_another_rubric_are_left_out() -> None:
    given = rating(0, "quality", ("base",), 1)
    other = Answered([compared("r1/0", "Is there an effusion?", tuned="Yes.", base="No.")])
    for answered, rubric in ((other, RUBRIC), (Answered([]), RUBRIC), (Answered(ROWS), read_rubric("original", "rate.rubric"))):
        assert as_csv([given], answered, rubric).count("\n") == 1
