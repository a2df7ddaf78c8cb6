"""What the measures read: numbered frames, bursts of losses, replies, reports and counters."""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.interface_counters import InterfaceCounters, Seen, interface_counters, parse
from testbed.links.loss import loss_of
from testbed.reference.frames import number_of, numbered_frame, send_evenly
from testbed.reference.iperf import goodput_bps
from testbed.reference.loss import Lost, count_bursts
from testbed.reference.pinger import internet_checksum, reply_number
from testbed.reference.targets import targets_of
from topologies.model import LinkShape


@given(st.integers(0, 2**32 - 1), st.integers(60, 9014))
def test_a_frame_carries_its_number(number: int, length: int) -> None:
    frame = numbered_frame(number, length)
    assert len(frame) == length
    assert number_of(frame) == number


@given(st.integers(0, 99 * 8 + 7))
def test_any_flipped_bit_is_seen(bit: int) -> None:
    frame = bytearray(numbered_frame(7, 100))
    frame[bit // 8] ^= 1 << bit % 8
    assert number_of(bytes(frame)) is None


@given(st.binary(max_size=100))
def test_strangers_have_no_number(frame: bytes) -> None:
    assert number_of(frame) is None


def test_all_are_sent_in_order_at_the_pace() -> None:
    sent: list[int] = []
    pauses: list[int] = []
    took_s = send_evenly(10_000, 500, sent.append, lambda: pauses.append(len(sent)))
    assert sent == list(range(500))
    assert pauses == sorted(pauses)
    assert pauses[-1] == 500
    assert took_s > 0.04  # the last is due 49.9 ms after the first


@given(st.lists(st.booleans(), max_size=200))
def test_bursts_are_runs_of_losses(arrived: list[bool]) -> None:
    numbers = {number for number, there in enumerate(arrived) if there}
    runs = "".join("." if there else "x" for there in arrived).split(".")
    assert count_bursts(numbers, len(arrived)) == sum(bool(run) for run in runs)


def lossy(percent: float, burst: float | None, seed: int) -> Lost:
    """What the measure would make of 50,000 frames over such a link."""
    shape = LinkShape(1e9, 1.0, loss_percent=percent, loss_burst_packets=burst)
    is_lost = loss_of(shape, random.Random(seed))
    assert is_lost is not None
    arrived = {number for number in range(50_000) if not is_lost()}
    return Lost(percent, 4.0, 50_000, 50_000 - len(arrived), count_bursts(arrived, 50_000))


@pytest.mark.parametrize("seed", range(5))
def test_gilberts_bursts_reach_the_target_and_single_losses_do_not(seed: int) -> None:
    assert targets_of(lossy(5.0, 4.0, seed))[0].met
    assert not targets_of(lossy(5.0, None, seed))[0].met
    assert not targets_of(lossy(5.0, 5.0, seed))[0].met


def test_no_burst_has_no_length() -> None:
    assert Lost(5.0, 4.0, 1000, 0, 0).mean_burst_packets == 0.0
    assert not targets_of(Lost(5.0, 4.0, 1000, 0, 0))[0].met


REPLY = bytes(20) + bytes.fromhex("0000 0000 7462 002a") + b"payload"


def test_only_our_own_replies_are_taken() -> None:
    assert reply_number(REPLY) == 42
    assert reply_number(REPLY.replace(b"tb", b"no")) is None  # of another ping
    request = bytearray(REPLY)
    request[20] = 8
    assert reply_number(bytes(request)) is None
    assert reply_number(REPLY[:24]) is None


@given(st.binary(max_size=64).filter(lambda data: len(data) % 2 == 0))
def test_a_packet_with_its_checksum_sums_up_to_zero(data: bytes) -> None:
    checksum = internet_checksum(data)
    assert internet_checksum(data + checksum.to_bytes(2, "big")) == 0


def test_the_checksum_of_rfc_1071() -> None:
    assert internet_checksum(bytes.fromhex("0001 f203 f4f5 f6f7")) == 0xFFFF - 0xDDF2


REPORT = """\
[ ID] Interval       Transfer     Bandwidth
[  1] 0.0000-0.5000 sec  100000 Bytes  1600000 bits/sec
[  1] 0.5000-1.0000 sec  300000 Bytes  4800000 bits/sec
[  1] 1.0000-1.5000 sec  500000 Bytes  8000000 bits/sec
[  1] 1.5000-2.0000 sec  700000 Bytes  11200000 bits/sec
[  1] 2.0000-2.1000 sec  900000 Bytes  72000000 bits/sec
[  1] 0.0000-2.1000 sec  2500000 Bytes  9523810 bits/sec
"""


def test_goodput_is_that_after_slow_start_and_before_the_end() -> None:
    assert goodput_bps(REPORT, from_s=1.0, until_s=2.0) == pytest.approx(8 * 1_200_000)


def test_a_report_without_such_intervals_has_no_goodput() -> None:
    assert goodput_bps(REPORT, from_s=5.0, until_s=9.0) is None
    assert goodput_bps("", from_s=1.0, until_s=2.0) is None


def test_counters_by_interface() -> None:
    table = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop
    lo:     840      10    0    4    0     0          0         0      841      11    0    0
s1-eth1:123456789012 7    0    0    0     0          0         0       90       8    0    0
"""
    assert parse(table) == {
        "lo": InterfaceCounters(Seen(840, 10, 4), Seen(841, 11, 0)),
        "s1-eth1": InterfaceCounters(Seen(123456789012, 7, 0), Seen(90, 8, 0)),
    }


def test_every_namespace_has_a_loopback_interface() -> None:
    assert "lo" in interface_counters()
    assert set(interface_counters(os.getpid())) == set(interface_counters())
