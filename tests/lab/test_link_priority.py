"""A link with strict priority that is offered more than it carries; in tests/kernel, too.

Bounds are wide, since machines are noisy.
"""

from __future__ import annotations

import ctypes
import os
import statistics
import struct
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from raw_frames import OneLink

from testbed import openvswitch, sandbox
from testbed.links.backend import LinkCondition, LinkError
from testbed.links.probing import open_backend
from testbed.reference.frames import send_evenly, sender
from topologies.model import LinkShape

pytestmark = pytest.mark.sandbox

SHAPE = LinkShape(rate_bps=2e6, delay_ms=2.0, queue_packets=20, queueing="priority")
LARGE, SMALL = 1000, 100
"""Bytes: 4 ms and 0.4 ms at that rate."""
FRAMES_PER_S = 475
PATTERN = "N...E....N....E...."
"""50 frames/s of network control, 50 expedited, 375 of best effort: 1.5 times the rate."""
ROUNDS = 50
DSCP = {"N": 48, "E": 46, ".": 0}

ADDRESSES = bytes.fromhex("020000000001 020000000002")
EXPERIMENT = 253
"""A protocol that nobody looks into (RFC 3692); 0 would make headers of what follows."""
HEADERS = {
    "IPv4": lambda dscp: struct.pack("!HBB7xB10x", 0x0800, 0x45, dscp << 2, EXPERIMENT),
    "IPv6": lambda dscp: struct.pack("!HI2xB33x", 0x86DD, 6 << 28 | dscp << 22, EXPERIMENT),
}
LAST = struct.Struct("!cd")
"""At the end of a frame: its kind, and when it was sent."""

_CLONE_NEWNET = 0x40000000


@pytest.fixture
def link(tmp_path: Path) -> OneLink | None:
    if not os.environ.get("TWINBED_TEST_INSIDE"):
        return None  # the test body runs inside only
    # So that one sandbox will do for all tests, where time is dear.
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    sandbox.furnish(openvswitch.environment())
    return OneLink(open_backend(os.environ["TWINBED_TEST_BACKEND"], tmp_path), SHAPE)


def overload(link: OneLink, version: str, tag: str) -> dict[str, list[float]]:
    """Send by the pattern; the delays of what arrives in milliseconds, by kind."""
    delays_ms: defaultdict[str, list[float]] = defaultdict(list)

    def send(number: int) -> None:
        kind = PATTERN[number % len(PATTERN)]
        header = ADDRESSES + bytes.fromhex(tag) + HEADERS[version](DSCP[kind])
        length = LARGE if kind == "." else SMALL
        last = LAST.pack(kind.encode(), time.monotonic())
        socket.send(header.ljust(length - len(last), b"\0") + last)

    def receive() -> None:
        for frame in link.b.receiver.collect():
            kind, sent_s = LAST.unpack(frame[-LAST.size :])
            delays_ms[kind.decode()].append(1e3 * (time.monotonic() - sent_s))

    with sender(link.a.interface) as socket:
        send_evenly(FRAMES_PER_S, ROUNDS * len(PATTERN), send, receive)
    empty_s = time.monotonic() + 0.5
    while time.monotonic() < empty_s:
        receive()
        time.sleep(0.001)
    return delays_ms


@pytest.mark.parametrize("tag", ["", "81000064"], ids=["untagged", "tagged"])
@pytest.mark.parametrize("version", HEADERS)
def test_marked_frames_pass_by_the_full_queue(link: OneLink, version: str, tag: str) -> None:
    delays_ms = overload(link, version, tag)
    assert len(delays_ms["N"]) == len(delays_ms["E"]) == 100
    for kind in "NE":
        # 2 ms of delay, and a large frame of 4 ms or two before it.
        assert statistics.median(delays_ms[kind]) < 20.0
    assert statistics.median(delays_ms["."]) > 60.0  # 20 frames of 4 ms
    # 2 s at 2 Mbit/s, less what was marked, and what waited at the end.
    assert 450 < len(delays_ms["."]) < 550
    counted = link.counters()[0]
    assert counted.received == counted.sent + counted.dropped_by_queue
    if counted.dropped_by_class is not None:
        assert counted.dropped_by_class == (0, 0, counted.dropped_by_queue)


def test_a_failure_empties_all_queues(link: OneLink) -> None:
    link.backend.set_condition({link.link: LinkCondition(passes=(False, False))})
    link.backend.set_condition({link.link: LinkCondition()})
    link.settle()
    test_marked_frames_pass_by_the_full_queue(link, "IPv4", "")


def test_the_queues_stay_what_they_are(link: OneLink) -> None:
    link.backend.set_shape(link.link, replace(SHAPE, rate_bps=1e6, queue_packets=10))
    with pytest.raises(LinkError, match="one queue cannot become several"):
        link.backend.set_shape(link.link, replace(SHAPE, queueing="fifo"))
