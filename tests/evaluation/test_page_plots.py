"""Plots of the comparison: axes with round numbers, points in their places, examples of every kind."""

import pytest

from radgpt.evaluation.page.axis import labelled, ticks
from radgpt.evaluation.page.examples import examples
from radgpt.evaluation.page.forest import LEFT, RIGHT, forest
from radgpt.evaluation.page.gains import gains
from radgpt.evaluation.statistics import Estimate
from radgpt.records import ComparedAnswer


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0.12, 0.88, [0, 0.25, 0.5, 0.75, 1]),
        (41.0, 44.9, [41, 42, 43, 44, 45]),
        (-0.31, 0.22, [-0.4, -0.2, 0, 0.2, 0.4]),
        (0.001, 0.0031, [0.001, 0.002, 0.003, 0.004]),
        (1631.0, 1632.0, [1631, 1631.25, 1631.5, 1631.75, 1632]),
        (0, 7, [0, 2, 4, 6, 8]),
    ],
)
def test_ticks_are_round_and_cover_the_values(low: float, high: float, found: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(found)


def test_labels_are_short() -> None:
    assert [labelled(value) for value in (-0.5, 0.25, 100.0)] == ["−0.5", "0.25", "100"]


def test_a_single_value_gets_an_axis_around_it() -> None:
    got = ticks(3.0, 3.0)
    assert got[0] < 3 < got[-1]
    assert ticks(0.0, 0.0)[0] < 0 < ticks(0.0, 0.0)[-1]


def test_points_and_intervals_stand_where_their_values_say() -> None:
    values = {
        "tuned": Estimate(0.75, 0.5, 1.0, 9, 9),
        "a_model_with_a_long_name": Estimate(0.0, None, None, 9, 1),
        "silent": Estimate(None, None, None, 0, 0),
    }
    plot = forest(values, ["silent"], 3)
    assert plot is not None
    tuned, long = plot.marks
    width = RIGHT - LEFT
    assert (tuned.low, tuned.x, tuned.high) == pytest.approx((LEFT + width / 2, LEFT + 0.75 * width, RIGHT))
    assert tuned.told == "0.750 [0.500, 1.000]" and long.told == "0.000"
    assert (long.low, long.x, long.high) == pytest.approx((LEFT, LEFT, LEFT))
    assert long.name == "a_model_with_a…" and long.system == "a_model_with_a_long_name"
    assert [label for _, label in plot.ticks] == ["0", "0.25", "0.5", "0.75", "1"]
    assert forest({"silent": values["silent"]}, [], 3) is None


def test_values_that_are_all_the_same_get_the_whole_axis() -> None:
    plot = forest({"a": Estimate(0.0, 0.0, 0.0, 3, 3)}, [], 3)
    assert plot is not None and [label for _, label in plot.ticks] == ["0", "0.25", "0.5", "0.75", "1"]


def test_differences_fall_into_bins_around_exact_ties() -> None:
    chart = gains("a", "b", [0.0, 0.0, 0.05, 0.95, -0.5], 1)
    assert chart is not None
    assert [(bar.bounds, bar.count, bar.side) for bar in chart.bars] == [
        ("−0.5 to −0.4", 1, "theirs"),
        ("equal", 2, "equal"),
        ("0 to 0.1", 1, "ours"),
        ("0.9 to 1", 1, "ours"),
    ]
    assert (chart.wins, chart.ties, chart.losses) == (2, 2, 1)
    assert [label for _, label in chart.x_labels] == ["−1", "−0.5", "0", "0.5", "1"]
    lower = gains("a", "b", [0.4], -1)
    assert lower is not None and (lower.wins, lower.losses) == (0, 1)
    assert gains("a", "b", [], 1) is None


def row(id: str, **values: float | None) -> ComparedAnswer:
    return ComparedAnswer(id, "r", "p", "t", [], None, dict.fromkeys(values, "x"), {model: {"m": value} for model, value in values.items()})


ROWS = [
    row("alike", a=0.5, b=0.5),
    row("apart", a=0.0, b=1.0),
    row("bad", a=0.0, b=0.1),
    row("good", a=1.0, b=0.9),
    row("none", a=1.0, b=None),
]


def chosen(wanted: int, better: int = 1) -> list[tuple[str, tuple[str, ...]]]:
    found = examples(ROWS, ["?"] * len(ROWS), [False] * len(ROWS), "m", better, wanted)
    return [(one.row.pair_id, one.kinds) for one in found]


def test_examples_are_of_every_kind_and_none_lacks_a_value() -> None:
    assert chosen(3) == [("apart", ("differs",)), ("bad", ("worst",)), ("good", ("best",))]
    assert [id for id, _ in chosen(9)] == ["apart", "bad", "good", "alike"]
    assert chosen(0) == []


def test_less_may_be_better() -> None:
    assert chosen(3, better=-1) == [("apart", ("differs",)), ("good", ("worst",)), ("bad", ("best",))]
