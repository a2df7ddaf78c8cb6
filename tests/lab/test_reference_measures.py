"""Every measure of testbed/reference once, small: that it measures, not how good the links are.

The exact figures belong to `twinbed bench links`.
"""

from __future__ import annotations

import os

import pytest

from testbed.reference.capacity import Capacity, Carried
from testbed.reference.delay import Delay, DelayError
from testbed.reference.errors import MeasurementError
from testbed.reference.loss import Loss, Lost
from testbed.reference.measuring import Figures, Measure, measure
from testbed.reference.network import PLAIN
from testbed.reference.queueing import Queueing, Waited
from testbed.reference.rate import Goodput, Overload, Overloaded, Tcp
from testbed.reference.start import Start, Started
from testbed.reference.targets import targets_of
from testbed.sandbox import probe_sandbox


def measured(what: Measure, links: str | None = None) -> Figures:
    figures = measure(what, links or os.environ["TWINBED_TEST_BACKEND"], probe_sandbox())
    assert targets_of(figures)
    return figures


@pytest.mark.parametrize("load_mbps", [0.0, 10.0])
def test_delay(load_mbps: float) -> None:
    error = measured(Delay(5.0, load_mbps, pings=20))
    assert isinstance(error, DelayError)
    assert error.sent == 20
    assert error.received >= 18
    assert -0.5 < error.mean_ms < 20.0


def test_delay_of_plain_links() -> None:
    error = measured(Delay(5.0, 0.0, pings=20), PLAIN)
    assert isinstance(error, DelayError)
    assert error.received == 20
    assert 0.0 < error.mean_ms < 5.0


def test_tcp() -> None:
    goodput = measured(Tcp(10, seconds=2))
    assert isinstance(goodput, Goodput)
    assert 70 < goodput.percent < 105


def test_overload() -> None:
    overloaded = measured(Overload(10, seconds=0.3))
    assert isinstance(overloaded, Overloaded)
    assert 80 < overloaded.percent < 120
    assert overloaded.offered_frames is not None
    assert overloaded.dropped_frames is not None
    assert overloaded.offered_frames > overloaded.received_frames > 0
    assert overloaded.dropped_frames > 0
    assert overloaded.unaccounted_frames is not None
    assert abs(overloaded.unaccounted_frames) < 0.1 * overloaded.offered_frames


def test_queueing() -> None:
    waited = measured(Queueing(10, queue_packets=20, pings=10))
    assert isinstance(waited, Waited)
    assert waited.expected_ms == pytest.approx(24.2, abs=0.1)
    assert 0.5 * waited.expected_ms < waited.measured_ms < 2 * waited.expected_ms
    assert waited.unrelated_received >= 8


@pytest.mark.parametrize("burst_packets", [None, 4.0])
def test_loss(burst_packets: float | None) -> None:
    lost = measured(Loss(10.0, frames=3_000, frames_per_s=4_000, burst_packets=burst_packets))
    assert isinstance(lost, Lost)
    assert lost.sent == 3_000
    assert 100 < lost.lost < 700
    assert 0 < lost.bursts <= lost.lost
    if burst_packets is not None:
        assert 2.0 < lost.mean_burst_packets < 8.0


def test_capacity() -> None:
    carried = measured(Capacity(3, 200, 200, 300, trial_s=0.2))
    assert isinstance(carried, Carried)
    assert carried.limit in ("none", "loss", "lateness", "sender")
    assert 0 <= carried.frames_per_s <= 310
    if carried.limit == "none":
        assert carried.links == 3
        assert carried.beyond is None


def test_start() -> None:
    started = measured(Start(20))
    assert isinstance(started, Started)
    assert started.links == 20
    assert 0 < started.seconds < 10


def test_a_measure_that_fails_says_why() -> None:
    with pytest.raises(MeasurementError, match="no load lies between"):
        measured(Capacity(1, 200, 300, 200, trial_s=0.2))
