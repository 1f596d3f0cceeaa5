"""Agreement equals its reference packages, is by answer, and leaves out what only one of two graded."""

import random
from collections import Counter

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from radgpt.evaluation.judge.human_scores import HumanScore
from radgpt.evaluation.judge.judgement import PREFERENCE, SECOND, Cost, Grade, Judgement, Provenance, Verdict
from radgpt.evaluation.judge.rater_agreement import agreements, as_result, quadratic_kappa, spearman, told
from radgpt.evaluation.resampling import Resampling

RESAMPLING = Resampling(samples=200, confidence=0.95, seed=0)
MADE = Provenance(("j",), "j", "local", "single", "asclepius", "", "", 0.0, 0, "")


def judgement(scores: dict[tuple[str, str], int | None], *, repeats: int = 1) -> Judgement:
    grades = [
        Grade(id, f"p{id}", "t", system, "quality", score, repeat) for (id, system), score in scores.items() for repeat in range(repeats)
    ]
    systems = tuple(dict.fromkeys(system for _, system in scores))
    return Judgement(systems, ("quality",), 1, 4, len(scores), grades, [], len(scores), Counter(), Counter(), Cost(), MADE)


def of_person(scores: dict[tuple[str, str], float], rater: str = "rose", criterion: str = "quality") -> list[HumanScore]:
    return [HumanScore(id, criterion, score, system, rater) for (id, system), score in scores.items()]


@pytest.mark.parametrize("seed", range(5))
def test_kappa_and_rank_correlation_equal_scikit_learns_and_scipys(seed: int) -> None:
    drawn = random.Random(seed)
    x = np.array([drawn.randint(1, 4) for _ in range(40)], dtype=float)
    y = np.array([min(4, max(1, one + drawn.choice([-1, 0, 0, 1]))) for one in x], dtype=float)
    wanted = cohen_kappa_score(x.astype(int), y.astype(int), labels=[1, 2, 3, 4], weights="quadratic")
    assert quadratic_kappa(x, y) == pytest.approx(wanted, abs=1e-12)
    assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)


def test_by_hand() -> None:
    x, y = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 4.0, 3.0])
    assert quadratic_kappa(x, y) == pytest.approx(1 - 0.5 / 2.5)
    assert spearman(x, y) == pytest.approx(0.8)


def test_the_judge_stands_beside_every_rater_and_raters_beside_each_other() -> None:
    answers = [(f"s{n}/0", system) for n in range(6) for system in ("tuned", "base")]
    of_judge = {answer: 1 + place % 4 for place, answer in enumerate(answers)}
    rose = of_person({answer: float(score) for answer, score in of_judge.items()})
    mary = of_person({answer: float(5 - score) for answer, score in list(of_judge.items())[:8]}, "mary")
    found = agreements([*rose, *mary], judgement(of_judge), RESAMPLING)
    by_pair = {(row.one, row.other): row for row in found.rows}
    assert list(by_pair) == [("judge", "people"), ("judge", "rose"), ("judge", "mary"), ("rose", "mary")]
    assert by_pair["judge", "rose"].kappa.value == 1.0 and by_pair["judge", "rose"].exact.value == 1.0
    assert (by_pair["judge", "rose"].scores, by_pair["judge", "rose"].questions) == (12, 6)
    assert by_pair["judge", "mary"].spearman.value == pytest.approx(-1.0)
    assert by_pair["rose", "mary"].kappa.value == by_pair["judge", "mary"].kappa.value == pytest.approx(-1.0)
    assert by_pair["judge", "people"].scores == 20 and by_pair["judge", "people"].exact.value == pytest.approx(0.6)
    interval = by_pair["judge", "people"].kappa
    assert interval.low is not None and interval.value is not None and interval.high is not None
    assert interval.low < interval.value < interval.high
    assert (found.compared, found.unmatched) == (20, 0)


