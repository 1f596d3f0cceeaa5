"""Tables for the console, to the letter."""

from radgpt.evaluation.comparison import Comparison
from radgpt.evaluation.metrics import Metric, mean_metric
from radgpt.evaluation.statistics import Difference, Estimate
from radgpt.evaluation.table import metrics_table, subsets_table, verdicts

METRICS: dict[str, Metric] = {
    "score": mean_metric("score", "ROUGE-L", "overlap"),
    "bleu": mean_metric("bleu", "BLEU", "overlap", top=100.0),
    "sides": mean_metric("sides", "a name of a metric that is longer than its column", "content"),
    "none": mean_metric("none", "applies to nothing", "content"),
}
NOTHING = Estimate(None, None, None, 0, 0)


def estimates(value: float) -> dict[str, Estimate]:
    return {
        "score": Estimate(value, value - 0.1, value + 0.1, 8, 8),
        "bleu": Estimate(100 * value, None, None, 8, 1),
        "sides": Estimate(1.0, 1.0, 1.0, 8, 8) if value > 0.4 else NOTHING,
        "none": NOTHING,
    }


def comparison() -> Comparison:
    values = {"model": estimates(0.5), "majority": estimates(0.3), "copy": estimates(0.75)}
    differences = {
        "majority": {
            "score": Difference(0.2, 0.1, 0.3, 0.001, 8, 8, 5, 0.004),
            "bleu": Difference(20.0, None, None, None, 8, 1),
            "sides": Difference(None, None, None, None),
            "none": Difference(None, None, None, None),
        },
        "copy": {
            "score": Difference(-0.25, -0.4, -0.1, 0.001, 8, 8, 5, 0.002),
            "bleu": Difference(-25.0, None, None, None, 8, 1),
            "sides": Difference(0.0, 0.0, 0.0, 1.0, 8, 8, 0, 1.0),
            "none": Difference(None, None, None, None),
        },
    }
    subsets = ("all", "summarisation")
    return Comparison(
        {"all": 8, "summarisation": 1200},
        {subset: values for subset in subsets},
        {subset: {"model": differences} for subset in subsets},
        {},
    )


def test_a_line_for_each_metric_that_applies_with_marks_beside_the_others() -> None:
    assert metrics_table(comparison(), METRICS, "model", ["majority", "copy"], 0.95) == "\n".join(
        [
            "                                    model                 majority  copy",
            "ROUGE-L                             0.500 [0.400, 0.600]  0.300 +   0.750 -",
            "BLEU                                50.0                  30.0      75.0",
            "a name of a metric that is longer…  1.000 [1.000, 1.000]  -         1.000 =",
            "(only 8 patients: these intervals are too narrow)",
        ]
    )


def test_what_does_not_fit_goes_into_a_block_below() -> None:
    lines = metrics_table(comparison(), METRICS, "model", ["majority", "copy"], 0.95, width=70).splitlines()
    assert lines[0].split() == ["model", "majority"]
    assert lines[4] == ""
    assert lines[5].split() == ["model", "copy"]
    assert lines[6] == "ROUGE-L                             0.500 [0.400, 0.600]  0.750 -"


def test_a_line_for_each_subset() -> None:
    assert subsets_table(comparison(), METRICS["score"], "model", ["majority"], 0.95).splitlines() == [
        "                     model                 majority",
        "summarisation, 1200  0.500 [0.400, 0.600]  0.300 +",
    ]


def test_verdicts_say_by_how_much_and_how_sure() -> None:
    found = comparison()
    assert verdicts(found, METRICS["score"], "model", ["majority", "copy"], 0.95) == [
        "  beats                   majority  +0.200 [+0.100, +0.300], p = 0.004",
        "  is worse than           copy      -0.250 [-0.400, -0.100], p = 0.002",
    ]
    assert verdicts(found, METRICS["bleu"], "model", ["majority"], 0.95) == [
        "  cannot be compared with majority  +20.0, but one patient gives no interval"
    ]
    assert verdicts(found, METRICS["sides"], "model", ["majority", "copy"], 0.95) == [
        "  cannot be compared with majority  one of them has no score",
        "  does not beat           copy      +0.000 [+0.000, +0.000], p = 1",
    ]
