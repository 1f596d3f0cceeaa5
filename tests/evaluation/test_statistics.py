"""Intervals that cover, p-values that hold their level, and patients that stay together."""

import pytest

from radgpt.evaluation.statistics import Difference, Estimate, Resampling, estimate, paired_difference


def draws(patients: int, rows_each: int, seed: int, effect: float = 0.0) -> tuple[list[float], list[str]]:
    """Rows whose patients differ: a patient's rows share a random offset. The true mean is `effect`."""
    import numpy as np

    rng = np.random.default_rng(seed)
    offsets = rng.normal(effect, 1, size=patients)
    values = (offsets[:, None] + rng.normal(0, 0.3, size=(patients, rows_each))).ravel()
    return values.tolist(), [f"p{patient}" for patient in range(patients) for _ in range(rows_each)]


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
    found = estimate([1.0, 0.0, 0.0, None, None], ["a", "a", "a", "a", "b"], Resampling(100, 0.95, 0))
    assert found == Estimate(mean=pytest.approx(1 / 3), low=None, high=None, rows=3, patients=1)


def test_an_interval_of_equal_patients_is_a_point() -> None:
    found = estimate([0.5] * 6, list("aabbcc"), Resampling(100, 0.95, 0))
    assert (found.mean, found.low, found.high) == (0.5, 0.5, 0.5)


def test_nothing_to_score() -> None:
    assert estimate([None], ["a"], Resampling(100, 0.95, 0)) == Estimate(None, None, None, 0, 0)
    assert paired_difference([None], [1.0], ["a"], Resampling(100, 0.95, 0)) == Difference(None, None, None, None)


def test_the_same_seed_gives_the_same_interval() -> None:
    values, patients = draws(30, 2, 0)
    one, same, other = (estimate(values, patients, Resampling(200, 0.95, seed)) for seed in (-1, -1, 5))
    assert one == same != other


def test_p_values_are_never_zero_and_say_what_differs() -> None:
    values, patients = draws(30, 3, 0, effect=3.0)
    zero = [0.0] * len(values)
    found = paired_difference(values, zero, patients, Resampling(500, 0.95, 0))
    assert found.p_value == 1 / 501
    assert found.low is not None and found.low > 0
    assert paired_difference(values, values, patients, Resampling(500, 0.95, 0)) == Difference(0.0, 0.0, 0.0, 1.0)


def test_p_values_by_enumeration() -> None:
    """Three patients with differences 1, 2, 4: of 8 sign patterns 2 reach |7|."""
    found = paired_difference([1.0, 2.0, 4.0], [0.0, 0.0, 0.0], ["a", "b", "c"], Resampling(20_000, 0.95, 0))
    assert found.p_value == pytest.approx(2 / 8, abs=0.02)


def test_p_values_hold_their_level_when_rows_of_a_patient_hang_together() -> None:
    refused = 0
    for seed in range(200):
        values, patients = draws(20, 5, seed)
        p_value = paired_difference(values, [0.0] * len(values), patients, Resampling(100, 0.95, seed)).p_value
        assert p_value is not None
        refused += p_value <= 0.1
    assert refused / 200 <= 0.16
