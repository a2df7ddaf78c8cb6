"""Slope and significance of short series, beside those of SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from twin.trend import growth_confidence, slope

NUMBERS = st.floats(-1e3, 1e3).map(lambda value: round(value, 3))


@given(st.lists(NUMBERS, min_size=3, max_size=10, unique=True))
def test_it_is_that_of_scipy(numbers: list[float]) -> None:
    values, times = np.array(numbers), 2.0 * np.arange(len(numbers))
    assert slope(times, values) == pytest.approx(stats.theilslopes(values, times)[0])
    exact = stats.kendalltau(times, values, method="exact", alternative="greater").pvalue
    assert growth_confidence(values) == pytest.approx(1 - exact, abs=1e-9)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=10))
def test_equal_values_are_no_growth(numbers: list[int]) -> None:
    values = np.array(numbers, float)
    untied = values + 1e-6 * np.arange(len(values))
    assert 0.0 <= growth_confidence(values) <= growth_confidence(untied) < 1.0


def test_five_in_order_are_significant_and_four_are_not() -> None:
    assert growth_confidence(np.arange(5.0)) == pytest.approx(1 - 1 / 120)
    assert growth_confidence(np.arange(4.0)) < 0.99
