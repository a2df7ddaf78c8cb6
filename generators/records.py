"""What the replay measures (`traffic.jsonl` of the run directory), one record per line.

Times are seconds of CLOCK_MONOTONIC. Bytes and rates count whole Ethernet frames.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from topologies.model import OdPair

Transport = Literal["udp", "tcp"]


class Segment(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="segment"):
    """A pair sending at one rate over one or more intervals of the schedule.

    `sent_packets` is what its iperf client was handed and has sent by itself; -1 when the client
    was ended early or failed, with the reason in `error`. Of TCP, which takes no more than it gets
    through, a packet is a write of the size that suits the pair.
    """

    src: str
    dst: str
    attack: bool
    requested_bps: float
    start_s: float
    """When it was due to start."""
    started_s: float
    """When it did: as late as its first packet was."""
    duration_s: float
    sent_packets: int
    sent_bytes: int
    error: str = ""
    transport: Transport = "udp"
    host_crashed_s: float | None = None
    """When its own host had crashed, and the client with it, or before it could start. That is
    what the timeline wanted, and no fault of the run's."""

    @property
    def pair(self) -> OdPair:
        """Origin and destination."""
        return self.src, self.dst


class Received(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="received"):
    """What an iperf server got of one client over [start_s, end_s).

    `latency_counts` is a histogram of one-way delays (`--trip-times`): index i counts packets
    with a delay in [i, i + 1) * `latency_bin_ms`, sparse as (index, count) pairs. TCP tells no
    delays and loses nothing; its packets are writes, and its bytes those of a frame for each.
    """

    src: str
    dst: str
    attack: bool
    start_s: float
    end_s: float
    packets: int
    bytes: int
    lost_packets: int
    latency_mean_ms: float
    latency_bin_ms: float
    latency_counts: tuple[tuple[int, int], ...]
    transport: Transport = "udp"

    @property
    def pair(self) -> OdPair:
        """Origin and destination."""
        return self.src, self.dst


TrafficRecord = Segment | Received
