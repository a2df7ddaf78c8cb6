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
    schedule: Schedule, start_s: float, workload: Sequence[Received], window: Window
) -> float | None:
    """Return sum |requested - received| / sum requested, over pairs and intervals of the schedule.

    Of the intervals wholly inside `window`. What the network lost counts as error too.
    """
    edges_s = _edges_s(schedule, start_s)
    steps = [i for i, (a, b) in enumerate(pairwise(edges_s)) if window.covers(a, b)]
    if not steps or not workload:
        return None
    index = {host: position for position, host in enumerate(schedule.hosts)}
    received = np.zeros_like(schedule.matrices_bps)
    records: dict[OdPair, list[Received]] = {}
    for record in workload:
        records.setdefault(record.pair, []).append(record)
    for (source, target), of_pair in records.items():
        received[:, index[source], index[target]] = rates_over_time_bps(of_pair, edges_s)
    error = wape(received[steps], schedule.matrices_bps[steps])
    return None if error is None else 100.0 * error


def sent_percent(segments: Iterable[Segment], window: Window) -> float | None:
    """Return what the workload's UDP clients sent, of what they were asked to send.

    Of those that ran in `window` and left a count; in bits. TCP may send less: it gives way.
    """
    requested = sent = 0.0
    for segment in segments:
        share = window.share(*sending_span(segment))
        elastic = segment.transport == "tcp"
        if segment.attack or elastic or segment.sent_packets < 0 or share == 0.0:
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
