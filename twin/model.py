"""The performance model: what a routing does to a traffic matrix on the network as it is.

Every link is a finite queue (queueing.py), or one for each service class (priorities.py). A link
lets on no more than its rate: the rest is lost, or while its queue fills (onset.py) kept there. So
loads and what goes on are a fixed point, found by a few rounds of substitution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from topologies.model import DirectedLink, Ways
from twin.fair_shares import fair_shares
from twin.indexing import FRAME_BITS as FRAME_BITS
from twin.indexing import FloatArray, Indexing
from twin.onset import Onset
from twin.priorities import Priorities
from twin.queueing import waiting_packets
from twin.residual import Residual
from twin.routed_pairs import RoutedPairs

_ROUNDS = 6  # the loads of the Abilene network settle to 0.1 % in four
_SETTLED = 1e-6  # change of what a link holds back below which a case needs no further round
_NORMAL_P95 = 1.645
_NEXT_TO_NOTHING_BPS = 1e-6


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
    od_p95_ms: FloatArray
    """(pairs,) what 95 % of a pair's packets stay below; NaN where there is no route."""
    od_loss: FloatArray
    """(pairs,) share of the packets; 1 where there is no route."""
    od_goodput_bps: FloatArray
    """(pairs,) what arrives."""
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
    od_p95_ms: FloatArray
    od_loss: FloatArray
    od_goodput_bps: FloatArray
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
            od_p95_ms=self.od_p95_ms[case],
            od_loss=self.od_loss[case],
            od_goodput_bps=self.od_goodput_bps[case],
            max_utilisation=float(self.max_utilisation[case]),
            mean_delay_ms=float(self.mean_delay_ms[case]),
        )


@dataclass(frozen=True)
class _Flows:
    """The fixed point. Arrays are (classes, cases, links), but for `variance` (cases, links)."""

    offered_bps: FloatArray
    loss: FloatArray
    """Share of what is offered that is lost."""
    held: FloatArray
    """Share that does not go on: what is lost, and what stays in a queue that fills."""
    variance: FloatArray


