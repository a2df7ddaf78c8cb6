"""How long packets wait in the queue of an overloaded link, and what other links feel of it."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import numpy as np

from testbed.reference.errors import MeasurementError
from testbed.reference.iperf import UDP_FRAME_BYTES, udp_load
from testbed.reference.network import ReferenceNetwork
from testbed.reference.pinger import ping
from topologies.model import LinkShape

_DELAY_MS = 5.0
_OVERLOAD = 1.3
_SPACING_S = 0.02
_FILL_S = 1.0


class Waited(msgspec.Struct, frozen=True, tag="waited"):
    """Pings over the overloaded link, and at the same time over one that carries nothing else."""

    queue_packets: int
    expected_ms: float
    """The queue's limit times the transmission time of a packet."""
    measured_ms: float
    """Mean wait: round trip time less propagation and the ping's own transmission."""
    unrelated_sent: int
    unrelated_received: int
    unrelated_error_ms: float
    """Mean of the round trip time less what is configured."""


class Queueing(msgspec.Struct, frozen=True, tag="queueing"):
    """UDP at 1.3 times the rate fills the queue of one link; pings every 20 ms."""

    rate_mbps: float
    queue_packets: int
    pings: int

    def describe(self) -> str:
        """What is done, for whoever waits."""
        return f"a full queue of {self.queue_packets} packets, and a link beside it"

    def carry_out(self, backend: str, logs: Path) -> Waited:
        """Measure, inside a sandbox.

        Raises:
            MeasurementError: no ping came back, or iperf failed.
        """
        rate_bps = self.rate_mbps * 1e6
        shape = LinkShape(rate_bps, _DELAY_MS, queue_packets=self.queue_packets)
        with ReferenceNetwork(backend, [shape, shape], logs) as network:
            network.make()
            network.part()
            network.settle()
            with udp_load(network, 0, _OVERLOAD * rate_bps):
                time.sleep(_FILL_S)
                addresses = [network.address(0), network.address(1)]
                # As large as the frames that they wait behind, or the queue would be shorter.
                full, unrelated = ping(addresses, self.pings, _SPACING_S, UDP_FRAME_BYTES)
        packet_ms = UDP_FRAME_BYTES * 8e3 / rate_bps
        empty_ms = 2 * (_DELAY_MS + packet_ms)
        waits_ms = [rtt - empty_ms for rtt in full if rtt is not None]
        errors_ms = [rtt - empty_ms for rtt in unrelated if rtt is not None]
        if not waits_ms or not errors_ms:
            raise MeasurementError("no ping came back")
        return Waited(
            queue_packets=self.queue_packets,
            expected_ms=self.queue_packets * packet_ms,
            measured_ms=float(np.mean(waits_ms)),
            unrelated_sent=self.pings,
            unrelated_received=len(errors_ms),
            unrelated_error_ms=float(np.mean(errors_ms)),
        )
