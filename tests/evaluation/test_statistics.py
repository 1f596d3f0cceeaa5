"""Intervals that cover, p-values that hold their level and are those of brute force, and patients that stay together."""

import tracemalloc
from collections.abc import Sequence
from itertools import product
from statistics import mean as mean_of

import numpy as np
import pytest

from radgpt.evaluation.resampling import Resampling
from radgpt.evaluation.statistics import (
    Column,
    Difference,
    Estimate,
    WinRate,
    differences,
    estimate,
    estimates,
    holm,
    win_rates,
)

QUICK = Resampling(samples=200, confidence=0.95, seed=0)


def paired_difference(
    ours: Sequence[float | None], theirs: Sequence[float | None], patients: Sequence[str], resampling: Resampling
) -> Difference:
    """The difference of means of scores, each (rows,), None where there is no score."""
    return differences({"": Column.of_scores(ours)}, {"": Column.of_scores(theirs)}, patients, resampling)[""]


def draws(patients: int, rows_each: int, seed: int, effect: float = 0.0) -> tuple[list[float], list[str]]:
    """Rows whose patients differ: a patient's rows share a random offset. The true mean is `effect`."""
    rng = np.random.default_rng(seed)
    offsets = rng.normal(effect, 1, size=patients)
    values = (offsets[:, None] + rng.normal(0, 0.3, size=(patients, rows_each))).ravel()
    return values.tolist(), [f"p{patient}" for patient in range(patients) for _ in range(rows_each)]


def micro_f1(sums: np.ndarray) -> np.ndarray:
    """Of (true positives, false positives, false negatives): no mean of rows."""
    return 2 * sums[..., 0] / (2 * sums[..., 0] + sums[..., 1] + sums[..., 2])


F1_ROWS = [(1, 0, 0), (0, 1, 1), None, (2, 0, 1), (1, 2, 0), (0, 0, 0)]
"""Of patients a, a, b, b, c, d."""
OTHER_F1_ROWS = [(0, 1, 1), (0, 0, 1), (1, 0, 0), (1, 0, 2), (1, 0, 0), (0, 1, 0)]
F1_PATIENTS = ["a", "a", "b", "b", "c", "d"]


def f1_of(rows: list[tuple[int, int, int] | None]) -> float:
    """Micro-F1 in the plainest way; nan where nothing is there."""
    hits, false, missed = (sum(row[place] for row in rows if row is not None) for place in range(3))
    return 2 * hits / (2 * hits + false + missed) if hits + false + missed else float("nan")


def coverage(by_row: bool) -> float:
    """Share of 200 experiments whose 90 % interval holds the true mean of 0."""
    held = 0
    for seed in range(200):
        values, patients = draws(40, 6, seed)
        found = estimate(values, [str(row) for row in range(len(values))] if by_row else patients, Resampling(200, 0.9, seed))
        assert found.low is not None and found.high is not None
        held += found.low <= 0 <= found.high
    return held / 200


def test_intervals_over_patients_cover_and_intervals_over_rows_do_not() -> None:
    assert 0.84 <= coverage(by_row=False) <= 0.96
    assert coverage(by_row=True) < 0.7


def test_the_mean_is_over_rows_and_rows_without_a_score_do_not_count() -> None:
    found = estimate([1.0, 0.0, 0.0, None, None], ["a", "a", "a", "a", "b"], QUICK)
    assert found == Estimate(value=pytest.approx(1 / 3), low=None, high=None, rows=3, patients=1)


def test_an_interval_of_equal_patients_is_a_point() -> None:
    found = estimate([0.5] * 6, list("aabbcc"), QUICK)
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)


def test_nothing_to_score() -> None:
    assert estimate([None], ["a"], QUICK) == estimate([], [], QUICK) == Estimate(None, None, None, 0, 0)
    assert paired_difference([None], [1.0], ["a"], QUICK) == Difference(None, None, None, None)
    assert paired_difference([None, None], [1.0, 0.0], ["a", "b"], QUICK) == Difference(None, None, None, None)


def test_the_same_seed_gives_the_same_numbers() -> None:
    values, patients = draws(30, 2, 0)
    one, same, other = (estimate(values, patients, Resampling(200, 0.95, seed)) for seed in (-1, -1, 5))
    assert one == same != other
    zero = [0.0] * len(values)
    first, again, anew = (paired_difference(values, zero, patients, Resampling(200, 0.95, seed, 500)) for seed in (1, 1, 2))
    assert first == again and first.p_value != anew.p_value


