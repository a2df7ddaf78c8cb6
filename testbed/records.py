"""What the testbed measures itself: probe streams (`probes.jsonl`) and fidelity (`fidelity.jsonl`).

Times are seconds of CLOCK_MONOTONIC.
"""

from __future__ import annotations

import msgspec

from topologies.model import OdPair


class ProbeStream(msgspec.Struct, frozen=True, kw_only=True):
    """One irtt stream: packets sent from `src` every `spacing_ms`, each echoed by `dst`.

    The lists run in parallel, one entry per packet sent. A delay is None when that packet (or
    its echo) did not arrive.
    """

    src: str
    dst: str
    purpose: str
    """"latency" (sparse, for delay statistics) or "outage" (dense, for holes)."""
    spacing_ms: float
    sent_s: tuple[float, ...]
    forward_ms: tuple[float | None, ...]
    backward_ms: tuple[float | None, ...]

    @property
    def pair(self) -> OdPair:
        """Origin and destination."""
        return self.src, self.dst


class FidelitySample(msgspec.Struct, frozen=True, kw_only=True):
    """How well the machine carried the lab over the last second."""

    t_s: float
    cpu_percent: float
    """All processors together, 100 meaning all of them saturated."""
    lateness_p99_ms: float
    """How late the link daemon released frames (0 where the kernel does it)."""
    daemon_cpu_percent: float
    """Of one processor."""
    switch_cpu_percent: float
    """ovs-vswitchd, of one processor."""
