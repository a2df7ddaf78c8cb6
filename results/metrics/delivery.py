"""How much of what was sent arrived: error rate and goodput."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from generators.records import Received, Segment
from results.timeline import FloatArray, Window
from testbed.records import ProbeStream
from topologies.model import OdPair

_SAME_TIME_S = 1e-6


@dataclass(frozen=True)
class PacketBalance:
    """Workload packets of a window."""

    sent: float
    received: float
    clients: int
    estimated_clients: int
    """Clients that left no count: what they sent was taken from the rate asked of them."""

    @property
    def error_rate_percent(self) -> float:
        """Packets lost, of those sent."""
        return max(0.0, 100.0 * (1.0 - self.received / self.sent))


def packet_balance(
    segments: Iterable[Segment], workload: Sequence[Received], window: Window
) -> PacketBalance | None:
    """Count the workload's packets; None without a client or a received packet in `window`.

    A client that ran wholly inside the window counts with all it sent and all that arrived of it,
    whenever that was. One that reached over an edge counts with its share of time on both sides,
    iperf spacing its packets evenly.
    """
    arrived_of = _by_client([s for s in segments if not s.attack], workload)
    frame_bytes = _mean_frame_bytes(workload)
    sent = received = 0.0
    clients = estimated = 0
    for segment, records in arrived_of:
        start_s, stop_s = sending_span(segment)
        share = window.share(start_s, stop_s)
        if share == 0.0 or stop_s == start_s or frame_bytes is None:
            continue
        clients += 1
        count: float = segment.sent_packets
        if count < 0:
            estimated += 1
            count = segment.requested_bps * (stop_s - start_s) / 8 / frame_bytes
        sent += share * count
        inside = window.covers(start_s, stop_s)
        received += sum(r.packets * (inside or window.share(r.start_s, r.end_s)) for r in records)
    return PacketBalance(sent, received, clients, estimated) if sent > 0 else None


def sending_span(segment: Segment) -> tuple[float, float]:
    """Return when a client was due to send; what comes late is caught up with.

    At the longest until its host crashed.
    """
    start_s, end_s = segment.start_s, segment.start_s + segment.duration_s
    if segment.host_crashed_s is not None:
        end_s = min(end_s, max(start_s, segment.host_crashed_s))
    return start_s, end_s


def goodput_mbps(workload: Sequence[Received], window: Window) -> float | None:
    """Return the mean rate of the workload at its receivers, in Mbit/s of Ethernet frames."""
    if window.duration_s <= 0 or not workload:
        return None
    return received_bits(workload, window) / window.duration_s / 1e6


def received_bits(received: Iterable[Received], window: Window) -> float:
    """Return the bits that arrived in `window`, spread evenly over each record's interval."""
    return sum(8.0 * r.bytes * window.share(r.start_s, r.end_s) for r in received)


def rates_over_time_bps(received: Iterable[Received], edges_s: FloatArray) -> FloatArray:
    """Return the rate at the receivers between consecutive `edges_s`, summed over all records."""
    lengths_s = np.diff(edges_s)
    bits = np.zeros(len(lengths_s))
    for record in received:
        if record.end_s > record.start_s:
            overlap_s = np.minimum(edges_s[1:], record.end_s)
            overlap_s -= np.maximum(edges_s[:-1], record.start_s)
            rate_bps = 8.0 * record.bytes / (record.end_s - record.start_s)
            bits += rate_bps * np.maximum(overlap_s, 0.0)
    rates: FloatArray = bits / lengths_s
    return rates


def probe_loss_percent(probes: Iterable[ProbeStream], window: Window) -> float | None:
    """Return the share of latency probes of `window` that, or whose echo, did not arrive."""
    lost = [
        backward is None
        for stream in probes
        if stream.purpose == "latency"
        for sent_s, backward in zip(stream.sent_s, stream.backward_ms, strict=True)
        if window.holds(sent_s)
    ]
    return 100.0 * sum(lost) / len(lost) if lost else None


def _by_client(
    segments: Sequence[Segment], workload: Iterable[Received]
) -> list[tuple[Segment, list[Received]]]:
    """Give every record to the last client of its pair that was sending by then."""
    of_pair: dict[OdPair, list[tuple[Segment, list[Received]]]] = {}
    for segment in sorted(segments, key=sending_span):
        of_pair.setdefault(segment.pair, []).append((segment, []))
    starts = {pair: [sending_span(s)[0] for s, _ in clients] for pair, clients in of_pair.items()}
    for record in workload:
        client = bisect_right(starts.get(record.pair, []), record.start_s + _SAME_TIME_S) - 1
        if client >= 0:
            of_pair[record.pair][client][1].append(record)
    return [client for clients in of_pair.values() for client in clients]


def _mean_frame_bytes(workload: Iterable[Received]) -> float | None:
    counts = [(record.bytes, record.packets) for record in workload if record.packets > 0]
    return sum(b for b, _ in counts) / sum(p for _, p in counts) if counts else None
