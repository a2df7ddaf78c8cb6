"""From a traffic schedule to streams of packets, one for every OD pair, each due at its instant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import floor

from generators.iperf import (
    FEWEST_PACKETS,
    FRAME_OVERHEAD_BYTES,
    TCP_FRAME_OVERHEAD_BYTES,
    suitable_payload_bytes,
)
from generators.records import Transport
from generators.schedule import FloatArray, Schedule
from topologies.model import OdPair

_GOLDEN_RATIO = 0.6180339887498949
"""Its multiples, modulo 1, are spread evenly however many there are."""


@dataclass(frozen=True)
class PlannedSegment:
    """A stretch of one rate. Times count from the schedule's start."""

    rate_bps: float
    start_s: float
    duration_s: float

    @property
    def end_s(self) -> float:
        """When the next one may begin."""
        return self.start_s + self.duration_s


@dataclass(frozen=True)
class Stream:
    """What one pair, or one source of a flood, sends: packets of one size at changing rates."""

    source: str
    target: str
    attack: bool
    segments: tuple[PlannedSegment, ...]
    phase: float = 0.0
    """In [0, 1): how much of the first packet is behind at the start. Streams in step would fill
    queues by themselves."""
    transport: Transport = "udp"

    @cached_property
    def payload_bytes(self) -> int:
        """Of each packet: what suits the mean rate."""
        lasting_s = sum(segment.duration_s for segment in self.segments)
        return suitable_payload_bytes(self._bits / lasting_s)

    @property
    def frame_bytes(self) -> int:
        """Size of a packet on the wire."""
        is_tcp = self.transport == "tcp"
        return self.payload_bytes + (TCP_FRAME_OVERHEAD_BYTES if is_tcp else FRAME_OVERHEAD_BYTES)

    @property
    def start_s(self) -> float:
        """When the first segment starts."""
        return self.segments[0].start_s

    @property
    def end_s(self) -> float:
        """When the last segment ends."""
        return self.segments[-1].end_s

    @property
    def peak_bps(self) -> float:
        """The highest rate."""
        return max(segment.rate_bps for segment in self.segments)

    @property
    def packets(self) -> int:
        """How many there are."""
        return sum(count for *_, count in self._shares())

    @property
    def _bits(self) -> float:
        return sum(segment.rate_bps * segment.duration_s for segment in self.segments)

    def due(self) -> Iterator[tuple[int, float]]:
        """Every packet, as the number of its segment and when it is due.

        A packet is due when as much has been asked for as it is long. What a segment leaves of
        one is carried over to the next, so that after any time the stream is right to a packet,
        however low its rates are.
        """
        for number, (segment, level, count) in enumerate(self._shares()):
            packets_per_s = segment.rate_bps / (8 * self.frame_bytes)
            for packet in range(1, count + 1):
                yield number, segment.start_s + (packet - level) / packets_per_s

    def _shares(self) -> Iterator[tuple[PlannedSegment, float, int]]:
        """Each segment, what there is of a packet when it begins, and how many become whole."""
        level = self.phase
        for segment in self.segments:
            level_after = level + segment.rate_bps * segment.duration_s / (8 * self.frame_bytes)
            yield segment, level, floor(level_after)
            level = level_after % 1


def plan(schedule: Schedule, cuts_s: Sequence[float] = ()) -> list[Stream]:
    """The streams that carry out `schedule`, in order of their start.

    A segment ends where the rate changes, and at `cuts_s`, so that what was sent in a measured
    window can be told apart. Floods are streams of their own. A stream of less than two packets is
    left out: iperf cannot send it.
    """
    hosts = range(len(schedule.hosts))
    pairs = [(i, j) for i in hosts for j in hosts if i != j]
    every = [
        (schedule.hosts[i], schedule.hosts[j], False, schedule.matrices_bps[:, i, j])
        for i, j in pairs
    ] + [(flood.source, flood.victim, True, flood.rates_bps) for flood in schedule.floods]

    def transport(pair: OdPair, attack: bool) -> Transport:
        return "tcp" if pair in schedule.tcp_pairs and not attack else "udp"

    streams = [
        Stream(
            source,
            target,
            attack,
            segments,
            number * _GOLDEN_RATIO % 1,
            transport((source, target), attack),
        )
        for number, (source, target, attack, rates_bps) in enumerate(every)
        if (segments := tuple(_segments(rates_bps, schedule.interval_s, cuts_s)))
    ]
    sendable = (stream for stream in streams if stream.packets >= FEWEST_PACKETS)
    return sorted(sendable, key=lambda stream: stream.start_s)


def _segments(
    rates_bps: FloatArray, interval_s: float, cuts_s: Sequence[float]
) -> Iterator[PlannedSegment]:
    """Each stretch of one rate above zero, split at `cuts_s`."""
    end_s = len(rates_bps) * interval_s
    changes = {
        step * interval_s
        for step in range(1, len(rates_bps))
        if rates_bps[step] != rates_bps[step - 1]
    }
    edges = sorted({0.0, end_s} | changes | {cut for cut in cuts_s if 0 < cut < end_s})
    for start, end in pairwise(edges):
        rate_bps = float(rates_bps[int((start + end) / 2 / interval_s)])
        if rate_bps > 0:
            yield PlannedSegment(rate_bps, start, end - start)
