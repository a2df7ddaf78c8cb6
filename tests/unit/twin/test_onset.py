from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.onset import Onset, filling, growth
from twin.queueing import waiting_packets


def array(*values: float) -> np.ndarray:
    return np.array(values)


def simulated(load: float, variance: float, packets: float, paths: int = 20_000) -> float:
    """The mean of reflected random walks, which at steps alone are reflected too seldom.

    S. Asmussen, P. Glynn, J. Pitman, "Discretization error in simulation of one-dimensional
    reflecting Brownian motion", Ann. Appl. Prob. 5, 1995.
    """
    random, steps = np.random.default_rng(1), 400
    step = packets / steps
    waiting = np.zeros(paths)
    for _ in range(steps):
        moved = (load - 1) * step + np.sqrt(load * variance * step) * random.standard_normal(paths)
        waiting = np.maximum(waiting + moved, 0.0)
    return float(waiting.mean() + 0.5826 * np.sqrt(load * variance * step))


@pytest.mark.parametrize(("load", "packets"), [(0.9, 100.0), (1.0, 400.0), (1.05, 1000.0)])
def test_growth_is_that_of_reflected_random_walks(load: float, packets: float) -> None:
    expected = simulated(load, 1.0, packets)
    assert growth(array(load), 1.0, array(packets)) == pytest.approx(expected, rel=0.04)


def test_an_overloaded_queue_grows_by_what_is_too_much() -> None:
    assert growth(array(1.2), 0.1, array(10_000.0)) == pytest.approx(2_000.0, rel=0.01)


@given(load=st.floats(0, 2), variance=st.floats(0.01, 4), packets=st.floats(1, 1e5))
def test_growth_goes_on_and_is_continuous_in_the_load(
    load: float, variance: float, packets: float
) -> None:
    now, later = growth(array(load), variance, array(packets, 1.1 * packets))
    assert 0 <= now <= later * (1 + 1e-9)
    above = growth(array(load + 1e-9), variance, array(packets))[0]
    assert above == pytest.approx(now, rel=1e-3, abs=1e-3)


@given(load=st.floats(0, 2), room=st.floats(1, 200))
def test_in_the_end_a_queue_is_stationary(load: float, room: float) -> None:
    stationary = waiting_packets(array(load), 1.0, array(room))
    ever = Onset(1e9, 2e9).instants(array(1.0))
    told = filling(stationary, array(load), 1.0, ever)
    if stationary[0] > 1e-6:
        assert told.waiting[0] == pytest.approx(1.0, abs=0.02)
        assert told.spread[0] == pytest.approx(0.0, abs=0.02)


def test_a_queue_that_has_half_a_link_fills_half_as_fast() -> None:
    whole, half = array(1.02), array(1.02)
    stationary = waiting_packets(whole, 0.05, array(1000.0))
    instants = Onset(0.0, 20_000.0).instants(array(1.0))
    alone = filling(stationary, whole, 0.05, instants).waiting[0]
    behind = filling(stationary, half, 0.05, 2 * instants, pace=0.5).waiting[0]
    assert behind == pytest.approx(alone)
    assert filling(stationary, half, 0.05, instants, pace=0.5).waiting[0] < 0.6 * alone


def test_a_queue_that_is_slow_to_fill_has_lost_nothing_yet() -> None:
    # 100 packets at 4 Mbit/s, 2 % too much: 17 s
    packet_s = 1442 * 8 / 4e6
    load, stationary = array(1.02), waiting_packets(array(1.02), 0.05, array(100.0))
    early = filling(stationary, load, 0.05, Onset(2.0, 6.0).instants(array(packet_s)))
    late = filling(stationary, load, 0.05, Onset(60.0, 64.0).instants(array(packet_s)))
    assert 0.1 < early.waiting[0] < 0.5
    assert (early.filled[0], late.filled[0]) == (0.0, 1.0)
    assert late.waiting[0] == pytest.approx(1.0)
