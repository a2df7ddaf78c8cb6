"""Which counters the loads of links speak against: four pairs in a row of links, four alone."""

from __future__ import annotations

import numpy as np
import pytest

from generators.corruption import corrupt, implausibility
from generators.gaps import BoolArray
from generators.schedule import FloatArray

CROSSING = np.eye(8)
CROSSING[[0, 1, 2], [1, 2, 3]] = 1.0
TRUTH_BPS = np.array([4e6, 2e6, 3e6, 1e6, 2e6, 1e6, 3e6, 4e6])
LOADS_BPS = CROSSING @ TRUTH_BPS


def judged(told_bps: FloatArray, loads_bps: FloatArray) -> BoolArray:
    implausible = implausibility(told_bps, TRUTH_BPS * 0.8, TRUTH_BPS * 1.2)
    return corrupt(told_bps, TRUTH_BPS, implausible, loads_bps, CROSSING)


@pytest.mark.parametrize("factor", [0.0, 5.0])
@pytest.mark.parametrize("pair", range(8))
def test_a_rate_that_every_link_contradicts_is_corrupt(pair: int, factor: float) -> None:
    told_bps = TRUTH_BPS.copy()
    told_bps[pair] *= factor
    assert np.flatnonzero(judged(told_bps, LOADS_BPS)).tolist() == [pair]


def test_one_that_another_hides_is_found() -> None:
    told_bps = TRUTH_BPS.copy()
    told_bps[0] *= 5.0  # so much that the link they share has too much, not too little
    told_bps[1] = 0.0
    assert np.flatnonzero(judged(told_bps, LOADS_BPS)).tolist() == [0, 1]


def test_a_surge_that_the_links_carry_is_none() -> None:
    told_bps = TRUTH_BPS.copy()
    told_bps[2] *= 5.0
    assert not judged(told_bps, CROSSING @ told_bps).any()


def test_nobody_is_suspected_where_no_link_is_heard() -> None:
    assert not judged(TRUTH_BPS * 0.0, np.full(8, np.nan)).any()


def test_loads_that_are_off_everywhere_speak_against_nobody() -> None:
    """As when counters are read late: all links miss a quarter."""
    assert not judged(TRUTH_BPS * 0.75, LOADS_BPS).any()


def test_links_that_miss_far_more_than_the_rate_speak_of_something_else() -> None:
    told_bps = TRUTH_BPS.copy()
    told_bps[1] = 20e3
    expected_bps = told_bps.copy()
    expected_bps[1] = 30e3
    loads_bps = CROSSING @ told_bps
    loads_bps[CROSSING[:, 1] > 0] += 1e6
    implausible = implausibility(told_bps, expected_bps * 0.8, expected_bps * 1.2)
    assert not corrupt(told_bps, expected_bps, implausible, loads_bps, CROSSING).any()


def test_an_access_link_shows_what_a_busy_link_hides() -> None:
    """A pair of 1 Mbit/s over a link of 1 Gbit/s, whose load is known to 10 Mbit/s."""
    busy = np.append(TRUTH_BPS, 1e9)
    crossing = np.zeros((9, 9))
    crossing[:8, :8] = CROSSING
    crossing[8, [3, 8]] = 1.0
    loads_bps = crossing @ busy
    loads_bps[8] -= 8e6  # off by almost a standard error, to the wrong side
    told_bps = busy.copy()
    told_bps[3] = 0.0
    implausible = implausibility(told_bps, busy * 0.8, busy * 1.2)
    found = corrupt(told_bps, busy, implausible, loads_bps, crossing)
    assert np.flatnonzero(found).tolist() == [3]


def test_stuck_counters_behind_one_uplink_are_found_one_by_one() -> None:
    """Three of six pairs, to a downlink each that they share with two other sources."""
    pairs = np.arange(18)
    uplinks, downlinks = pairs // 6 == np.arange(3)[:, None], pairs % 6 == np.arange(6)[:, None]
    crossing = np.vstack([uplinks, downlinks]).astype(float)
    truth_bps = np.linspace(1e6, 4e6, 18)
    told_bps = np.where(pairs < 3, 0.0, truth_bps)
    expected_bps = truth_bps * np.tile([0.7, 1.3], 9)
    implausible = implausibility(told_bps, expected_bps * 0.6, expected_bps * 1.6)
    found = corrupt(told_bps, expected_bps, implausible, crossing @ truth_bps, crossing)
    assert np.flatnonzero(found).tolist() == [0, 1, 2]


def test_a_zero_that_is_likely_enough_is_still_judged_by_the_links() -> None:
    told_bps = TRUTH_BPS.copy()
    told_bps[6] = 0.0
    nothing_unlikely = np.zeros(8)
    assert corrupt(told_bps, TRUTH_BPS, nothing_unlikely, LOADS_BPS, CROSSING)[6]
    silent_bps = CROSSING @ told_bps
    assert not corrupt(told_bps, TRUTH_BPS, nothing_unlikely, silent_bps, CROSSING).any()
