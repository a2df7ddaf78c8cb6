"""The targets of every measured figure: met just inside the bound, not met just outside."""

from __future__ import annotations

import msgspec
import pytest

from testbed.reference.capacity import Carried
from testbed.reference.delay import DelayError
from testbed.reference.loss import Lost
from testbed.reference.measuring import Figures
from testbed.reference.queueing import Waited
from testbed.reference.rate import Goodput, Overloaded
from testbed.reference.start import Started
from testbed.reference.targets import Target, at_least, at_most, between, targets_of

IDLE = DelayError(delay_ms=5, load_mbps=0, sent=100, received=100, mean_ms=0.2, p99_ms=0.5)
LOADED = DelayError(delay_ms=5, load_mbps=50, sent=100, received=100, mean_ms=-0.3, p99_ms=1.0)
OVERLOADED = Overloaded(10, 10.09, offered_frames=900, received_frames=600, dropped_frames=300)
WAITED = Waited(100, 121.0, 127.0, unrelated_sent=100, unrelated_received=100, unrelated_error_ms=0)
LOST = Lost(loss_percent=1, burst_packets=None, sent=100_000, lost=1_090, bursts=1_000)
BURSTS = Lost(loss_percent=5, burst_packets=4, sent=100_000, lost=5_000, bursts=1_240)
CARRIED = Carried(20, 200, 60_000, 0.4, "lateness", None)


@pytest.mark.parametrize(
    "figures",
    [IDLE, LOADED, Goodput(10, 9.4), OVERLOADED, WAITED, LOST, BURSTS, CARRIED, Started(100, 0.5)],
)
def test_inside_the_bounds(figures: Figures) -> None:
    targets = targets_of(figures)
    assert targets
    assert all(target.met for target in targets), targets


@pytest.mark.parametrize(
    ("figures", "missed"),
    [
        (msgspec.structs.replace(IDLE, mean_ms=-0.21), "mean"),
        (msgspec.structs.replace(IDLE, p99_ms=0.51), "p99"),
        (msgspec.structs.replace(LOADED, mean_ms=0.31), "mean"),
        (msgspec.structs.replace(LOADED, p99_ms=1.01), "p99"),
        (Goodput(10, 9.29), "TCP goodput at 10 Mbit/s"),
        (Goodput(10, 9.71), "TCP goodput at 10 Mbit/s"),
        (msgspec.structs.replace(OVERLOADED, received_mbps=10.11), "received, of the rate"),
        (msgspec.structs.replace(OVERLOADED, dropped_frames=299), "nor counted as dropped"),
        (msgspec.structs.replace(OVERLOADED, dropped_frames=301), "nor counted as dropped"),
        (msgspec.structs.replace(OVERLOADED, dropped_frames=None), "nor counted as dropped"),
        (msgspec.structs.replace(WAITED, measured_ms=127.1), "full queue of 100 packets"),
        (msgspec.structs.replace(WAITED, unrelated_received=99), "arrived"),
        (msgspec.structs.replace(WAITED, unrelated_error_ms=-0.51), "mean error"),
        (msgspec.structs.replace(LOST, lost=1_100), "loss of 1 %"),
        (msgspec.structs.replace(LOST, lost=900), "loss of 1 %"),
        (msgspec.structs.replace(BURSTS, bursts=1_400), "mean length"),
        (msgspec.structs.replace(BURSTS, bursts=1_150), "mean length"),
        (msgspec.structs.replace(CARRIED, frames_per_s=59_999), "frames through all links"),
        (Started(100, 0.51), "starting 100 links"),
    ],
)
def test_outside_one_bound(figures: Figures, missed: str) -> None:
    (target,) = [target for target in targets_of(figures) if not target.met]
    assert missed in target.name


def test_three_sigma_depend_on_the_frames_sent() -> None:
    """1.2 % lost may be chance of 10,000 frames, but not of 100,000."""
    few = Lost(loss_percent=1, burst_packets=None, sent=10_000, lost=120, bursts=100)
    many = msgspec.structs.replace(few, sent=100_000, lost=1_200)
    assert [targets_of(each)[0].met for each in (few, many)] == [True, False]


def test_what_was_not_measured_is_not_met() -> None:
    for target in (at_most("a", 1, None), at_least("a", 1, None), between("a", 1, 2, None)):
        assert target.measured is None
        assert not target.met


def test_bounds_are_written_as_people_read_them() -> None:
    assert at_least("a", 60_000, 70_000, "frames/s") == Target(
        "a", ">= 60,000", 70_000, "frames/s", met=True
    )
    assert at_most("a", 0.5, 0.5).target == "<= 0.5"
    assert between("a", 93, 97, 95).target == "93 to 97"