def test_a_missing_grade_and_an_answer_not_judged_are_left_out() -> None:
    of_judge = {("s1/0", "a"): 4, ("s2/0", "a"): None, ("s3/0", "a"): 1}
    people = of_person({("s1/0", "a"): 4.0, ("s2/0", "a"): 4.0, ("s3/0", "a"): 1.0, ("s9/0", "a"): 2.0})
    found = agreements(people, judgement(of_judge), RESAMPLING)
    (row,) = found.rows
    assert (row.scores, row.kappa.value, found.compared, found.unmatched) == (2, 1.0, 3, 1)
    assert "1 score of people are of answers or criteria that the judge did not grade" in "\n".join(told(found))


def test_scores_without_a_system_are_the_only_judged_ones() -> None:
    people = [HumanScore("s1/0", "quality", 4.0, "", ""), HumanScore("s2/0", "quality", 1.0, "", "")]
    one = judgement({("s1/0", "a"): 4, ("s2/0", "a"): 1})
    two = judgement({("s1/0", "a"): 4, ("s2/0", "b"): 1})
    assert [row.scores for row in agreements(people, one, RESAMPLING).rows] == [2]
    found = agreements(people, two, RESAMPLING)
    assert (found.rows, found.unmatched) == ([], 2)
    assert told(found) == ["people's scores (2 scores) are of no answer that the judge graded"]
    elsewhere = [HumanScore("s1/0", "quality", 4.0, "tuned", ""), HumanScore("s2/0", "quality", 1.0, "tuned", "")]
    assert [row.scores for row in agreements(elsewhere, one, RESAMPLING).rows] == [2]


def test_a_mean_over_repeats_equals_what_is_nearer_than_half_a_step() -> None:
    grades = [Grade("s1/0", "p", "t", "a", "quality", score, repeat) for repeat, score in enumerate((3, 3, 4))]
    made = Judgement(("a",), ("quality",), 1, 4, 1, grades, [], 3, Counter(), Counter(), Cost(), MADE)
    (row,) = agreements(of_person({("s1/0", "a"): 3.0}), made, RESAMPLING).rows
    assert row.exact.value == 1.0 and row.kappa.low is None
    verdict = Verdict("s1/0", "p", "t", "a", "b", SECOND)
    pairs = Judgement(("a", "b"), (PREFERENCE,), 0, 1, 1, [], [verdict], 1, Counter(), Counter(), Cost(), MADE)
    people = of_person({("s1/0", "a"): 0.5, ("s1/0", "b"): 1.0}, criterion=PREFERENCE)
    (row,) = agreements(people, pairs, RESAMPLING).rows
    assert (row.exact.value, row.scores, row.questions) == (0.5, 2, 1)


def test_all_the_same_scores_have_no_kappa() -> None:
    people = of_person({("s1/0", "a"): 4.0, ("s2/0", "a"): 4.0})
    (row,) = agreements(people, judgement({("s1/0", "a"): 4, ("s2/0", "a"): 4}), RESAMPLING).rows
    assert (row.kappa.value, row.spearman.value, row.exact.value) == (None, None, 1.0)
    assert "kappa -, Spearman -, equal 1.00 [1.00, 1.00], n 2" in "\n".join(
        told(agreements(people, judgement({("s1/0", "a"): 4, ("s2/0", "a"): 4}), RESAMPLING))
    )


def test_people_are_compared_without_a_judge_too() -> None:
    rose, mary, kim = (of_person({("s1/0", "a"): 4.0, ("s2/0", "a"): 1.0}, rater) for rater in ("rose", "mary", "kim"))
    found = agreements([*rose, *mary, *kim], None, RESAMPLING)
    assert [(row.one, row.other, row.scores) for row in found.rows] == [
        ("rose", "mary", 2), ("rose", "kim", 2), ("mary", "kim", 2), ("people", "people", 6),
    ]  # fmt: skip
    assert as_result(found)["rows"][0]["kappa"]["value"] == 1.0
