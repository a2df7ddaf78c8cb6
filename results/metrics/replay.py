"""Whether the traffic that was asked for is the traffic that was there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from generators.records import Received, Segment
from generators.schedule import Schedule
from results.metrics.delivery import rates_over_time_bps, sending_span
from results.metrics.prediction import wape
from results.timeline import FloatArray, Window
from topologies.model import OdPair


def replay_wape_percent(
    schedule: Schedule,
    start_s: float,
    segments: Iterable[Segment],
    workload: Sequence[Received],
    window: Window,
) -> float | None:
    """Return sum |requested - received| / sum requested, over pairs and intervals of the schedule.

    Of the intervals wholly inside `window`. The clients of a pair begin a little after the step,
    by a phase of the pair's own: its intervals are shifted by it. What the network lost counts as
    error too.
    """
    edges_s = _edges_s(schedule, start_s)
    steps = [i for i, (a, b) in enumerate(pairwise(edges_s)) if window.covers(a, b)]
    if not steps or not workload:
        return None
    index = {host: position for position, host in enumerate(schedule.hosts)}
    received = np.zeros_like(schedule.matrices_bps)
    phases_s = {s.pair: _phase_s(s, start_s, schedule.interval_s) for s in segments if not s.attack}
    records: dict[OdPair, list[Received]] = {}
    for record in workload:
        records.setdefault(record.pair, []).append(record)
    for pair, of_pair in records.items():
        rates_bps = rates_over_time_bps(of_pair, edges_s + phases_s.get(pair, 0.0))
        received[:, index[pair[0]], index[pair[1]]] = rates_bps
    error = wape(received[steps], schedule.matrices_bps[steps])
    return None if error is None else 100.0 * error


def sent_percent(segments: Iterable[Segment], window: Window) -> float | None:
    """Return what the workload's clients sent, of what they were asked to send.

    Of the clients that ran in `window` and left a count; in bits.
    """
    requested = sent = 0.0
    for segment in segments:
        share = window.share(*sending_span(segment))
        if segment.attack or segment.sent_packets < 0 or share == 0.0:
            continue
        requested += share * segment.requested_bps * segment.duration_s
        sent += share * 8.0 * segment.sent_bytes
    return 100.0 * sent / requested if requested > 0 else None


def requested_over_time_bps(schedule: Schedule, start_s: float, edges_s: FloatArray) -> FloatArray:
    """Return the rate asked of the whole workload between consecutive `edges_s`."""
    totals_bps = schedule.matrices_bps.sum(axis=(1, 2))
    bits = np.concatenate([[0.0], (totals_bps * schedule.interval_s).cumsum()])
    rates: FloatArray = np.diff(np.interp(edges_s, _edges_s(schedule, start_s), bits)) / np.diff(
        edges_s
    )
    return rates


def _edges_s(schedule: Schedule, start_s: float) -> FloatArray:
    return start_s + schedule.interval_s * np.arange(schedule.steps + 1, dtype=np.float64)


def _phase_s(segment: Segment, start_s: float, interval_s: float) -> float:
    return round(segment.start_s - start_s, 6) % interval_s
