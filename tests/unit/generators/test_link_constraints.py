from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.link_constraints import (
    LEAST_LOAD_ERROR,
    agreeing_with_links,
    error_of_known_loads,
)

# Two links: the first carries pairs 0 and 1, the second pairs 1 and 2.
CROSSING = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
ALL = np.ones(3, dtype=bool)


def test_the_more_uncertain_guess_moves_further() -> None:
    guess, error = np.array([10.0, 10.0, 10.0]), np.array([1.0, 3.0, 1.0])
    agreed = agreeing_with_links(guess, error, ALL, np.array([26.0, 26.0]), CROSSING, 1e-6)
    assert pytest.approx([26.0, 26.0], rel=1e-3) == CROSSING @ agreed.rates_bps
    assert agreed.rates_bps[1] - 10 > 2 * (agreed.rates_bps[0] - 10) > 0
    assert agreed.error_bps[1] < 0.5 * error[1]


def test_observed_rates_and_unknown_loads_are_left_alone() -> None:
    guess, missing = np.array([4.0, 10.0, 7.0]), np.array([False, True, True])
    agreed = agreeing_with_links(guess, guess, missing, np.array([5.0, np.nan]), CROSSING, 1e-6)
    assert agreed.rates_bps == pytest.approx([4.0, 1.0, 7.0], rel=1e-3)
    assert agreed.error_bps[0] == 0
    assert agreed.error_bps[2] == pytest.approx(7.0)
    nothing = np.full(2, np.nan)
    untouched = agreeing_with_links(guess, guess, missing, nothing, CROSSING, 0.02)
    np.testing.assert_array_equal(untouched.rates_bps, guess)
    np.testing.assert_array_equal(untouched.error_bps, [0.0, 10.0, 7.0])


def test_errors_are_as_large_as_they_are_said_to_be() -> None:
    random = np.random.default_rng(0)
    guess, error = np.array([100.0, 80.0, 60.0]), np.array([10.0, 5.0, 20.0])
    inside = []
    for _ in range(400):
        truth = guess + error * random.standard_normal(3)
        loads = CROSSING @ truth * (1 + 0.05 * random.standard_normal(2))
        agreed = agreeing_with_links(guess, error, ALL, loads, CROSSING, 0.05)
        inside.append(np.abs(agreed.rates_bps - truth) < agreed.error_bps)
    np.testing.assert_allclose(np.mean(inside, axis=0), 0.683, atol=0.07)


def test_how_far_loads_are_off_shows_where_no_gap_is() -> None:
    random = np.random.default_rng(0)
    crossing = np.eye(50)
    rates = random.uniform(1e6, 2e6, 50)
    gaps = np.arange(50) < 4
    loads = rates * (1 + 0.08 * random.standard_normal(50))
    loads[gaps] *= 10
    assert error_of_known_loads(rates, gaps, loads, crossing) == pytest.approx(0.08, rel=0.4)
    everything = np.ones(50, dtype=bool)
    assert error_of_known_loads(rates, everything, loads, crossing) == LEAST_LOAD_ERROR


@given(
    guess=st.lists(st.floats(0, 1e9), min_size=3, max_size=3),
    load=st.lists(st.floats(0, 1e9), min_size=2, max_size=2),
)
def test_rates_are_finite_and_never_negative(guess: list[float], load: list[float]) -> None:
    first = np.array(guess)
    agreed = agreeing_with_links(first, first, ALL, np.array(load), CROSSING, 0.02)
    assert np.isfinite(agreed.rates_bps).all()
    assert (agreed.rates_bps >= 0).all()
    assert np.isfinite(agreed.error_bps).all()
    assert (agreed.error_bps >= 0).all()


def test_a_guess_that_is_far_off_gives_way_before_many_that_are_near() -> None:
    """One of eleven pairs surges."""
    truth = np.full(11, 10.0)
    truth[4] = 100.0
    crossing = np.vstack([np.ones(11), np.eye(11)])
    loads = crossing @ truth
    guess, error, everything = np.full(11, 10.0), np.full(11, 3.0), np.ones(11, dtype=bool)
    agreed = agreeing_with_links(guess, error, everything, loads, crossing, 0.05)
    assert agreed.rates_bps[4] == pytest.approx(100.0, rel=0.1)
    assert np.delete(agreed.rates_bps, 4) == pytest.approx(10.0, abs=1.5)
