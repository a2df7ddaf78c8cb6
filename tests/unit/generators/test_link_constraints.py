from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.link_constraints import agreeing_with_links

# Two links: the first carries pairs 0 and 1, the second pairs 1 and 2.
CROSSING = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
ALL = np.ones(3, dtype=bool)


def test_the_more_uncertain_guess_moves_further() -> None:
    guess, spread = np.array([10.0, 10.0, 10.0]), np.array([1.0, 3.0, 1.0])
    agreed = agreeing_with_links(guess, spread, ALL, np.array([26.0, 26.0]), CROSSING, 1e-6)
    assert CROSSING @ agreed == pytest.approx([26.0, 26.0], rel=1e-3)
    assert agreed[1] - 10 > 2 * (agreed[0] - 10) > 0


def test_observed_rates_and_unknown_loads_are_left_alone() -> None:
    guess, missing = np.array([4.0, 10.0, 7.0]), np.array([False, True, True])
    agreed = agreeing_with_links(guess, guess, missing, np.array([5.0, np.nan]), CROSSING, 1e-6)
    assert agreed == pytest.approx([4.0, 1.0, 7.0], rel=1e-3)
    nothing = np.full(2, np.nan)
    np.testing.assert_array_equal(
        agreeing_with_links(guess, guess, missing, nothing, CROSSING, 0.02), guess
    )


@given(
    guess=st.lists(st.floats(0, 1e9), min_size=3, max_size=3),
    load=st.lists(st.floats(0, 1e9), min_size=2, max_size=2),
)
def test_rates_are_finite_and_never_negative(guess: list[float], load: list[float]) -> None:
    first = np.array(guess)
    agreed = agreeing_with_links(first, first, ALL, np.array(load), CROSSING, 0.02)
    assert np.isfinite(agreed).all()
    assert (agreed >= 0).all()
