"""The performance model: what a routing does to a traffic matrix on the network as it is.

Every link is a finite queue (queueing.py). A full queue thins the traffic that goes on, so loads
and losses are a fixed point, found by a few rounds of substitution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from topologies.model import Routing
from twin.indexing import FloatArray, Indexing, IntArray
from twin.queueing import loss_fraction, waiting_packets

_ROUNDS = 6  # the loads of the Abilene network settle to 0.1 % in four
FRAME_BITS = 1442 * 8.0
"""A replayed frame: 1400 bytes of UDP payload and its headers."""


@dataclass(frozen=True)
class Correction:
    """What the feedback loop has learnt about this network (see calibration.py)."""

    load_gain: float = 1.0
    """Measured link load over the load that the OD counters explain."""
    variance: float = 0.3
    """Squared coefficient of variation of the arrivals at a queue (1: Poisson)."""


@dataclass(frozen=True)
class Prediction:
    """A state of the network. Arrays per link follow `Indexing.directions`, core links first."""

    offered_bps: FloatArray
    """(links,) what reaches each queue."""
    utilisation: FloatArray
    """(links,) offered load over rate: above 1 is overload."""
    link_delay_ms: FloatArray
    """(links,) waiting, transmission and propagation."""
    link_loss: FloatArray
    """(links,) share of the offered packets."""
    od_delay_ms: FloatArray
    """(pairs,) mean one-way delay, host to host; NaN where there is no route."""
    od_loss: FloatArray
    """(pairs,) share of the packets; 1 where there is no route."""
    max_utilisation: float
    """Over core links."""
    mean_delay_ms: float
    """Mean over the pairs, weighted by what they send; 0 when nothing is sent."""


class PerformanceModel:
    """Predicts load, delay and loss of every link and pair, for one topology."""

    def __init__(self, indexing: Indexing) -> None:
        self.indexing = indexing
        self.correction = Correction()

    def predict(self, routing: Routing, od_bps: FloatArray) -> Prediction:
        """Predict the steady state under `routing` when the pairs send `od_bps` (pairs,)."""
        ix = self.indexing
        hops = ix.hops(routing)
        sent = od_bps * self.correction.load_gain
        loss = np.append(ix.loss, 0.0)  # the filler link loses nothing
        offered = self._offered(hops, sent, loss)
        for _ in range(_ROUNDS):
            full = loss_fraction(offered / ix.rate_bps, self.correction.variance, ix.queue_packets)
            loss[:-1] = 1 - (1 - full) * (1 - ix.loss)
            offered = self._offered(hops, sent, loss)
        load = offered / ix.rate_bps
        waiting = waiting_packets(load, self.correction.variance, ix.queue_packets)
        delay = ix.delay_ms + (waiting + 1) * FRAME_BITS / ix.rate_bps * 1e3
        return self._summarise(hops, sent, offered, delay, loss[:-1])

    def path_delay_ms(self, routing: Routing, link_delay_ms: FloatArray) -> FloatArray:
        """Sum link delays (links,) over the route of every pair; NaN where there is no route."""
        return _sum_over_hops(self.indexing.hops(routing), link_delay_ms)

    def _offered(self, hops: IntArray, sent: FloatArray, loss: FloatArray) -> FloatArray:
        kept = 1 - loss[hops]
        arriving = np.cumprod(np.hstack([np.ones((len(hops), 1)), kept[:, :-1]]), axis=1)
        weights = (sent[:, None] * arriving).ravel()
        links = len(self.indexing.directions)
        return np.asarray(np.bincount(hops.ravel(), weights, links + 1)[:links], dtype=np.float64)

    def _summarise(
        self,
        hops: IntArray,
        sent: FloatArray,
        offered: FloatArray,
        delay: FloatArray,
        loss: FloatArray,
    ) -> Prediction:
        ix = self.indexing
        od_delay = _sum_over_hops(hops, delay)
        od_loss = 1 - np.prod(1 - np.append(loss, 0.0)[hops], axis=1)
        routed = ~np.isnan(od_delay)
        carried = sent[routed]
        total = carried.sum()
        utilisation = offered / ix.rate_bps
        return Prediction(
            offered_bps=offered,
            utilisation=utilisation,
            link_delay_ms=delay,
            link_loss=loss,
            od_delay_ms=od_delay,
            od_loss=np.where(routed, od_loss, 1.0),
            max_utilisation=float(utilisation[: ix.cores].max(initial=0.0)),
            mean_delay_ms=float(carried @ od_delay[routed] / total) if total else 0.0,
        )


def _sum_over_hops(hops: IntArray, link_values: FloatArray) -> FloatArray:
    total = np.append(link_values, 0.0)[hops].sum(axis=1)
    unrouted = (hops == len(link_values)).all(axis=1)
    return np.asarray(np.where(unrouted, np.nan, total))