class PerformanceModel:
    """Predicts load, delay and loss of every link and pair, for one topology."""

    def __init__(self, indexing: Indexing, residual: Residual | None = None) -> None:
        self.indexing = indexing
        self.correction = Correction()
        self.residual = residual or Residual()
        self._priorities = Priorities(indexing)

    @property
    def rate_bps(self) -> FloatArray:
        """(links,) what each link is believed to carry: what all utilisation is a share of."""
        rates = self.indexing.rate_bps.copy()
        for link, factor in self.correction.capacity_factor.items():
            rates[self.indexing.link[link]] *= factor
        return rates

    @property
    def classes(self) -> int:
        """How many service classes the pairs have, on links that heed them."""
        return self._priorities.classes

    def predict(
        self, routing: Ways, od_bps: FloatArray, frame_bits: FloatArray | None = None
    ) -> Prediction:
        """Predict the steady state under `routing` when the pairs send `od_bps` (pairs,).

        `frame_bits` (pairs,) are the frames that they send; without it, the largest.
        """
        return self.predict_all(RoutedPairs(self.indexing, routing), od_bps[None], frame_bits)[0]

    def predict_elastic(
        self, routing: Ways, od_bps: FloatArray, flows: FloatArray
    ) -> tuple[Prediction, FloatArray]:
        """The same with `flows` (pairs,) greedy TCP flows beside; and what these get, (pairs,).

        They share fairly what `od_bps` leaves; the links where they are held up are full.
        """
        left_bps = self.rate_bps - self.predict(routing, od_bps).offered_bps
        branches = self.indexing.branches(routing)
        by_branch = fair_shares(branches.hops, flows[branches.pair] * branches.share, left_bps)
        elastic_bps = np.bincount(branches.pair, by_branch, len(flows)).astype(np.float64)
        # They are rates on links already, which the gain makes of what counters tell.
        counted_bps = od_bps + elastic_bps / self.correction.load_gain
        return self.predict(routing, counted_bps), elastic_bps

    def predict_all(
        self,
        routed: RoutedPairs,
        od_bps: FloatArray,
        frame_bits: FloatArray | None = None,
        onset: Onset | None = None,
    ) -> Predictions:
        """Predict the steady state of every matrix in `od_bps` (cases, pairs) under one routing.

        With `onset`, the mean over some time after it began.
        """
        sent = od_bps * self.correction.load_gain
        instants = onset.instants(FRAME_BITS / self.rate_bps) if onset else None
        flows = self._settled(routed, sent, instants)
        return self._summarise(routed, sent, flows, frame_bits, instants)

    def path_delay_ms(self, routing: Ways, link_delay_ms: FloatArray) -> FloatArray:
        """(pairs,) sums of link delays (classes, links) over routes; NaN where there is none."""
        routed = RoutedPairs(self.indexing, routing)
        by_class = [routed.sums(of_class[None]) for of_class in link_delay_ms]
        return np.asarray(self._priorities.of_pairs(by_class)[0])

    def machine_ms(self, frames_per_s: FloatArray) -> FloatArray:
        """(..., links) what the machine adds when all links together carry so much (..., 1)."""
        core = np.arange(len(self.indexing.directions)) < self.indexing.cores
        return self.residual.machine_ms(frames_per_s, core)

    def class_waits(self, routing: Ways, od_bps: FloatArray) -> FloatArray:
        """(classes, links) how long each class waits, over how long all would in one queue."""
        routed = RoutedPairs(self.indexing, routing)
        by_class = self._priorities.split(od_bps[None] * self.correction.load_gain)
        lost = np.tile(self.indexing.loss, (len(by_class), 1, 1))
        load = _loads(routed, by_class, lost) / self.rate_bps
        if len(load) == 1:
            return np.ones(load[0].shape)
        variance, room = self.variance(routing, od_bps), self.indexing.queue_packets
        each = self._priorities.queues(load).waiting_packets(variance, room)[:, 0]
        together = waiting_packets(load.sum(axis=0), variance, room)
        return np.divide(each, together, out=np.ones_like(each), where=together > 0)

    def _settled(
        self, routed: RoutedPairs, sent: FloatArray, instants: FloatArray | None
    ) -> _Flows:
        """Settled cases are left alone."""
        ix, rate_bps, by_class = self.indexing, self.rate_bps, self._priorities.split(sent)
        loss = np.tile(ix.loss, (*by_class.shape[:2], 1))
        held = loss.copy()
        offered = _loads(routed, by_class, held)
        streams = self._streams(routed, sent)
        variance = np.empty(offered.shape[1:])
        moving = np.arange(len(sent))
        for _ in range(_ROUNDS):
            queues = self._priorities.queues(offered[:, moving] / rate_bps, instants)
            load = offered[:, moving].sum(axis=0) / rate_bps
            variance[moving] = self._variance(load, streams[:, moving])
            kept = 1 - queues.loss(variance[moving], ix.queue_packets)
            loss[:, moving] = 1 - kept * (1 - ix.loss)
            new = 1 - np.minimum(kept, 1 / np.maximum(queues.load, 1.0)) * (1 - ix.loss)
            restless = np.abs(new - held[:, moving]).max(axis=(0, 2), initial=0.0) > _SETTLED
            held[:, moving] = new
            moving = moving[restless]
            if not len(moving):
                break
            offered[:, moving] = _loads(routed, by_class[:, moving], held[:, moving])
        return _Flows(offered, loss, held, variance)

    def variance(self, routing: Ways, od_bps: FloatArray) -> FloatArray:
        """(links,) squared coefficient of variation of the arrivals, the residual included."""
        routed = RoutedPairs(self.indexing, routing)
        sent = od_bps[None] * self.correction.load_gain
        load = routed.loads(sent, self.indexing.loss[None]) / self.rate_bps
        return np.asarray(self._variance(load, self._streams(routed, sent))[0])

    def _streams(self, routed: RoutedPairs, sent: FloatArray) -> FloatArray:
        """(2, cases, links) concentration of the streams, and of the pairs, if that counts."""
        if not self.residual.tells_streams:
            return np.ones((2, len(sent), 1))
        return np.array([routed.concentration(sent), routed.pair_concentration(sent)])

    def _variance(self, load: FloatArray, streams: FloatArray) -> FloatArray:
        """(cases, links) squared coefficient of variation of the arrivals."""
        residual, variance = self.residual, self.correction.variance
        if not residual.tells_streams:
            return np.full(load.shape, variance * residual.variance_gain)
        return residual.variance(variance, load, *streams)

    def _summarise(
        self,
        routed: RoutedPairs,
        sent: FloatArray,
        flows: _Flows,
        frame_bits: FloatArray | None,
        instants: FloatArray | None,
    ) -> Predictions:
        ix, rate_bps, of_pairs = self.indexing, self.rate_bps, self._priorities.of_pairs
        offered, loss, variance = flows.offered_bps, flows.loss, flows.variance
        all_offered = offered.sum(axis=0)
        utilisation = all_offered / rate_bps
        queues = self._priorities.queues(offered / rate_bps, instants)
        packet_ms = FRAME_BITS / rate_bps * 1e3
        frames_per_s = (offered * (1 - flows.held)).sum(axis=(0, 2))[:, None] / FRAME_BITS
        machine_ms = self.machine_ms(frames_per_s)
        waiting_ms = queues.waiting_packets(variance, ix.queue_packets) * packet_ms
        deviation_ms = queues.waiting_deviation(variance, ix.queue_packets) * packet_ms
        delay = ix.delay_ms + waiting_ms + packet_ms + machine_ms
        od_delay = of_pairs([routed.sums(of_class) for of_class in delay])
        if frame_bits is not None:
            smaller_ms = (frame_bits - FRAME_BITS) * 1e3
            od_delay = od_delay + smaller_ms * routed.sums(1 / rate_bps[None])
        added_ms = routed.sums(machine_ms)
        od_p95 = od_delay + self.residual.tail * beyond_mean_ms(
            of_pairs([routed.sums(of_class) for of_class in waiting_ms]) + added_ms,
            of_pairs([routed.sums(of_class**2) for of_class in deviation_ms])
            + (self.residual.hop_spread * added_ms) ** 2,
        )
        kept, arriving = (
            of_pairs([routed.kept(of_class) for of_class in share]) * routed.present
            for share in (loss, flows.held)
        )
        carried = np.where(routed.present, sent, 0.0)
        total = carried.sum(axis=1)
        weighted = (carried * np.nan_to_num(od_delay)).sum(axis=1)
        return Predictions(
            offered_bps=all_offered,
            utilisation=utilisation,
            link_delay_ms=_over_classes(delay, offered),
            link_loss=_over_classes(loss, offered),
            od_delay_ms=od_delay,
            od_p95_ms=od_p95,
            od_loss=1 - kept,
            od_goodput_bps=sent * arriving,
            max_utilisation=utilisation[:, : ix.cores].max(axis=1, initial=0.0),
            mean_delay_ms=np.divide(weighted, total, out=np.zeros_like(total), where=total > 0),
        )


