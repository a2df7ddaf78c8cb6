"""How much of what was sent arrived: error rate and goodput."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from generators.records import Received, Segment
from results.timeline import FloatArray, Window
from testbed.records import ProbeStream
from topologies.model import OdPair


@dataclass(frozen=True)
class PacketBalance:
    """Workload packets of a window."""

    sent: float
    received: float
    clients: int
    estimated_clients: int
    """Clients that left no count: what they sent was taken from the rate asked of them."""

    @property
    def lost(self) -> float:
        """Packets that did not arrive. Which were under way at an edge of the window is known to
        a packet or so; it is never less than none."""
        return max(0.0, self.sent - self.received)

    @property
    def error_rate_percent(self) -> float:
        """Packets lost, of those sent."""
        return 100.0 * self.lost / self.sent


def packet_balance(
    segments: Iterable[Segment], workload: Sequence[Received], window: Window
) -> PacketBalance | None:
    """Count the workload's datagrams; None without a client or a received packet in `window`.

    A client that ran wholly inside the window counts with all it sent and all that arrived of it,
    whenever that was. One that reached over an edge counts with its share of time on both sides,
    iperf spacing its packets evenly. What arrived was sent a mean latency before.
    """
    datagrams = [s for s in segments if not s.attack and s.transport == "udp"]
    arrived_of = _by_client(datagrams, workload)
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
        received += sum(
            packets * (inside or window.share(*_sent_over(record))) for record, packets in records
        )
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


def tcp_delivered_percent(
    segments: Iterable[Segment], workload: Iterable[Received], window: Window
) -> float | None:
    """Return what arrived of TCP in `window`, of what was asked for; None without any."""
    asked_bits = sum(
        one.requested_bps * window.overlap_s(*sending_span(one))
        for one in segments
        if one.transport == "tcp"
    )
    arrived = (record for record in workload if record.transport == "tcp")
    return 100.0 * received_bits(arrived, window) / asked_bits if asked_bits > 0 else None


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


def _sent_over(record: Received) -> tuple[float, float]:
    late_s = record.latency_mean_ms / 1e3
    return record.start_s - late_s, record.end_s - late_s


def _by_client(
    segments: Sequence[Segment], workload: Iterable[Received]
) -> list[tuple[Segment, list[tuple[Received, float]]]]:
    """Give the packets of every record to the clients of its pair that sent them.

    A client sends until the next one of its pair does, and the first has no one before it. What a
    record holds of two of them is told by their rates.
    """
    of_pair: dict[OdPair, list[tuple[Segment, list[tuple[Received, float]]]]] = {}
    for segment in sorted(segments, key=sending_span):
        of_pair.setdefault(segment.pair, []).append((segment, []))
    turns = {
        pair: [-math.inf, *(sending_span(segment)[0] for segment, _ in clients[1:]), math.inf]
        for pair, clients in of_pair.items()
    }
    for record in workload:
        starts_s, sent = turns.get(record.pair, []), _sent_over(record)
        numbers = _turns_over(starts_s, *sent)
        spans_s = (Window(*starts_s[n : n + 2]).overlap_s(*sent) for n in numbers)
        clients = [of_pair[record.pair][number] for number in numbers]
        asked = [s * one.requested_bps for s, (one, _) in zip(spans_s, clients, strict=True)]
        for (_, records), bits in zip(clients, asked, strict=True):
            share = bits / sum(asked) if sum(asked) > 0 else 1 / len(asked)
            records.append((record, share * record.packets))
    return [client for clients in of_pair.values() for client in clients]


def _turns_over(starts_s: Sequence[float], start_s: float, end_s: float) -> range:
    """Which of the turns that begin at `starts_s` a span touches."""
    first = bisect_right(starts_s, start_s) - 1
    return range(first, max(first + 1, bisect_left(starts_s, end_s))) if starts_s else range(0)


def _mean_frame_bytes(workload: Iterable[Received]) -> float | None:
    counts = [(record.bytes, record.packets) for record in workload if record.packets > 0]
    return sum(b for b, _ in counts) / sum(p for _, p in counts) if counts else None
