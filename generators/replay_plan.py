"""From a traffic schedule to the iperf clients that carry it out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count, pairwise
from math import inf

from generators.iperf import FEWEST_PACKETS, Sending, sending
from generators.schedule import FloatArray, Schedule

LEAD_S = 1.0
"""How long before its due time a client is started.

Its first datagram leaves at once, so that the flow is known at the server when the rest begins.
"""

_SETTLE_S = 1.5
"""How long after a client's end its server may still be busy with the flow's last packets."""

_PHASE_SPREAD_S = 0.1
"""A step's clients begin spread over this time: packets in step would fill queues by themselves."""

_GOLDEN_RATIO = 0.6180339887498949
"""Its multiples, modulo 1, are spread evenly however many there are."""


@dataclass(frozen=True)
class PlannedSegment:
    """One client to be: a pair sending at one rate. Times count from the schedule's start."""

    source: str
    target: str
    attack: bool
    rate_bps: float
    start_s: float
    duration_s: float
    lane: int = 0
    """Which of the target's servers it uses. iperf 2.1 frees the sums it keeps per client address
    when that address's last flow ends, though the next flow may hold them already, and then hangs:
    so the flows of a pair must not follow one another at one server."""

    @cached_property
    def sending(self) -> Sending:
        """Its packets."""
        return sending(self.rate_bps, self.duration_s)


def plan(schedule: Schedule, cuts_s: Sequence[float] = ()) -> list[PlannedSegment]:
    """The clients that carry out `schedule`, in order of their start.

    A pair gets a new client only where its rate changes, and at `cuts_s`, so that what was sent
    in a measured window can be told apart. Clients of a pair begin up to 0.1 s after the step,
    by a phase of the pair's own; floods begin with it. A run that comes to fewer than four of
    the smallest packets (170 bytes on the wire) is left out: iperf cannot send it.
    """
    hosts = range(len(schedule.hosts))
    pairs = [(i, j) for i in hosts for j in hosts if i != j]
    segments = [
        PlannedSegment(
            source=schedule.hosts[i],
            target=schedule.hosts[j],
            attack=False,
            rate_bps=rate_bps,
            start_s=start_s + number * _GOLDEN_RATIO % 1 * _PHASE_SPREAD_S,
            duration_s=end_s - start_s,
        )
        for number, (i, j) in enumerate(pairs)
        for start_s, end_s, rate_bps in _runs(
            schedule.matrices_bps[:, i, j], schedule.interval_s, cuts_s
        )
    ] + [
        PlannedSegment(flood.source, flood.victim, True, rate_bps, start_s, end_s - start_s)
        for flood in schedule.floods
        for start_s, end_s, rate_bps in _runs(flood.rates_bps, schedule.interval_s, cuts_s)
    ]
    sendable = (segment for segment in segments if segment.sending.packets >= FEWEST_PACKETS)
    return list(_with_lanes(sorted(sendable, key=lambda segment: segment.start_s)))


def _with_lanes(segments: Sequence[PlannedSegment]) -> Iterator[PlannedSegment]:
    """Give each segment the first lane in which its pair has been silent long enough."""
    free_at_s: dict[tuple[str, str, bool, int], float] = {}
    for segment in segments:
        for lane in count():
            key = (segment.source, segment.target, segment.attack, lane)
            if free_at_s.get(key, -inf) <= segment.start_s - LEAD_S:
                break
        free_at_s[key] = segment.start_s + segment.duration_s + _SETTLE_S
        yield replace(segment, lane=lane)


def _runs(
    rates_bps: FloatArray, interval_s: float, cuts_s: Sequence[float]
) -> Iterator[tuple[float, float, float]]:
    """(start, end, rate) of each stretch of one rate above zero, split at `cuts_s`."""
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
            yield start, end, rate_bps