def test_a_bootstrap_is_that_of_all_resamples() -> None:
    """Of 4 patients there are 4^4 resamples, all equally likely; intervals of drawn ones are those of all."""
    by_patient = {"a": F1_ROWS[:2], "b": F1_ROWS[2:4], "c": F1_ROWS[4:5], "d": F1_ROWS[5:]}
    every = [f1_of([row for patient in chosen for row in by_patient[patient]]) for chosen in product("abcd", repeat=4)]
    defined = [value for value in every if value == value]
    assert len(defined) == 255  # four times d leaves nothing to be read off
    found = estimates({"f1": Column.of(F1_ROWS, 3, micro_f1)}, F1_PATIENTS, Resampling(20_000, 0.8, 0))["f1"]
    assert found.value == pytest.approx(f1_of(F1_ROWS))
    assert (found.rows, found.patients) == (5, 4)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(defined, [0.1, 0.9])), abs=0.02)


def test_a_bootstrap_of_means_is_scipys() -> None:
    from scipy.stats import bootstrap

    values = np.random.default_rng(0).gamma(2, size=60)
    theirs = bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", confidence_level=0.9, rng=1).confidence_interval
    ours = estimate(values.tolist(), [str(row) for row in range(60)], Resampling(20_000, 0.9, 0))
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_few_patients_get_the_p_value_of_all_relabellings() -> None:
    """Three patients with differences 1, 2, 4: of 8 sign patterns 2 reach |7 / 3|."""
    found = paired_difference([1.0, 2.0, 4.0], [0.0, 0.0, 0.0], ["a", "b", "c"], QUICK)
    assert found.p_value == 2 / 8
    assert found.value == pytest.approx(7 / 3)


@pytest.mark.parametrize(("permutations", "tolerance"), [(100, 1e-12), (15, 0.2)])
def test_p_values_of_a_metric_that_is_no_mean_are_those_of_brute_force(permutations: int, tolerance: float) -> None:
    """16 relabellings of four patients: all of them where that many are wanted, else random ones."""
    observed = abs(f1_of(F1_ROWS) - f1_of(OTHER_F1_ROWS))
    reached = 0
    for swapped in product([False, True], repeat=4):
        chosen = dict(zip("abcd", swapped, strict=True))
        ours = [other if chosen[who] else row for row, other, who in zip(F1_ROWS, OTHER_F1_ROWS, F1_PATIENTS, strict=True)]
        theirs = [row if chosen[who] else other for row, other, who in zip(F1_ROWS, OTHER_F1_ROWS, F1_PATIENTS, strict=True)]
        reached += abs(f1_of(ours) - f1_of(theirs)) >= observed - 1e-12
    assert 2 < reached < 16
    ours, theirs = ({"f1": Column.of(rows, 3, micro_f1)} for rows in (F1_ROWS, OTHER_F1_ROWS))
    found = differences(ours, theirs, F1_PATIENTS, Resampling(200, 0.95, 0, permutations))["f1"]
    assert found.value == pytest.approx(f1_of(F1_ROWS) - f1_of(OTHER_F1_ROWS))
    assert found.p_value == pytest.approx(reached / 16, abs=tolerance)


@pytest.mark.parametrize("permutations", [10_000, 1000])
def test_p_values_of_means_are_scipys(permutations: int) -> None:
    from scipy.stats import permutation_test

    rng = np.random.default_rng(3)
    ours, theirs = rng.normal(0.4, 1, size=11), rng.normal(0, 1, size=11)
    exact = permutation_test(
        (ours, theirs), lambda one, other: one.mean() - other.mean(), permutation_type="samples", n_resamples=np.inf, vectorized=False
    )
    found = paired_difference(ours.tolist(), theirs.tolist(), [str(row) for row in range(11)], Resampling(100, 0.95, 0, permutations))
    # 2^11 relabellings are fewer than 10,000, and are all taken then.
    assert found.p_value == pytest.approx(exact.pvalue, abs=1e-12 if permutations == 10_000 else 0.04)


def test_p_values_are_never_zero_and_say_what_differs() -> None:
    values, patients = draws(30, 3, 0, effect=3.0)
    zero = [0.0] * len(values)
    found = paired_difference(values, zero, patients, Resampling(500, 0.95, 0, 500))
    assert found.p_value == 1 / 501
    assert found.low is not None and found.low > 0
    assert paired_difference(values, values, patients, QUICK) == Difference(0.0, 0.0, 0.0, 1.0, rows=90, patients=30)


