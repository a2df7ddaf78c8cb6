"""What a link of a given rate lets through: of one TCP connection, and of UDP above the rate."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
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
            counted_before, (at_first,) = network.counters(0), network.received_frames()
            with udp_load(network, 0, _OVERLOAD * self.rate_mbps * 1e6):
                time.sleep(_FILL_S)
                start_s, (before,) = time.monotonic(), network.received_frames()
                time.sleep(self.seconds)
                end_s, (after,) = time.monotonic(), network.received_frames()
            time.sleep(_DRAIN_S)
            counted_after, (at_last,) = network.counters(0), network.received_frames()
        offered = dropped = None
        if counted_before and counted_after:
            offered = counted_after.received - counted_before.received
            dropped = counted_after.dropped_by_queue - counted_before.dropped_by_queue
        received_bps = (after - before) * UDP_FRAME_BYTES * 8 / (end_s - start_s)
        return Overloaded(
            rate_mbps=self.rate_mbps,
            received_mbps=received_bps / 1e6,
            offered_frames=offered,
            received_frames=at_last - at_first,
            dropped_frames=dropped,
        )


@contextmanager
def _link(backend: str, rate_mbps: float, logs: Path) -> Iterator[ReferenceNetwork]:
    shape = LinkShape(rate_bps=rate_mbps * 1e6, delay_ms=_DELAY_MS, queue_packets=_QUEUE_PACKETS)
    with ReferenceNetwork(backend, [shape], logs) as network:
        network.make()
        network.part()
        network.settle()
        yield network
