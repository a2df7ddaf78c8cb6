"""How far the round trip time of a link is from twice its configured delay."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import msgspec
import numpy as np

from testbed.reference.errors import MeasurementError
from testbed.reference.iperf import udp_load
from testbed.reference.network import PLAIN, ReferenceNetwork
from testbed.reference.pinger import ping
from topologies.model import LinkShape

_RATE_BPS = 1e9
"""So fast that frames hardly wait for each other: what is measured is the delay."""
_SPACING_S = 0.01
_SETTLE_PINGS = 20


class DelayError(msgspec.Struct, frozen=True, tag="delay-error"):
    """Round trip time less twice the configured delay (a plain link has none)."""

    delay_ms: float
    load_mbps: float
    sent: int
    received: int
    mean_ms: float
    p99_ms: float


class Delay(msgspec.Struct, frozen=True, tag="delay"):
    """Pings every 10 ms, beside `load_mbps` of UDP in one direction (that of the requests)."""

    delay_ms: float
    load_mbps: float
    pings: int

    def describe(self) -> str:
        """What is done, for whoever waits."""
        load = f" beside {self.load_mbps:g} Mbit/s" if self.load_mbps else ""
        return f"round trips over {self.delay_ms:g} ms{load}"

    def carry_out(self, backend: str, logs: Path) -> DelayError:
        """Measure, inside a sandbox.

        Raises:
            MeasurementError: no ping came back, or iperf failed.
        """
        shape = LinkShape(rate_bps=_RATE_BPS, delay_ms=self.delay_ms, queue_packets=1000)
        with ReferenceNetwork(backend, [shape], logs) as network:
            network.make()
            network.part()
            network.settle()
            load = udp_load(network, 0, self.load_mbps * 1e6) if self.load_mbps else nullcontext()
            with load:
                ping([network.address(0)], _SETTLE_PINGS, _SPACING_S)
                (rtts_ms,) = ping([network.address(0)], self.pings, _SPACING_S)
        received = np.array([rtt for rtt in rtts_ms if rtt is not None])
        if not received.size:
            raise MeasurementError("no ping came back")
        errors_ms = received - (0.0 if backend == PLAIN else 2 * self.delay_ms)
        return DelayError(
            delay_ms=self.delay_ms,
            load_mbps=self.load_mbps,
            sent=self.pings,
            received=received.size,
            mean_ms=float(errors_ms.mean()),
            p99_ms=float(np.percentile(errors_ms, 99)),
        )
