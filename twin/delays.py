"""The delay that the queues imposed lately, from port counters alone.

A stationary model knows nothing of queues that build up and drain. So each queue is followed as a
fluid driven by the measured rates, and the random waiting below saturation is put on top.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from topologies.model import OdPair, Path
from twin.indexing import FloatArray, IntArray
from twin.mirror import Mirror
from twin.model import FRAME_BITS, PerformanceModel
from twin.queueing import fluid_backlog, waiting_packets

_SMOOTHING_S = 1.0
_BELOW_SATURATION = 0.97  # the random part grows no further: beyond, the fluid part takes over
_FRAME_WINDOW_S = 5.0


@dataclass(frozen=True)
class _Sample:
    start_s: float
    end_s: float
    links: IntArray
    waiting_ms: FloatArray


@dataclass(frozen=True)
class _Epoch:
    start_s: float
    routing: dict[OdPair, Path]


class DelayTracker:
    """Follows the queue of every link from reading to reading of its switch's counters."""

    def __init__(self, model: PerformanceModel, keep_s: float) -> None:
        self._model = model
        self._keep_s = keep_s
        self._samples: list[_Sample] = []
        self._epochs: list[_Epoch] = []
        links = len(model.indexing.directions)
        self._backlog_bits = np.zeros(links)
        self._smooth_bps = np.zeros(links)
        self._seen_s: dict[str, float] = {}

    def advance(self, mirror: Mirror, now_s: float) -> None:
        """Take in what has been counted since the last call, and the routes."""
        frame_bits = mirror.frame_bits(now_s, _FRAME_WINDOW_S)
        if np.isnan(frame_bits):
            frame_bits = FRAME_BITS
        for switch in (s.name for s in self._model.indexing.topology.switches):
            for start_s, end_s, links, bps in mirror.port_steps(
                switch, self._seen_s.get(switch, -np.inf)
            ):
                waiting_ms = self._follow(links, bps, end_s - start_s, frame_bits)
                self._samples.append(_Sample(start_s, end_s, links, waiting_ms))
            self._seen_s[switch] = mirror.newest_port_s(switch)
        if not self._epochs or self._epochs[-1].routing != mirror.routing:
            self._epochs.append(_Epoch(now_s, dict(mirror.routing)))
        self._forget(now_s - self._keep_s)

    def od_delay_ms(self, start_s: float, end_s: float) -> FloatArray:
        """(pairs,) mean one-way delay over [start_s, end_s), along the routes of the time.

        NaN for a pair that had no route for some of it.
        """
        total = np.zeros(len(self._model.indexing.pairs))
        starts = [start_s, *(e.start_s for e in self._epochs if start_s < e.start_s < end_s)]
        for epoch_start_s, epoch_end_s in zip(starts, [*starts[1:], end_s], strict=True):
            routing = self._routing_at(epoch_start_s)
            link_delay_ms = self._link_delay_ms(epoch_start_s, epoch_end_s)
            share = (epoch_end_s - epoch_start_s) / (end_s - start_s)
            total += share * self._model.path_delay_ms(routing, link_delay_ms)
        return total

    def _follow(
        self, links: IntArray, bps: FloatArray, seconds: float, frame_bits: float
    ) -> FloatArray:
        indexing = self._model.indexing
        rate_bps = indexing.rate_bps[links]
        room = indexing.queue_packets[links]
        self._backlog_bits[links], backlog_bits = fluid_backlog(
            self._backlog_bits[links], bps, rate_bps, room * frame_bits, seconds
        )
        weight = min(1.0, seconds / _SMOOTHING_S)
        self._smooth_bps[links] += weight * (bps - self._smooth_bps[links])
        load = np.minimum(self._smooth_bps[links] / rate_bps, _BELOW_SATURATION)
        random_bits = waiting_packets(load, self._model.correction.variance, room) * frame_bits
        waiting_bits = np.minimum(backlog_bits + random_bits, room * frame_bits)
        # Every frame also waits for its own transmission, busy or not.
        return np.asarray((waiting_bits + frame_bits) / rate_bps * 1e3)

    def _link_delay_ms(self, start_s: float, end_s: float) -> FloatArray:
        indexing = self._model.indexing
        weight = np.zeros(len(indexing.directions))
        total = np.zeros(len(indexing.directions))
        for sample in self._samples:
            overlap_s = min(sample.end_s, end_s) - max(sample.start_s, start_s)
            if overlap_s > 0:
                weight[sample.links] += overlap_s
                total[sample.links] += overlap_s * sample.waiting_ms
        # A host counts nothing: its uplink is taken as idle.
        idle_ms = FRAME_BITS / indexing.rate_bps * 1e3
        waiting_ms = np.divide(total, weight, out=idle_ms, where=weight > 0)
        return np.asarray(waiting_ms + indexing.delay_ms)

    def _routing_at(self, t_s: float) -> dict[OdPair, Path]:
        past = [epoch for epoch in self._epochs if epoch.start_s <= t_s]
        return (past[-1] if past else self._epochs[0]).routing

    def _forget(self, before_s: float) -> None:
        self._samples = [sample for sample in self._samples if sample.end_s > before_s]
        while len(self._epochs) > 1 and self._epochs[1].start_s < before_s:
            del self._epochs[0]
