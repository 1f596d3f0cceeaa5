"""Every two models can be asked about either way round, and verdicts take both an interval and a test."""

import pytest
from compared_models import KEPT, RESAMPLING, ROWS, scores

from radgpt.evaluation.compared import Answering, Compared, judged, pair_lines
from radgpt.evaluation.comparison import ALL_TASKS, compare, subsets_of
from radgpt.evaluation.metrics import METRICS
from radgpt.evaluation.model_facts import ModelFacts
from radgpt.evaluation.statistics import Difference
from radgpt.records import Prediction


@pytest.fixture
def compared() -> Compared:
    systems = {"good": scores(0.8), "bad": scores(0.2, looping=1.0), "same": scores(0.8)}
    patients = [f"p{number}" for number in range(ROWS)]
    subsets = subsets_of(["t"] * ROWS, [None] * ROWS)
    models = list(systems)
    found = compare(KEPT, systems, patients, subsets, [("good", "bad"), ("good", "same"), ("bad", "same")], RESAMPLING)
    predicted = [Prediction("a", "r", "p", "t", "x", None, reason, 4) for reason in ("stop", "length", "stop")]
    answering = {model: Answering.of(predicted, ModelFacts()) for model in models}
    return Compared(models, [], KEPT, "rougeL", found, [], [], [], None, answering, RESAMPLING)


def test_a_pair_turned_round_is_its_mirror_image(compared: Compared) -> None:
    one, other = compared.difference("good", "bad", "rougeL"), compared.difference("bad", "good", "rougeL")
    assert (one.value, one.low, one.high) == pytest.approx((0.6, 0.6, 0.6))
    assert (other.value, other.low, other.high) == pytest.approx((-0.6, -0.6, -0.6))
    assert (other.p_value, other.p_holm, other.rows) == (one.p_value, one.p_holm, 20)
    wins, losses = compared.win_rate("good", "bad", "rougeL"), compared.win_rate("bad", "good", "rougeL")
    assert wins is not None and losses is not None
    assert (wins.value, wins.wins, wins.losses) == (1, 20, 0) and (losses.value, losses.wins, losses.losses) == (0, 0, 20)
    assert compared.win_rate("good", "bad", "length_ratio") is None


def test_p_values_are_adjusted_over_the_pairs(compared: Compared) -> None:
    smallest = compared.found.differences[ALL_TASKS]["good"]["bad"]["rougeL"].p_value
    assert smallest is not None
    assert compared.pair_p_values("rougeL") == pytest.approx(
        {("good", "bad"): 3 * smallest, ("good", "same"): 1.0, ("bad", "same"): 3 * smallest}
    )


def test_verdicts_and_the_best(compared: Compared) -> None:
    assert [compared.verdict(*pair) for pair in compared.pairs] == ["better", "alike", "worse"]
    assert compared.verdict("bad", "good") == "worse"
    assert compared.best is None, "two are alike"


@pytest.mark.parametrize(
    ("low", "high", "p_value", "metric", "verdict"),
    [
        (0.1, 0.3, 0.01, "rougeL", "better"),
        (0.1, 0.3, 0.01, "looping", "worse"),
        (-0.3, -0.1, 0.01, "looping", "better"),
        (0.1, 0.3, 0.06, "rougeL", "alike"),
        (-0.1, 0.3, 0.01, "rougeL", "alike"),
        (0.1, 0.3, 0.01, "length_ratio", "unknown"),
        (None, None, None, "rougeL", "unknown"),
    ],
)
def test_a_verdict_takes_interval_test_and_direction(
    low: float | None, high: float | None, p_value: float | None, metric: str, verdict: str
) -> None:
    assert judged(Difference(0.2, low, high, p_value), p_value, METRICS[metric], 0.95) == verdict


def test_endings_and_lengths_are_counted(compared: Compared) -> None:
    assert compared.answering["good"].reasons == {"length": 1, "stop": 2}
    assert compared.answering["good"].mean_new_tokens == 4


def test_lines_for_the_console_are_aligned(compared: Compared) -> None:
    first, second, third = pair_lines(compared)
    assert first.startswith("  good beats                   bad   +0.600 [+0.600, +0.600], p = ")
    assert first.endswith("; better on 20, equal on 0, worse on 0")
    assert second.startswith("  good is not told from        same  +0.000 [+0.000, +0.000], p = 1;")
    assert third.startswith("  bad  is worse than           same  -0.600")
