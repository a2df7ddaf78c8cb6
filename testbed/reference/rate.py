"""What a link of a given rate lets through: of one TCP connection, and of UDP above the rate."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from testbed.reference.iperf import UDP_FRAME_BYTES, tcp_goodput_bps, udp_load
from testbed.reference.network import ReferenceNetwork
from topologies.model import LinkShape

_DELAY_MS = 5.0
_QUEUE_PACKETS = 100
_SLOW_START_S = 1.0
_OVERLOAD = 1.3
_FILL_S = 1.0
"""A queue of 100 packets at 5 Mbit/s is full after 0.8 s of that overload."""
_DRAIN_S = 0.5


class Goodput(msgspec.Struct, frozen=True, tag="goodput"):
    """TCP payload received, after slow start."""

    rate_mbps: float
    goodput_mbps: float

    @property
    def percent(self) -> float:
        """Of the rate."""
        return 100 * self.goodput_mbps / self.rate_mbps


class Tcp(msgspec.Struct, frozen=True, tag="tcp"):
    """One TCP connection over a link of 5 ms with a queue of 100 packets."""

    rate_mbps: float
    seconds: int

    def describe(self) -> str:
        """What is done, for whoever waits."""
        return f"TCP over {self.rate_mbps:g} Mbit/s"

    def carry_out(self, backend: str, logs: Path) -> Goodput:
        """Measure, inside a sandbox.

        Raises:
            MeasurementError: iperf failed.
        """
        with _link(backend, self.rate_mbps, logs) as network:
            goodput = tcp_goodput_bps(network, 0, self.seconds, _SLOW_START_S)
        return Goodput(self.rate_mbps, goodput / 1e6)


class Overloaded(msgspec.Struct, frozen=True, tag="overloaded"):
    """What became of the frames sent into a link faster than it is.

    The numbers of frames are those from the start until the queue had drained; None: nothing
    counts them.
    """

    rate_mbps: float
    received_mbps: float
    """Whole Ethernet frames at the far end, while the queue was full."""
    offered_frames: int | None
    received_frames: int
    dropped_frames: int | None

    @property
    def percent(self) -> float:
        """Received, of the rate."""
        return 100 * self.received_mbps / self.rate_mbps

    @property
    def unaccounted_frames(self) -> int | None:
        """Neither received nor counted as dropped by the queue."""
        if self.offered_frames is None or self.dropped_frames is None:
            return None
        return self.offered_frames - self.received_frames - self.dropped_frames


class Overload(msgspec.Struct, frozen=True, tag="overload"):
    """UDP at 1.3 times the rate of such a link."""

    rate_mbps: float
    seconds: float

    def describe(self) -> str:
        """What is done, for whoever waits."""
        return f"UDP above {self.rate_mbps:g} Mbit/s"

    def carry_out(self, backend: str, logs: Path) -> Overloaded:
        """Measure, inside a sandbox.

        Raises:
            MeasurementError: iperf failed.
        """
        with _link(backend, self.rate_mbps, logs) as network:
            (at_first,) = network.received_frames()
            with udp_load(network, 0, _OVERLOAD * self.rate_mbps * 1e6):
                time.sleep(_FILL_S)
                start_s, (before,) = time.monotonic(), network.received_frames()
                time.sleep(self.seconds)
                end_s, (after,) = time.monotonic(), network.received_frames()
            time.sleep(_DRAIN_S)
            (at_last,) = network.received_frames()
            backend_counts = network.backend.counters() if network.backend else {}
            counters = backend_counts.get(network.topology.links[0].directions[0])
        received_bps = (after - before) * UDP_FRAME_BYTES * 8 / (end_s - start_s)
        return Overloaded(
            rate_mbps=self.rate_mbps,
            received_mbps=received_bps / 1e6,
            offered_frames=counters.received if counters else None,
            received_frames=at_last - at_first,
            dropped_frames=counters.dropped_by_queue if counters else None,
        )


def _link(backend: str, rate_mbps: float, logs: Path) -> ReferenceNetwork:
    shape = LinkShape(rate_bps=rate_mbps * 1e6, delay_ms=_DELAY_MS, queue_packets=_QUEUE_PACKETS)
    network = ReferenceNetwork(backend, [shape], logs)
    network.make()
    network.part()
    network.shape()
    return network
