"""Intervals of percentiles, against tables and against chance."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.intervals import percentile_interval
from benchmarks.report import Interval


def test_the_median_of_twenty_lies_between_the_sixth_and_the_fifteenth() -> None:
    assert percentile_interval(range(20, 0, -1), 50) == Interval(6, 15)


def test_what_few_values_cannot_bound_is_unknown() -> None:
    assert percentile_interval([3.0], 50) == Interval(None, None)
    assert percentile_interval(range(1, 21), 95) == Interval(17, None)
    endless = [1.0] * 10 + [float("inf")] * 10
    assert percentile_interval(endless, 50) == Interval(1.0, None)


@pytest.mark.parametrize("percent", [50, 95])
def test_it_holds_the_percentile_as_often_as_it_says(percent: float) -> None:
    random = np.random.default_rng(5)
    true = percent / 100  # of a uniform distribution
    held = 0
    for _ in range(2000):
        interval = percentile_interval(random.random(100).tolist(), percent)
        held += (interval.low or 0) <= true <= (interval.high or 1)
    assert held >= 0.94 * 2000


def test_it_reads_as_a_sentence_would() -> None:
    assert str(Interval(6.04, 15.0)) == "6.04 to 15"
    assert (str(Interval(17.0, None)), str(Interval(None, 3.0))) == ("from 17", "up to 3")
    assert str(Interval(None, None)) == "-"
