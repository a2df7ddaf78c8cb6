from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.queueing import loss_fraction, periodic, waiting_packets

loads = st.floats(0.0, 2.0)
variances = st.floats(0.05, 2.0)
rooms = st.floats(5.0, 1000.0)


def array(*values: float) -> np.ndarray:
    return np.array(values)


def test_far_below_saturation_it_is_kingmans_formula() -> None:
    assert waiting_packets(array(0.8), 1.0, array(1e4)) == pytest.approx(0.8 / (2 * 0.2))


def test_far_above_saturation_the_queue_is_full_and_the_excess_is_lost() -> None:
    assert waiting_packets(array(1.3), 0.5, array(100.0)) == pytest.approx(100.0, rel=0.02)
    assert loss_fraction(array(1.3), 0.5, array(100.0)) == pytest.approx(1 - 1 / 1.3, rel=1e-3)


def test_at_saturation_it_is_half_full() -> None:
    assert waiting_packets(array(1.0), 0.5, array(100.0)) == pytest.approx(50.0)


def test_an_idle_queue_is_empty_and_loses_nothing() -> None:
    assert waiting_packets(array(0.0), 0.5, array(100.0)) == 0
    assert loss_fraction(array(0.0), 0.5, array(100.0)) == 0


@given(loads, loads, variances, rooms)
def test_more_load_means_more_waiting_and_more_loss(
    a: float, b: float, variance: float, room: float
) -> None:
    low, high = sorted((a, b))
    waiting = waiting_packets(array(low, high), variance, array(room, room))
    loss = loss_fraction(array(low, high), variance, array(room, room))
    assert waiting[0] <= waiting[1] + 1e-6
    assert loss[0] <= loss[1] + 1e-9
    assert (waiting >= 0).all()
    assert (waiting <= room).all()
    assert (loss >= 0).all()
    assert (loss <= 1).all()


@given(loads, variances, rooms)
def test_what_is_carried_never_exceeds_the_rate_by_more_than_the_model_s_grain(
    load: float, variance: float, room: float
) -> None:
    carried = load * (1 - loss_fraction(array(load), variance, array(room))[0])
    assert carried <= 1 + 1e-6


def simulated_wait(streams: int, load: float) -> float:
    """Mean wait of packets of senders with the same period and random phases, by Lindley."""
    period = streams / load
    phases = np.sort(np.random.default_rng(1).uniform(0, period, (2000, streams)), axis=1)
    gaps = np.diff(phases, axis=1, append=phases[:, :1] + period)
    wait, total = np.zeros(len(phases)), 0.0
    for round_ in range(4):
        for at in range(streams):
            if round_ == 3:
                total += float(wait.mean())
            wait = np.maximum(wait + 1 - gaps[:, at], 0.0)
    return total / streams


@pytest.mark.parametrize(("streams", "load"), [(10, 0.8), (20, 0.9), (20, 0.98), (50, 0.95)])
def test_periodic_senders_wait_as_simulated(streams: int, load: float) -> None:
    variance = periodic(array(load), 1.0, array(1 / streams))
    told = waiting_packets(array(load), variance, array(1e4))
    assert told == pytest.approx(simulated_wait(streams, load), rel=0.1)
    assert told < 0.5 * waiting_packets(array(load), 1.0, array(1e4))


def test_countless_small_senders_are_a_poisson_process() -> None:
    assert periodic(array(0.5, 0.9), 1.0, array(1e-6, 1e-6)) == pytest.approx(1.0, abs=1e-3)


@given(load=st.floats(0, 2), variance=st.floats(0.001, 4), concentration=st.floats(1e-4, 1))
def test_no_more_than_the_whole_variance_counts(
    load: float, variance: float, concentration: float
) -> None:
    share = periodic(array(load), variance, array(concentration))[0]
    assert 0 <= share <= 1
