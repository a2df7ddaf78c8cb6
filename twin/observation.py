"""One second of the network, as it was measured and as the model explains it."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from topologies.model import OdPair
from twin.indexing import BoolArray, FloatArray
from twin.matrix import mean_matrix_bps
from twin.mirror import FLOW_LAG_S, Mirror
from twin.model import FRAME_BITS, PerformanceModel, Prediction
from twin.probes import LinkProbes

LOOK_S = 1.0
"""Length of what is looked at."""

_TOLD_S = 1.0  # a probe is told of with the next one, a second after it went out
_LAG_S = _TOLD_S + FLOW_LAG_S  # by then all counters have come too
_STANDING_S = 3.0  # probes over full queues are often lost: so far back they are looked for
_LEAST_S = 5.0  # the least of so many probes has met no queue, on a link that is not full
_SETTLE_S = 0.25  # after a change of routes, before the loads are those of the new routes
_STANDING = 0.25  # of a full queue: so much waiting is a queue that does not drain


@dataclass(frozen=True)
class Observation:
    """What happened on every core link over [start_s, end_s). Arrays are (core links,).

    NaN is what is not known: of a switch that was silent, that started again, or answered late.
    """

    start_s: float
    end_s: float
    sent_bps: FloatArray
    """Handed to the link, whatever became of it."""
    loss: FloatArray
    """Share of the packets sent that did not arrive."""
    counted_loss: FloatArray
    """The same, below zero where some of the second before arrived: to be summed up."""
    delay_ms: FloatArray
    """Of the controller's probes."""
    least_delay_ms: FloatArray
    """Of the last few probes."""
    probes_lost: FloatArray
    """Share of the probes that did not come."""
    standing: BoolArray
    """Whether the probes have met a queue that does not drain; False where there were none."""
    down: BoolArray
    predicted: Prediction | None
    """By the model, of the traffic and routes of the time; None if either changed or is unknown."""

    @property
    def arrived_bps(self) -> FloatArray:
        """What came out at the far end."""
        return self.sent_bps * (1 - self.loss)


class Observer:
    """Looks at the network, one second after the other, as soon as its counters are complete."""

    def __init__(self, model: PerformanceModel, probes: LinkProbes) -> None:
        self._model = model
        self._probes = probes
        self._end_s: float | None = None

    def look(
        self,
        mirror: Mirror,
        now_s: float,
        routes_changed_s: float,
        dropped: Collection[OdPair],
    ) -> Observation | None:
        """The last complete second, once; None if there is none yet."""
        end_s = math.floor((now_s - _LAG_S) / LOOK_S) * LOOK_S
        if self._end_s is None:
            self._end_s = end_s  # what came before may have been another twin's, or nobody's
        if end_s <= self._end_s:
            return None
        self._end_s = end_s
        start_s = end_s - LOOK_S
        cores = slice(self._model.indexing.cores)
        sent_bps = mirror.mean_sent_bps(start_s, end_s)[cores]
        counted_loss = mirror.counted_loss(start_s, end_s)[cores]
        loss = np.clip(counted_loss, 0.0, 1.0)
        told_s = end_s + _TOLD_S
        delay_ms = self._probes.delay_ms(told_s - LOOK_S, told_s)[cores]
        lately_ms = self._probes.delay_ms(told_s - _STANDING_S, told_s)[cores]
        down = np.array([link in mirror.down for link in mirror.indexing.directions[cores]])
        steady = routes_changed_s < start_s - _SETTLE_S and not down.any() and not dropped
        return Observation(
            start_s=start_s,
            end_s=end_s,
            sent_bps=sent_bps,
            loss=loss,
            counted_loss=counted_loss,
            delay_ms=delay_ms,
            least_delay_ms=self._probes.delay_ms(told_s - _LEAST_S, told_s)[cores],
            probes_lost=self._probes.lost(told_s - LOOK_S, told_s)[cores],
            standing=self._standing(sent_bps * (1 - loss), lately_ms),
            down=down,
            predicted=self._prediction(mirror, start_s, end_s) if steady else None,
        )

    def _standing(self, arrived_bps: FloatArray, delay_ms: FloatArray) -> BoolArray:
        indexing = self._model.indexing
        cores = slice(indexing.cores)
        full_bits = indexing.queue_packets[cores] * FRAME_BITS
        waited_ms = delay_ms - indexing.delay_ms[cores]
        # A queue drains at the rate at which packets come out: no rate has to be known for that.
        return np.nan_to_num(waited_ms * arrived_bps / 1e3) >= _STANDING * full_bits

    def _prediction(self, mirror: Mirror, start_s: float, end_s: float) -> Prediction | None:
        od_bps = mean_matrix_bps(mirror, start_s, end_s, ())
        if np.isnan(od_bps).any():
            return None
        return self._model.predict(dict(mirror.routing), od_bps)
