"""What the testbed measures itself.

Probe streams (`probes.jsonl`), how well the machine carried the lab (`fidelity.jsonl`), what the
links did (`links.jsonl`), and the check of every link and path before the workload (`idle.jsonl`).

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
    host_crashed_s: float | None = None
    """When one of its hosts crashed, as the timeline wanted. The stream ends there; if it was
    `src`, nothing is known of it, since irtt reports at its end."""

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
    switch_cpu_percent: float | None
    """ovs-vswitchd, of one processor; None where there is none."""
    switch_wait_percent: float | None = None
    """Of the time, how long its main thread was ready to run and had no processor; None: not known.
    In the userspace datapath that thread forwards."""


class LinkCounters(msgspec.Struct, frozen=True, kw_only=True):
    """Frames of one direction of a link since the start. None: this backend cannot say."""

    received: int
    """Taken in at the near end."""
    sent: int
    """Given out at the far end, duplicates included."""
    dropped_by_queue: int
    dropped_by_loss: int
    dropped_by_fault: int
    duplicated: int | None = None
    corrupted: int | None = None
    queue_high_water_packets: int | None = None
    """The most that ever waited at once."""
    dropped_by_class: tuple[int, int, int] | None = None
    """Of `dropped_by_queue`: network control, expedited, best effort. None: there is one queue, or
    this backend cannot say."""


class LinksSample(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `links.jsonl`: all links, a to b and then b to a, in the topology's order."""

    t_s: float
    counters: tuple[LinkCounters, ...]


class IdleLink(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="link"):
    """One direction of a link before the workload: numbered frames sent over it one by one."""

    src: str
    dst: str
    configured_ms: float
    """Propagation delay and transmission time of such a frame."""
    measured_ms: float | None
    """Median one-way delay; None: nothing arrived."""
    jitter_ms: float = 0.0
    """Configured."""
    sent: int
    arrived: int


class IdlePath(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="path"):
    """One OD pair before the workload: a datagram from host to host along its route."""

    src: str
    dst: str
    arrived: bool
    """Whether any datagram did."""
    configured_ms: float
    measured_ms: float | None
    """Median one-way delay; None: nothing arrived, or the pairs are too many to measure all."""
    jitter_ms: float = 0.0
    """Configured, of all its links together."""


IdleCheck = IdleLink | IdlePath
