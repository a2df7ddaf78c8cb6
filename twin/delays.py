"""The delay that queues imposed lately, from port counters alone, and what the machine added.

Below saturation waiting is random, and the queueing formula tells its mean. Near saturation and
above it a stationary formula says little: queues build up and drain, and behind another saturated
link packets arrive so evenly that they hardly wait. There the counters at both ends of a link tell:
what was sent and has not arrived is queued, under way, or lost. They do not tell service classes
apart: what is queued is shared out as the performance model says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from topologies.model import OdPair, Way, Ways
from twin.indexing import FloatArray
from twin.mirror import Mirror
from twin.model import FRAME_BITS, PerformanceModel
from twin.queueing import waiting_packets

SAMPLE_S = 0.25
"""Between looks at the queues."""

_LAG_S = 0.5  # looks are taken so far back that both ends have been polled since
_LOAD_WINDOW_S = 1.0
_FRAME_WINDOW_S = 5.0
_SATURATED = 0.95  # load from which the counters know better than the formula
_FOLLOW = 0.3  # share by which the reference follows: counters are read some milliseconds apart


@dataclass(frozen=True)
class _Look:
    t_s: float
    waiting_ms: FloatArray
    """(classes, links)"""


@dataclass(frozen=True)
class _Epoch:
    start_s: float
    routing: dict[OdPair, Way]


class DelayTracker:
    """Follows the queue of every link."""

    def __init__(self, model: PerformanceModel, keep_s: float) -> None:
        self._model = model
        self._keep_s = keep_s
        self._looks: list[_Look] = []
        self._epochs: list[_Epoch] = []
        self._empty_bits = np.full(len(model.indexing.directions), np.nan)
        """What has not arrived when the queue is empty: all that was ever lost."""
        self._next_s: float | None = None

    def advance(self, mirror: Mirror, now_s: float, od_bps: FloatArray) -> None:
        """Take in what has been counted since the last call, and the routes.

        `od_bps` (pairs,) is what each pair sends, gaps filled: links that nobody counts are taken
        to carry what it puts on them.
        """
        if self._next_s is None:
            self._next_s = math.ceil(now_s / SAMPLE_S) * SAMPLE_S
        frame_bits = mirror.frame_bits(now_s, _FRAME_WINDOW_S)
        frame_bits = np.where(np.isnan(frame_bits), FRAME_BITS, frame_bits)
        variance = self._model.variance(mirror.routing, od_bps)
        of_classes = self._model.class_waits(mirror.routing, od_bps)
        while self._next_s <= now_s - _LAG_S:
            counted_bps = mirror.mean_sent_bps(self._next_s - _LOAD_WINDOW_S, self._next_s)
            outstanding_bits = mirror.outstanding_bits(self._next_s)
            waiting_ms = self._look(
                self._sent_bps(mirror.routing, od_bps, counted_bps, outstanding_bits),
                np.where(np.isnan(counted_bps), np.nan, outstanding_bits),
                frame_bits,
                variance,
                of_classes,
            )
            self._looks.append(_Look(self._next_s, waiting_ms))
            self._next_s += SAMPLE_S
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

    def _sent_bps(
        self,
        routing: Ways,
        od_bps: FloatArray,
        counted_bps: FloatArray,
        outstanding_bits: FloatArray,
    ) -> FloatArray:
        """(links,) as counted; by what the pairs send where nobody counts, and where the far end
        alone does, at which no more arrives than a full link carries."""
        full = counted_bps >= _SATURATED * self._model.rate_bps
        at_least_bps = np.where(np.isnan(outstanding_bits) & full, counted_bps, np.nan)
        unknown = np.isnan(counted_bps) | np.isfinite(at_least_bps)
        if not unknown.any():
            return counted_bps
        put_on_bps = self._model.predict(routing, od_bps).offered_bps
        return np.where(unknown, np.fmax(put_on_bps, at_least_bps), counted_bps)

    def _look(
        self,
        sent_bps: FloatArray,
        outstanding_bits: FloatArray,
        frame_bits: FloatArray,
        variance: FloatArray,
        of_classes: FloatArray,
    ) -> FloatArray:
        """(classes, links) waiting at one instant, with what the machine adds."""
        indexing = self._model.indexing
        rate_bps = self._model.rate_bps
        formula_bits = frame_bits * waiting_packets(
            sent_bps / rate_bps, variance, indexing.queue_packets
        )
        waiting_bits = of_classes * self._corrected(
            sent_bps, outstanding_bits, formula_bits, frame_bits
        )
        # One frame more than the queue alone: its own transmission, or for a small packet that of
        # another, since senders emit in clumps (so measured, at several rates).
        waiting_ms = (waiting_bits + frame_bits) / rate_bps * 1e3
        frames_per_s = np.minimum(sent_bps, rate_bps).sum() / FRAME_BITS
        return np.asarray(waiting_ms + self._model.machine_ms(frames_per_s))

    def _corrected(
        self,
        sent_bps: FloatArray,
        outstanding_bits: FloatArray,
        formula_bits: FloatArray,
        frame_bits: FloatArray,
    ) -> FloatArray:
        """(links,) in the queues: as counted on saturated links with counters at both ends."""
        indexing = self._model.indexing
        room_bits = indexing.queue_packets * frame_bits
        rate_bps = self._model.rate_bps
        under_way = np.minimum(sent_bps, rate_bps) * indexing.delay_ms / 1e3
        outstanding = outstanding_bits - under_way
        calm = sent_bps < _SATURATED * rate_bps
        excess = outstanding - self._empty_bits
        # On a calm link the formula says what is queued: all else has been lost before.
        lost = np.where(
            calm,
            _FOLLOW * (excess - formula_bits),
            np.maximum(excess - room_bits, 0.0) + _FOLLOW * np.minimum(excess, 0.0),
        )
        # After a gap it is not known what was lost meanwhile: the formula says where to begin.
        begun = outstanding - formula_bits
        self._empty_bits = np.where(np.isnan(excess), begun, self._empty_bits + lost)
        counted = np.clip(outstanding - self._empty_bits, 0.0, room_bits)
        return np.asarray(np.where(calm | np.isnan(counted), formula_bits, counted))

    def _link_delay_ms(self, start_s: float, end_s: float) -> FloatArray:
        """(classes, links)"""
        looks = [look for look in self._looks if start_s < look.t_s <= end_s]
        if not looks and self._looks:  # shorter than the spacing
            looks = [min(self._looks, key=lambda look: abs(look.t_s - end_s))]
        waiting_ms = np.mean([look.waiting_ms for look in looks] or [self._idle_ms()], axis=0)
        return np.asarray(waiting_ms + self._model.indexing.delay_ms)

    def _idle_ms(self) -> FloatArray:
        """(classes, links)"""
        idle_ms = FRAME_BITS / self._model.rate_bps * 1e3 + self._model.machine_ms(np.zeros(1))
        return np.broadcast_to(idle_ms, (self._model.classes, len(idle_ms)))

    def _routing_at(self, t_s: float) -> dict[OdPair, Way]:
        past = [epoch for epoch in self._epochs if epoch.start_s <= t_s]
        return (past[-1] if past else self._epochs[0]).routing

    def _forget(self, before_s: float) -> None:
        self._looks = [look for look in self._looks if look.t_s > before_s]
        while len(self._epochs) > 1 and self._epochs[1].start_s < before_s:
            del self._epochs[0]
