"""A judge that goes by places is found out, one that goes by answers is not."""

from pathlib import Path

import pytest
from fake_openai import serve
from judging import grading, judge_at, judged, question, shown

from radgpt.config import Grading
from radgpt.evaluation.judge.bias import earlier_minus_later, flips, position_bias
from radgpt.evaluation.judge.judgement import FIRST, SECOND, TIE, Grade, Verdict
from radgpt.evaluation.judge.summary import means, win_rates_of_pairs
from radgpt.evaluation.resampling import Resampling

RESAMPLING = Resampling(samples=200, confidence=0.95, seed=0)
QUESTIONS = [question(f"s{number}/0", a="Yes.", b="Yes, it is.", c="It is so.") for number in range(12)]


def grade(system: str, position: int, score: int | None, *, reverse: bool, shown: int = 3) -> Grade:
    return Grade("s1/0", "p1", "t", system, "accuracy", score, 0, reverse, position, shown)


def test_an_answer_in_the_middle_of_both_orders_tells_nothing_of_places() -> None:
    grades = [grade("a", 0, 4, reverse=False), grade("b", 1, 3, reverse=False), grade("c", 2, 1, reverse=False)]
    turned = [grade("c", 0, 3, reverse=True), grade("b", 1, 2, reverse=True), grade("a", 2, None, reverse=True)]
    assert earlier_minus_later(grades + turned) == [(None, "p1"), (2.0, "p1")]
    assert earlier_minus_later(grades) == []


@pytest.mark.parametrize(
    ("winners", "told"),
    [
        ((FIRST, SECOND), 0.0), ((FIRST, FIRST), 1.0), ((TIE, TIE), 0.0), ((TIE, FIRST), 1.0), ((None, FIRST), None),
    ],
)  # fmt: skip
def test_a_verdict_flips_where_another_answer_wins_in_the_reverse_order(winners: tuple[str | None, str | None], told: float | None) -> None:
    verdicts = [Verdict("s1/0", "p1", "t", "a", "b", winners[0]), Verdict("s1/0", "p1", "t", "b", "a", winners[1], reverse=True)]
    assert flips(verdicts) == [(told, "p1")]


def test_a_judge_that_prefers_whatever_comes_first_is_found_out(tmp_path: Path) -> None:
    with serve(reply=lambda messages: '{"better": "A"}') as server:
        judgement = judged(tmp_path, judge_at(server, grading=Grading.pairwise), QUESTIONS)
    bias = position_bias(judgement, RESAMPLING)
    assert bias.flips is not None and bias.first_preferred is not None
    assert (bias.flips.value, bias.first_preferred.value, bias.first_preferred.low) == (1.0, 1.0, 1.0)
    assert bias.by_position is None and bias.earlier_minus_later is None
    assert {pair: (rate.value, rate.ties) for pair, rate in win_rates_of_pairs(judgement, RESAMPLING).items()} == {
        ("a", "b"): (0.5, 12), ("a", "c"): (0.5, 12), ("b", "c"): (0.5, 12),
    }  # fmt: skip


def test_a_judge_that_grades_the_first_place_higher_is_found_out(tmp_path: Path) -> None:
    def reply(messages: list[dict[str, str]]) -> str:
        return str({label: {"quality": 4 if label == "A" else 2} for label in shown(messages)}).replace("'", '"')

    with serve(reply=reply) as server:
        judgement = judged(tmp_path, judge_at(server, grading=Grading.together, rubric="asclepius"), QUESTIONS)
    bias = position_bias(judgement, RESAMPLING)
    assert bias.by_position is not None and [place.value for place in bias.by_position] == [4.0, 2.0, 2.0]
    assert bias.earlier_minus_later is not None and bias.earlier_minus_later.value == 2.0
    assert bias.first_preferred is None and bias.flips is None


def test_a_judge_that_goes_by_answers_is_not(tmp_path: Path) -> None:
    words = {"Yes.": 1, "Yes, it is.": 2, "It is so.": 4}
    with serve(reply=grading(lambda answer: f'{{"quality": {words[answer]}}}')) as server:
        judgement = judged(tmp_path, judge_at(server, grading=Grading.together, rubric="asclepius"), QUESTIONS)
    bias = position_bias(judgement, RESAMPLING)
    assert bias.earlier_minus_later is not None and bias.earlier_minus_later.value == 0.0
    assert bias.by_position is not None and sum(place.value or 0 for place in bias.by_position) == pytest.approx(7.0)
    assert {system: row["quality"].value for system, row in means(judgement, RESAMPLING).items()} == {"a": 1.0, "b": 2.0, "c": 4.0}