def test_p_values_hold_their_level_when_rows_of_a_patient_hang_together() -> None:
    refused = 0
    for seed in range(200):
        values, patients = draws(20, 5, seed)
        p_value = paired_difference(values, [0.0] * len(values), patients, Resampling(100, 0.95, seed, 200)).p_value
        assert p_value is not None
        refused += p_value <= 0.1
    assert refused / 200 <= 0.16


def test_one_patient_tells_nothing_of_others() -> None:
    assert paired_difference([1.0, 1.0], [0.0, 0.5], ["a", "a"], QUICK) == Difference(
        0.75, None, None, None, rows=2, patients=1, differing=1
    )


def test_a_difference_is_that_of_the_values_shown_though_rows_lack_the_metric() -> None:
    """The second system is wrong where the first has nothing to say: sparing it that row would make it look equal."""
    ours, theirs = [1.0, None, 0.5], [1.0, 0.0, 0.5]
    found = paired_difference(ours, theirs, ["a", "b", "c"], QUICK)
    assert found.value == pytest.approx(0.75 - 0.5)
    assert (found.rows, found.patients) == (3, 3)


def test_a_metric_of_few_rows_counts_relabellings_that_leave_a_system_without_any_as_reached() -> None:
    """Only patient a has it, for one system each side of any relabelling: nothing can be told."""
    ours = {"few": Column.of_scores([1.0, None, None]), "all": Column.of_scores([1.0, 1.0, 1.0])}
    theirs = {"few": Column.of_scores([None, 0.0, None]), "all": Column.of_scores([0.0, 0.0, 0.0])}
    found = differences(ours, theirs, ["a", "b", "c"], QUICK)
    assert found["few"].p_value == 1
    assert found["all"].p_value == 2 / 8


def test_metrics_tested_together_are_as_if_alone() -> None:
    one, patients = draws(25, 2, 0, effect=0.3)
    other, _ = draws(25, 2, 1)
    zero = [0.0] * 50
    together = differences(
        {"one": Column.of_scores(one), "other": Column.of_scores(other)},
        {"one": Column.of_scores(zero), "other": Column.of_scores(zero)},
        patients,
        QUICK,
    )
    assert together["one"] == paired_difference(one, zero, patients, QUICK)
    assert together["other"] == paired_difference(other, zero, patients, QUICK)


def test_a_million_relabellings_take_seconds_and_little_memory() -> None:
    values, patients = draws(300, 1, 4, effect=0.1)
    tracemalloc.start()
    found = paired_difference(values, [0.0] * 300, patients, Resampling(100, 0.95, 0, 1_000_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.p_value is not None and found.p_value == pytest.approx(two_sided(mean_of(values), values), abs=0.01)
    assert peak < 100_000_000


def two_sided(observed: float, values: list[float]) -> float:
    """The normal approximation of a sign-flip test."""
    from scipy.stats import norm

    return float(2 * norm.sf(abs(observed) / (np.sqrt(np.square(values).sum()) / len(values))))


def test_win_rates_count_ties_as_half_and_know_which_way_is_better() -> None:
    ours = {"score": Column.of_scores([1.0, 0.5, 0.2, None]), "refusals": Column.of_scores([1.0, 0.0, 0.0, 0.0])}
    theirs = {"score": Column.of_scores([0.5, 0.5, 0.9, 1.0]), "refusals": Column.of_scores([0.0, 0.0, 0.0, 0.0])}
    found = win_rates(ours, theirs, {"score": 1, "refusals": -1}, ["a", "b", "c", "d"], QUICK)
    assert found["score"] == WinRate(0.5, found["score"].low, found["score"].high, wins=1, ties=1, losses=1)
    assert found["score"].low == 0 and found["score"].high == 1
    assert (found["refusals"].value, found["refusals"].losses, found["refusals"].ties) == (3 * 0.5 / 4, 1, 3)


def test_holm_by_hand() -> None:
    """Four of them: 0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 x 1, which may not come out below the one before."""
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005, "none": None})
    assert found == {"a": pytest.approx(0.03), "b": pytest.approx(0.06), "c": pytest.approx(0.06), "d": pytest.approx(0.02), "none": None}
    assert holm({"a": 0.6, "b": 0.7}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}
