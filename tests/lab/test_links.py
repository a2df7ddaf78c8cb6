"""One link on frames, by the backend of this machine; in tests/kernel, by the kernel backend.

Bounds are wide, since machines are noisy: the exact figures belong to `twinbed bench links`.
"""

from __future__ import annotations

import ctypes
import os
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest
from raw_frames import Arrival, OneLink

from testbed import openvswitch, sandbox
from testbed.links.backend import LinkCondition
from testbed.links.probing import open_backend
from topologies.model import LinkShape

pytestmark = pytest.mark.sandbox

FAST = LinkShape(rate_bps=100e6, delay_ms=2.0, queue_packets=1000)
SLOW = LinkShape(rate_bps=2e6, delay_ms=2.0, queue_packets=20)
VERY_SLOW = replace(SLOW, rate_bps=0.4e6)
WORKS, DOWN = LinkCondition(), LinkCondition(carrier=(False, False))

_CLONE_NEWNET = 0x40000000

OpenLink = Callable[[LinkShape], OneLink]


@pytest.fixture
def open_link(tmp_path: Path) -> Iterator[OpenLink]:
    def open_one(shape: LinkShape) -> OneLink:
        new_network_namespace()  # so that one sandbox will do for all tests, where time is dear
        sandbox.furnish(openvswitch.environment())
        return OneLink(open_backend(os.environ["TWINBED_TEST_BACKEND"], tmp_path), shape)

    return open_one


def new_network_namespace() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def median_delay_ms(arrivals: list[Arrival]) -> float:
    return 1000 * statistics.median(arrival.delay_s for arrival in arrivals)


def assert_adds_up(link: OneLink) -> None:
    """Nothing is in flight."""
    for counted in link.counters():
        dropped = counted.dropped_by_queue + counted.dropped_by_loss + counted.dropped_by_fault
        assert counted.received + (counted.duplicated or 0) == counted.sent + dropped, counted


def test_frames_take_delay_and_transmission_time_both_ways(open_link: OpenLink) -> None:
    link = open_link(replace(FAST, rate_bps=10e6, delay_ms=10.0))
    for backwards in (False, True):
        small = link.send(50, length=100, spacing_s=0.005, backwards=backwards)
        large = link.send(50, length=1500, spacing_s=0.005, backwards=backwards)
        assert len(small) == len(large) == 50
        assert 10.0 <= median_delay_ms(small) < 11.0
        # 1,400 bytes more take 1.12 ms; a busy machine wakes up late, by half of that at most.
        assert 0.9 < median_delay_ms(large) - median_delay_ms(small) < 1.7


def test_arrivals_under_overload_have_the_rate(open_link: OpenLink) -> None:
    arrivals = open_link(SLOW).send(500, length=1000, spacing_s=0.002)  # twice the rate
    steady = arrivals[20:]
    bits = 8000 * (len(steady) - 1)
    assert bits / (steady[-1].t_s - steady[0].t_s) == pytest.approx(2e6, rel=0.03)


@pytest.mark.parametrize("shape", [VERY_SLOW, replace(VERY_SLOW, queue_bytes=20_000)])
def test_the_queue_holds_its_limit_and_drops_the_rest(
    open_link: OpenLink, shape: LinkShape
) -> None:
    link = open_link(shape)
    arrivals = link.send(200, length=1000, spacing_s=0.0)
    counted = link.counters()[0]
    # Besides those that wait: the one that is being transmitted, and what a late timer lets past,
    # or what left while the burst was still being sent.
    assert 20 <= len(arrivals) <= 30
    assert (counted.received, counted.sent) == (200, len(arrivals))
    assert counted.dropped_by_queue == 200 - len(arrivals)
    wait_ms = 1000 * max(arrival.delay_s for arrival in arrivals)
    assert 19 * 20.0 < wait_ms < 23 * 20.0  # 20 ms a frame
    assert_adds_up(link)


def test_single_frames_are_lost(open_link: OpenLink) -> None:
    link = open_link(replace(FAST, loss_percent=10.0))
    arrivals = link.send(2000, spacing_s=0.0005)
    counted = link.counters()[0]
    assert counted.dropped_by_loss == 2000 - len(arrivals)
    assert 145 < counted.dropped_by_loss < 255  # four standard deviations
    assert_adds_up(link)


def test_frames_are_lost_in_bursts(open_link: OpenLink) -> None:
    link = open_link(replace(FAST, loss_percent=20.0, loss_burst_packets=5.0))
    arrived = {arrival.number for arrival in link.send(3000, spacing_s=0.0005)}
    fate = [number in arrived for number in range(3000)]
    bursts = [len(list(run)) for passed, run in groupby(fate) if not passed]
    assert 0.12 < fate.count(False) / 3000 < 0.28
    assert 3.5 < statistics.mean(bursts) < 6.5
    assert_adds_up(link)


def test_frames_are_duplicated(open_link: OpenLink) -> None:
    link = open_link(replace(FAST, duplicate_percent=20.0))
    arrivals = link.send(1000)
    assert 1130 < len(arrivals) < 1270
    assert {arrival.number for arrival in arrivals} == set(range(1000))
    assert link.counters()[0].sent == len(arrivals)


def test_frames_are_corrupted(open_link: OpenLink) -> None:
    link = open_link(replace(FAST, corrupt_percent=20.0))
    arrivals = link.send(1000)
    assert len(arrivals) == 1000
    assert 130 < sum(not arrival.intact for arrival in arrivals) < 270


