"""How long it takes to make many links."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from testbed.reference.network import ReferenceNetwork
from topologies.model import LinkShape

_SHAPE = LinkShape(rate_bps=10e6, delay_ms=5.0)


class Started(msgspec.Struct, frozen=True, tag="started"):
    """How long it took."""

    links: int
    make_s: float
    """Both ends made, up, in this namespace; the start of the link daemon included."""
    shape_s: float
    """Rate, delay and queue put in force."""

    @property
    def seconds(self) -> float:
        """In all."""
        return self.make_s + self.shape_s


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
            made_s = time.monotonic()
            network.shape()
            return Started(self.links, made_s - start_s, time.monotonic() - made_s)