def _loads(routed: RoutedPairs, sent: FloatArray, held: FloatArray) -> FloatArray:
    """(classes, cases, links) what reaches each link of what each class sends."""
    return np.array([routed.loads(*of_class) for of_class in zip(sent, held, strict=True)])


def _over_classes(values: FloatArray, offered: FloatArray) -> FloatArray:
    """(cases, links) mean over the packets of all classes."""
    if len(values) == 1:
        return np.asarray(values[0])
    weights = offered + _NEXT_TO_NOTHING_BPS
    return np.asarray((values * weights).sum(axis=0) / weights.sum(axis=0))


def beyond_mean_ms(mean_ms: FloatArray, variance_ms2: FloatArray) -> FloatArray:
    """How far the 95th percentile of a gamma distribution lies above its mean.

    Sums of exponential waiting times are about gamma. E. B. Wilson, M. M. Hilferty, "The
    distribution of chi-square", PNAS 17, 1931.
    """
    mean = np.maximum(mean_ms, 1e-9)
    ninth = variance_ms2 / (9 * mean**2)  # one over nine times the shape
    quantile = mean * np.maximum(1 - ninth + _NORMAL_P95 * np.sqrt(ninth), 0.0) ** 3
    return np.asarray(np.maximum(quantile - mean, 0.0))
