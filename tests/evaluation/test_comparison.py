"""Systems side by side: which rows a subset holds, what is tested, and what may be said of it."""

import pytest

from radgpt.evaluation.comparison import affirms_finding, as_mapping, columns_of, compare, outcome, subsets_of
from radgpt.evaluation.metrics import Metric, mean_metric
from radgpt.evaluation.resampling import Resampling
from radgpt.evaluation.statistics import Difference

METRICS: dict[str, Metric] = {
    "score": mean_metric("score", "score", "overlap"),
    "refusal": mean_metric("refusal", "refuses", "form", "lower"),
    "length": mean_metric("length", "length", "form", "neither", top=None),
}
PATIENTS = [f"p{number}" for number in range(20)]
SUBSETS = {"all": [True] * 20, "few": [number < 4 for number in range(20)]}


def rows(scores: list[float], refusals: float = 0.0) -> list[dict[str, tuple[float, ...] | None]]:
    return [{"score": (score, 1.0), "refusal": (refusals, 1.0), "length": None} for score in scores]


def systems() -> dict[str, dict]:
    return {
        "model": columns_of(METRICS, rows([0.8, 0.6] * 10)),
        "floor": columns_of(METRICS, rows([0.5, 0.1] * 10, refusals=1.0)),
    }


def test_every_subset_has_values_and_tests() -> None:
    found = compare(METRICS, systems(), PATIENTS, SUBSETS, [("model", "floor")], Resampling(200, 0.95, 0, 999))
    assert found.rows == {"all": 20, "few": 4}
    assert found.estimates["all"]["model"]["score"].value == pytest.approx(0.7)
    assert found.estimates["few"]["floor"]["score"].rows == 4
    difference = found.differences["all"]["model"]["floor"]["score"]
    assert difference.value == pytest.approx(0.4)
    # Both p-values are the smallest that 999 draws allow; Holm doubles the smaller of two.
    assert (difference.p_value, difference.p_holm) == (pytest.approx(1 / 1000), pytest.approx(2 / 1000))
    assert outcome(difference, METRICS["score"], 0.95) == "better"
    # With four patients, 2 of 16 relabellings reach it, whatever the interval says.
    assert found.differences["few"]["model"]["floor"]["score"].p_value == 2 / 16
    assert outcome(found.differences["few"]["model"]["floor"]["score"], METRICS["score"], 0.95) == "alike"


def test_a_metric_in_which_systems_are_the_same_makes_the_others_no_harder_to_pass() -> None:
    same = {"model": columns_of(METRICS, rows([0.8, 0.6] * 10)), "floor": columns_of(METRICS, rows([0.5, 0.1] * 10))}
    found = compare(METRICS, same, PATIENTS, SUBSETS, [("model", "floor")], Resampling(200, 0.95, 0, 999))
    tested = found.differences["all"]["model"]["floor"]
    assert tested["score"].p_holm == tested["score"].p_value == pytest.approx(1 / 1000)
    assert (tested["refusal"].p_holm, tested["refusal"].differing) == (1.0, 0)
    assert outcome(tested["refusal"], METRICS["refusal"], 0.95) == "alike"


def test_less_is_better_where_the_metric_says_so() -> None:
    found = compare(METRICS, systems(), PATIENTS, SUBSETS, [("model", "floor"), ("floor", "model")], Resampling(200, 0.95, 0, 999))
    assert outcome(found.differences["all"]["model"]["floor"]["refusal"], METRICS["refusal"], 0.95) == "better"
    assert outcome(found.differences["all"]["floor"]["model"]["refusal"], METRICS["refusal"], 0.95) == "worse"
    assert found.win_rates["all"]["model"]["floor"]["refusal"].wins == 20


def test_what_has_no_better_end_is_not_judged() -> None:
    found = compare(METRICS, systems(), PATIENTS, SUBSETS, [("model", "floor")], Resampling(200, 0.95, 0, 999))
    assert found.differences["all"]["model"]["floor"]["length"].p_holm is None
    assert "length" not in found.win_rates["all"]["model"]["floor"]
    assert found.estimates["all"]["model"]["length"].value is None


@pytest.mark.parametrize(
    ("low", "high", "p_holm", "expected"),
    [
        (0.1, 0.3, 0.01, "better"),
        (-0.3, -0.1, 0.01, "worse"),
        (0.1, 0.3, 0.06, "alike"),
        (-0.1, 0.3, 0.01, "alike"),
        (0.0, 0.3, 0.01, "alike"),
        (None, None, None, "unknown"),
    ],
)
def test_it_takes_interval_and_test(low: float | None, high: float | None, p_holm: float | None, expected: str) -> None:
    assert outcome(Difference(0.2, low, high, p_holm, p_holm=p_holm), METRICS["score"], 0.95) == expected


def test_subsets() -> None:
    tasks, references = ["b", "a", "b"], ["A small effusion.", "No effusion.", None]
    assert subsets_of(tasks, references) == {
        "all": [True, True, True],
        "a": [False, True, False],
        "b": [True, False, True],
        "abnormal": [True, False, False],
    }
    assert list(subsets_of(["a"], ["Clear."], [True])) == ["all", "a", "clean"]
    assert list(subsets_of(["a"], ["Clear."], [False])) == ["all", "a"]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("No acute cardiopulmonary abnormality.", False),
        ("Small left pleural effusion.", True),
        ("No pneumothorax. Possible pneumonia.", False),
        ("Left PICC in standard position.", False),
        ("", False),
    ],
)
def test_abnormal_is_what_affirms_a_finding(reference: str, expected: bool) -> None:
    assert affirms_finding(reference) is expected


def test_as_plain_values() -> None:
    found = as_mapping(compare(METRICS, systems(), PATIENTS, SUBSETS, [("model", "floor")], Resampling(200, 0.95, 0, 999)))
    assert found["subsets"] == {"all": 20, "few": 4}
    assert found["scores"]["all"]["model"]["score"]["value"] == pytest.approx(0.7)
    assert found["differences"]["all"]["model"]["floor"]["score"]["p_holm"] == pytest.approx(0.002)
    assert found["win_rates"]["all"]["model"]["floor"]["score"]["wins"] == 20
