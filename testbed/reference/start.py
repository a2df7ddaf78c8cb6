"""How long it takes to make many links."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from testbed.reference.network import ReferenceNetwork
from topologies.model import LinkShape

_SHAPE = LinkShape(rate_bps=10e6, delay_ms=5.0)


class Started(msgspec.Struct, frozen=True, tag="started"):
    """How long it took until both ends of all were there, up and shaped."""

    links: int
    seconds: float
    """The start of the link daemon included."""


class Start(msgspec.Struct, frozen=True, tag="start"):
    """Make so many links."""

    links: int

    def describe(self) -> str:
        """What is done, for whoever waits."""
        return f"making {self.links} links"

    def carry_out(self, backend: str, logs: Path) -> Started:
        """Measure, inside a sandbox."""
        start_s = time.monotonic()
        with ReferenceNetwork(backend, [_SHAPE] * self.links, logs) as network:
            network.make()
            return Started(self.links, time.monotonic() - start_s)
