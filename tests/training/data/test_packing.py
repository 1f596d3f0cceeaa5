"""Rows are filled with whole examples, tightest fit first."""

import random
import time

import pytest

from radgpt.training.data.packing import best_fit_decreasing


def test_each_example_goes_where_it_leaves_the_least_room():
    lengths = [6, 5, 4, 3, 1]
    # 6 and 5 open a row each; 4 just fills the first; 3 goes beside 5, and 1 too.
    assert best_fit_decreasing(lengths, 10) == [[0, 2], [1, 3, 4]]


def test_the_tightest_of_two_rows_is_taken():
    # After 7 and 6 a 3 fits both: it fills the row of 7.
    assert best_fit_decreasing([6, 7, 3], 10) == [[1, 2], [0]]


def test_equal_lengths_keep_their_order():
    assert best_fit_decreasing([5, 5, 5, 5], 10) == [[0, 1], [2, 3]]


def test_every_example_is_in_one_row_whole_and_no_row_overflows():
    source = random.Random(0)
    lengths = [source.randint(1, 64) for _ in range(500)]
    rows = best_fit_decreasing(lengths, 64)
    assert sorted(example for row in rows for example in row) == list(range(500))
    assert max(sum(lengths[example] for example in row) for row in rows) <= 64
    assert len(rows) <= 1.03 * sum(lengths) / 64


def test_no_examples_make_no_rows():
    assert best_fit_decreasing([], 10) == []


def test_an_example_longer_than_a_row_is_refused():
    with pytest.raises(ValueError, match="11 tokens is longer than a row of 10"):
        best_fit_decreasing([3, 11], 10)


def test_a_whole_corpus_takes_seconds():
    source = random.Random(0)
    lengths = [min(4096, int(source.lognormvariate(5.3, 0.6)) + 8) for _ in range(160_000)]
    began = time.process_time()
    rows = best_fit_decreasing(lengths, 4096)
    assert time.process_time() - began < 5
    assert len(rows) <= 1.01 * sum(lengths) / 4096
