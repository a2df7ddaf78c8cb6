"""A network of tail-drop queues, packet by packet: what constant-rate senders lead to, exactly."""

from __future__ import annotations

import heapq
from collections import deque

import numpy as np

from topologies.model import Routing
from twin.indexing import FloatArray, Indexing
from twin.samples import Sample


def simulate(
    indexing: Indexing,
    routing: Routing,
    od_bps: FloatArray,
    random: np.random.Generator,
    number: int = 0,
    network: str = "simulated",
    from_s: float = 2.0,
    until_s: float = 6.0,
    frame_bytes: int = 1442,
) -> Sample:
    """Every pair sends frames at even gaps, in a phase of its own; those of a window count."""
    paths = [indexing.links_of(pair, routing[pair]) for pair in indexing.pairs]
    bits = frame_bytes * 8
    events: list[tuple[float, int, int, float]] = []
    for pair, rate_bps in enumerate(od_bps):
        if rate_bps > 0:
            gap_s = bits / rate_bps
            first_s = float(random.uniform(0, gap_s))
            heapq.heappush(events, (first_s, pair, 0, first_s))
    finishes: list[deque[float]] = [deque() for _ in indexing.directions]
    delays: list[list[float]] = [[] for _ in paths]
    lost = [0] * len(paths)
    while events:
        now_s, pair, hop, sent_s = heapq.heappop(events)
        if hop == 0 and (next_s := sent_s + bits / od_bps[pair]) < until_s:
            heapq.heappush(events, (next_s, pair, 0, next_s))
        counted = sent_s >= from_s
        if hop == len(paths[pair]):
            if counted:
                delays[pair].append(1e3 * (now_s - sent_s))
            continue
        link = paths[pair][hop]
        waiting = finishes[link]
        while waiting and waiting[0] <= now_s:
            waiting.popleft()
        if len(waiting) > indexing.queue_packets[link]:
            lost[pair] += counted
            continue
        finish_s = (waiting[-1] if waiting else now_s) + bits / indexing.rate_bps[link]
        waiting.append(finish_s)
        arrives_s = finish_s + indexing.delay_ms[link] / 1e3
        heapq.heappush(events, (arrives_s, pair, hop + 1, sent_s))
    return Sample(
        network=network,
        number=number,
        load=0.0,
        paths=tuple(routing[pair] for pair in indexing.pairs),
        od_bps=tuple(map(float, od_bps)),
        frame_bytes=(float(frame_bytes),) * len(paths),
        since_s=from_s,
        duration_s=until_s - from_s,
        packets=tuple(map(len, delays)),
        lost=tuple(lost),
        mean_ms=tuple(float(np.mean(some)) if some else None for some in delays),
        p95_ms=tuple(float(np.percentile(some, 95)) if some else None for some in delays),
    )