@pytest.mark.parametrize("distribution", ["normal", "uniform", "pareto"])
def test_jitter_spreads_the_delay_and_keeps_the_order(
    open_link: OpenLink, distribution: str
) -> None:
    shape = replace(FAST, delay_ms=30.0, jitter_ms=3.0, jitter_distribution=distribution)  # type: ignore[arg-type]
    # Far enough apart that they would not overtake each other anyway.
    apart = open_link(shape).send(150, spacing_s=0.02)
    delays_ms = [1000 * arrival.delay_s for arrival in apart]
    assert 28.5 < statistics.mean(delays_ms) < 32.0
    assert 1.0 < statistics.stdev(delays_ms) < 5.0


def test_order_is_kept_unless_reordering_is_asked_for(open_link: OpenLink) -> None:
    shape = replace(FAST, delay_ms=30.0, jitter_ms=5.0)
    link = open_link(shape)
    kept = [arrival.number for arrival in link.send(500)]
    assert kept == list(range(500))
    link.backend.set_shape(link.link, replace(shape, reordering=True))
    shuffled = [arrival.number for arrival in link.send(500)]
    assert shuffled != sorted(shuffled)
    assert sorted(shuffled) == list(range(500))


def test_a_change_holds_for_new_frames_only(open_link: OpenLink) -> None:
    link = open_link(replace(FAST, delay_ms=200.0))
    after = replace(FAST, delay_ms=400.0)
    change = threading.Timer(0.1, link.backend.set_shape, (link.link, after))
    change.start()
    arrivals = link.send(300, spacing_s=0.002, quiet_s=0.5)
    change.join()
    assert len(arrivals) == 300
    assert 200.0 <= 1000 * arrivals[0].delay_s < 300.0
    assert 400.0 <= 1000 * arrivals[-1].delay_s < 500.0
    link.backend.set_shape(link.link, replace(FAST, loss_percent=100.0))
    assert link.send(20) == []
    link.backend.set_shape(link.link, FAST)
    assert len(link.send(20)) == 20
    assert_adds_up(link)


def test_a_link_that_is_down_has_no_carrier_and_loses_what_is_in_flight(
    open_link: OpenLink,
) -> None:
    link = open_link(replace(FAST, delay_ms=300.0))
    assert (link.a.carrier, link.b.carrier) == (True, True)
    down = threading.Timer(0.1, link.backend.set_condition, ({link.link: DOWN},))
    down.start()
    assert link.send(20, quiet_s=0.6) == []
    down.join()
    assert (link.a.carrier, link.b.carrier) == (False, False)
    link.backend.set_condition({link.link: WORKS})
    assert (link.a.carrier, link.b.carrier) == (True, True)
    link.settle()
    assert len(link.send(20, quiet_s=0.6)) == 20
    assert_adds_up(link)
    assert link.counters()[0].dropped_by_fault == 20


@pytest.mark.parametrize("end", [0, 1])
def test_one_end_down_stops_both_directions(open_link: OpenLink, end: int) -> None:
    link = open_link(FAST)
    carrier = (end != 0, end != 1)
    link.backend.set_condition({link.link: LinkCondition(carrier=carrier)})
    assert (link.a.carrier, link.b.carrier) == carrier
    assert link.send(20, backwards=end == 0) == []  # from the end that has carrier
    link.backend.set_condition({link.link: WORKS})
    assert (link.a.carrier, link.b.carrier) == (True, True)
    link.settle()
    assert len(link.send(20)) == len(link.send(20, backwards=True)) == 20
    assert_adds_up(link)


@pytest.mark.parametrize("passes", [(False, True), (True, False), (False, False)])
def test_a_silent_link_loses_frames_and_keeps_carrier(
    open_link: OpenLink, passes: tuple[bool, bool]
) -> None:
    link = open_link(FAST)
    link.backend.set_condition({link.link: LinkCondition(passes=passes)})
    assert (link.a.carrier, link.b.carrier) == (True, True)
    for direction, works in enumerate(passes):
        assert len(link.send(20, backwards=direction == 1)) == (20 if works else 0)
    lost = [counted.dropped_by_fault for counted in link.counters()]
    assert lost == [0 if works else 20 for works in passes]
    link.backend.set_condition({link.link: WORKS})
    assert len(link.send(20)) == len(link.send(20, backwards=True)) == 20
    assert_adds_up(link)


def test_a_fault_comes_at_its_instant(open_link: OpenLink) -> None:
    link = open_link(FAST)
    silent = LinkCondition(passes=(False, False))
    at_s = time.monotonic() + 0.5
    true_s: list[float] = []

    def fail() -> None:
        true_s.append(link.backend.set_condition({link.link: silent}, at_s))

    fault = threading.Thread(target=fail)
    fault.start()
    arrivals = link.send(1000)
    fault.join()
    assert at_s <= true_s[0] < at_s + 0.05
    first_lost_s = link.sent_s[len(arrivals)]
    assert at_s - 0.02 < first_lost_s < at_s + 0.05


def test_large_frames_pass(open_link: OpenLink) -> None:
    link = open_link(FAST)
    for end in (link.a, link.b):
        subprocess.run(["ip", "link", "set", end.interface, "mtu", "9000"], check=True)
    arrivals = link.send(20, length=9014)
    assert [arrival.length for arrival in arrivals] == [9014] * 20
    assert all(arrival.intact for arrival in arrivals)
