"""The performance model: what a routing does to a traffic matrix on the network as it is.

Every link is a finite queue (queueing.py). A full queue thins the traffic that goes on, so loads
and losses are a fixed point, found by a few rounds of substitution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from topologies.model import DirectedLink, Ways
from twin.indexing import FloatArray, Indexing
from twin.queueing import loss_fraction, waiting_packets
from twin.routed_pairs import RoutedPairs

_ROUNDS = 6  # the loads of the Abilene network settle to 0.1 % in four
_SETTLED = 1e-6  # change of a link's loss below which a case needs no further round
FRAME_BITS = 1442 * 8.0
"""A replayed frame: 1400 bytes of UDP payload and its headers."""


@dataclass(frozen=True)
class Correction:
    """What the feedback loop has learnt about this network (see calibration.py)."""

    load_gain: float = 1.0
    """Measured link load over the load that the OD counters explain."""
    variance: float = 0.3
    """Squared coefficient of variation of the arrivals at a queue (1: Poisson)."""
    capacity_factor: Mapping[DirectedLink, float] = field(default_factory=dict)
    """What links really carry over what they are configured to (see capacity.py); else 1."""


@dataclass(frozen=True)
class Prediction:
    """A state of the network. Arrays per link follow `Indexing.directions`, core links first."""

    offered_bps: FloatArray
    """(links,) what reaches each queue."""
    utilisation: FloatArray
    """(links,) offered load over believed rate: above 1 is overload."""
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


@dataclass(frozen=True)
class Predictions:
    """The fields of `Prediction`, each with the cases as its first axis."""

    offered_bps: FloatArray
    utilisation: FloatArray
    link_delay_ms: FloatArray
    link_loss: FloatArray
    od_delay_ms: FloatArray
    od_loss: FloatArray
    max_utilisation: FloatArray
    mean_delay_ms: FloatArray

    def __getitem__(self, case: int) -> Prediction:
        """One case."""
        return Prediction(
            offered_bps=self.offered_bps[case],
            utilisation=self.utilisation[case],
            link_delay_ms=self.link_delay_ms[case],
            link_loss=self.link_loss[case],
            od_delay_ms=self.od_delay_ms[case],
            od_loss=self.od_loss[case],
            max_utilisation=float(self.max_utilisation[case]),
            mean_delay_ms=float(self.mean_delay_ms[case]),
        )


class PerformanceModel:
    """Predicts load, delay and loss of every link and pair, for one topology."""

    def __init__(self, indexing: Indexing) -> None:
        self.indexing = indexing
        self.correction = Correction()

    @property
    def rate_bps(self) -> FloatArray:
        """(links,) what each link is believed to carry: what all utilisation is a share of."""
        rates = self.indexing.rate_bps.copy()
        for link, factor in self.correction.capacity_factor.items():
            rates[self.indexing.link[link]] *= factor
        return rates

    def predict(self, routing: Ways, od_bps: FloatArray) -> Prediction:
        """Predict the steady state under `routing` when the pairs send `od_bps` (pairs,)."""
        return self.predict_all(RoutedPairs(self.indexing, routing), od_bps[None])[0]

    def predict_all(self, routed: RoutedPairs, od_bps: FloatArray) -> Predictions:
        """Predict the steady state of every matrix in `od_bps` (cases, pairs) under one routing."""
        sent = od_bps * self.correction.load_gain
        offered, loss = self._settled(routed, sent)
        return self._summarise(routed, sent, offered, loss)

    def path_delay_ms(self, routing: Ways, link_delay_ms: FloatArray) -> FloatArray:
        """Sum link delays (links,) over the route of every pair; NaN where there is no route."""
        return np.asarray(RoutedPairs(self.indexing, routing).sums(link_delay_ms[None])[0])

    def _settled(self, routed: RoutedPairs, sent: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(cases, links) offered load and loss; cases that have settled are left alone."""
        ix, rate_bps = self.indexing, self.rate_bps
        loss = np.tile(ix.loss, (len(sent), 1))
        offered = routed.loads(sent, loss)
        moving = np.arange(len(sent))
        for _ in range(_ROUNDS):
            load = offered[moving] / rate_bps
            full = loss_fraction(load, self.correction.variance, ix.queue_packets)
            new = 1 - (1 - full) * (1 - ix.loss)
            restless = np.abs(new - loss[moving]).max(axis=1, initial=0.0) > _SETTLED
            loss[moving] = new
            moving = moving[restless]
            if not len(moving):
                break
            offered[moving] = routed.loads(sent[moving], loss[moving])
        return offered, loss

    def _summarise(
        self, routed: RoutedPairs, sent: FloatArray, offered: FloatArray, loss: FloatArray
    ) -> Predictions:
        ix, rate_bps = self.indexing, self.rate_bps
        utilisation = offered / rate_bps
        waiting = waiting_packets(utilisation, self.correction.variance, ix.queue_packets)
        delay = ix.delay_ms + (waiting + 1) * FRAME_BITS / rate_bps * 1e3
        od_delay = routed.sums(delay)
        carried = np.where(routed.present, sent, 0.0)
        total = carried.sum(axis=1)
        weighted = (carried * np.nan_to_num(od_delay)).sum(axis=1)
        return Predictions(
            offered_bps=offered,
            utilisation=utilisation,
            link_delay_ms=delay,
            link_loss=loss,
            od_delay_ms=od_delay,
            od_loss=np.where(routed.present, 1 - routed.kept(loss), 1.0),
            max_utilisation=utilisation[:, : ix.cores].max(axis=1, initial=0.0),
            mean_delay_ms=np.divide(weighted, total, out=np.zeros_like(total), where=total > 0),
        )
