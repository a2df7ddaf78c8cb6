"""Limits of policies, which meters hold, on packets."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
from controller_lab import control, restart
from udp import FAMILIES, Receiver, sender

from testbed.network import Network

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.topology("tests/lab/zones.yaml"),
]

LIMIT_BPS = 4e6
HEADERS_BYTES = 14 + 20 + 8


def test_a_limit_holds_what_enters_at_a_switch_to_its_rate(
    network: Network, tmp_path: Path
) -> None:
    with control(network, tmp_path) as lab:
        for family in FAMILIES:
            assert 0.7 < limited_bps(network, family) / LIMIT_BPS < 1.3
        restart(lab, "s1")
        assert 0.7 < limited_bps(network, socket.AF_INET) / LIMIT_BPS < 1.3


def limited_bps(network: Network, family: int) -> float:
    """What arrives at h2 of three times the limit, from two hosts at one switch, once the burst
    is over."""
    size, sent, arrived_s = 1000, 0, list[float]()
    frame_bits = 8 * (size + HEADERS_BYTES + (20 if family == socket.AF_INET6 else 0))
    gap_s = 2 * frame_bits / (3 * LIMIT_BPS)
    with (
        Receiver(network, "h2", family, 5001) as receiver,
        sender(network, "h1", family) as one,
        sender(network, "h4", family) as other,
    ):
        start_s = time.monotonic()
        while (now_s := time.monotonic()) < start_s + 2.5:
            while sent * gap_s < now_s - start_s:
                for host in (one, other):
                    host.sendto(bytes(size), (receiver.address, 5001))
                sent += 1
            arrived_s += [time.monotonic() for _ in receiver.receive(gap_s / 2)]
    counted = [at_s for at_s in arrived_s if at_s > start_s + 0.5]
    return (len(counted) - 1) * frame_bits / (counted[-1] - counted[0])
