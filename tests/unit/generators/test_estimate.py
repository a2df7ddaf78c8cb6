"""Estimates where rates are known, where loads tell something, and where they do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.estimate import Estimate
from generators.schedule import FloatArray

# Two links: the first carries pairs 0 and 1, the second pair 1.
CROSSING = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
THOUGHT = Estimate(np.array([4.0, 5.0, 6.0]), np.array([2.0, 2.0, 2.0]), np.array([9.0, 9.0, 9.0]))


def told(known: FloatArray, loads: FloatArray) -> Estimate:
    return THOUGHT.told(known, THOUGHT.agreeing(known, np.zeros(3), loads, CROSSING))


def test_errors_around_make_a_guess_less_sure() -> None:
    nothing, loads = np.full(3, np.nan), np.array([20.0, np.nan])
    sure, unsure = (
        THOUGHT.agreeing(nothing, np.array([error, 0.0, 0.0]), loads, CROSSING).rates_bps
        for error in (0.0, 8.0)
    )
    assert unsure[0] > sure[0]
    assert unsure[1] < sure[1]


def test_what_is_known_stays_and_what_no_link_tells_is_as_it_was_thought() -> None:
    known = np.array([np.nan, 5.0, np.nan])
    agreed = told(known, np.array([11.0, 5.0]))
    assert agreed.median_bps == pytest.approx([6.0, 5.0, 6.0], rel=0.02)
    assert agreed.low_bps[1:].tolist() == [5.0, 2.0]
    assert agreed.high_bps[1:].tolist() == [5.0, 9.0]
    assert 0 < agreed.high_bps[0] - agreed.low_bps[0] < 1.0
    unheard = told(known, np.full(2, np.nan))
    np.testing.assert_array_equal(unheard.median_bps, THOUGHT.around_known(known).median_bps)
    np.testing.assert_array_equal(unheard.high_bps, [9.0, 5.0, 9.0])


def test_parts_and_stacks() -> None:
    record = Estimate.stacked([THOUGHT, THOUGHT])
    assert record.median_bps.shape == (2, 3)
    np.testing.assert_array_equal(record.at(1).high_bps, THOUGHT.high_bps)
    np.testing.assert_array_equal(record.at(([0, 1], [2, 0])).median_bps, [6.0, 4.0])


@given(
    known=st.lists(st.floats(0, 1e6) | st.just(np.nan), min_size=3, max_size=3),
    load=st.lists(st.floats(0, 1e6) | st.just(np.nan), min_size=2, max_size=2),
)
def test_intervals_hold_what_is_thought(known: list[float], load: list[float]) -> None:
    agreed = told(np.array(known), np.array(load))
    assert (agreed.low_bps >= 0).all()
    assert (agreed.low_bps <= agreed.median_bps).all()
    assert (agreed.median_bps <= agreed.high_bps).all()
    assert np.isfinite(agreed.high_bps).all()
