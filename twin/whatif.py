"""What would be: the model's answer to a situation, and the best rerouting for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from topologies.model import DirectedLink, OdPair, Ways
from topologies.optimum import min_max_utilisation
from twin.candidates import CandidatePaths, routing_after
from twin.indexing import FloatArray, Indexing
from twin.model import Correction, PerformanceModel, Prediction
from twin.optimise import optimise
from twin.residual import Residual
from twin.situation import Scenario, Situation, after
from twin.yielding import with_tcp_giving_way

HOT = 0.9
"""Utilisation from which a link is called hot."""

_P95, _NORMAL_P95 = 0.95, 1.645
_LEAST_SPREAD_MS = 1e-3


@dataclass(frozen=True)
class HotLink:
    """A core direction that has more than enough to do."""

    link: DirectedLink
    utilisation: float
    """Offered load over rate: above 1 is overload."""


@dataclass(frozen=True)
class Intervals:
    """Between which bounds packets will measure it, nine times in ten, by the calibration.

    The margins are those of single pairs: for means over many they are wide rather than narrow.
    """

    mean_delay_ms: tuple[float, float]
    p95_delay_ms: tuple[float, float]
    loss_percent: tuple[float, float]


@dataclass(frozen=True)
class Outcome:
    """What the model predicts of one situation."""

    max_utilisation: float
    """Of the core links."""
    mean_delay_ms: float
    """One way, host to host, weighted by what the pairs deliver; 0 when nothing is delivered."""
    p95_delay_ms: float
    """What 95 % of all packets that are delivered stay below."""
    loss_percent: float
    """Of what is sent; pairs that are cut off lose all. TCP sends what it finds room for."""
    delivered_bps: float
    cut_off: tuple[OdPair, ...]
    """Pairs that have traffic and no path."""
    hot_links: tuple[HotLink, ...]
    """From `HOT` on, hottest first."""
    intervals: Intervals | None = None
    """Of a calibrated model."""

    @property
    def damage(self) -> tuple[float, float, float]:
        """What failures are ranked by: loss, then utilisation, then delay."""
        return self.loss_percent, self.max_utilisation, self.mean_delay_ms


@dataclass(frozen=True)
class Rerouting:
    """What a search for better routes found."""

    moves: Ways
    outcome: Outcome
    optimum: float
    """The least maximum utilisation that any routing could reach, splitting flows at will."""


def predict(
    situation: Situation,
    correction: Correction | None = None,
    residual: Residual | None = None,
) -> Outcome:
    """What becomes of the traffic of `situation`."""
    return _outcome(situation, _model(situation, correction, residual), situation.routing)


def reroute(
    situation: Situation,
    correction: Correction | None = None,
    residual: Residual | None = None,
    budget_s: float = 0.5,
) -> Rerouting:
    """The best routes that can be found in `budget_s` seconds of processor time."""
    model = _model(situation, correction, residual)
    indexing = model.indexing
    candidates = CandidatePaths(indexing).available(situation.routing, situation.down)
    demand_bps = situation.od_bps * model.correction.load_gain
    plan = optimise(indexing, candidates, demand_bps, rate_bps=model.rate_bps, budget_s=budget_s)
    outcome = _outcome(situation, model, routing_after(situation.routing, plan.moves))
    return Rerouting(plan.moves, outcome, _optimum(situation, model, demand_bps))


def rank(
    situation: Situation,
    scenarios: tuple[Scenario, ...],
    correction: Correction | None = None,
    residual: Residual | None = None,
) -> list[tuple[Scenario, Outcome]]:
    """Each scenario with what it would do, the worst first."""
    outcomes = [(one, predict(after(situation, one), correction, residual)) for one in scenarios]
    return sorted(outcomes, key=lambda pair: pair[1].damage, reverse=True)


def _model(
    situation: Situation, correction: Correction | None, residual: Residual | None
) -> PerformanceModel:
    model = PerformanceModel(Indexing(situation.as_it_is), residual)
    if correction is not None:
        model.correction = correction
    return model


def _outcome(situation: Situation, model: PerformanceModel, routing: Ways) -> Outcome:
    pairs = model.indexing.pairs
    is_tcp = np.array([pair in situation.tcp_pairs for pair in pairs], dtype=bool)
    od_bps = with_tcp_giving_way(model, routing, situation.od_bps, is_tcp)
    prediction = model.predict(routing, od_bps)
    sent = od_bps * model.correction.load_gain
    delivered = sent * (1 - prediction.od_loss)
    mean_ms = _weighted_mean(prediction.od_delay_ms, delivered)
    p95_ms = _p95_of_all(prediction, delivered)
    loss = float(1 - delivered.sum() / sent.sum()) if sent.any() else 0.0
    return Outcome(
        max_utilisation=prediction.max_utilisation,
        mean_delay_ms=mean_ms,
        p95_delay_ms=p95_ms,
        loss_percent=100 * loss,
        delivered_bps=float(delivered.sum()),
        cut_off=tuple(
            pair
            for pair, rate in zip(pairs, situation.od_bps, strict=True)
            if rate > 0 and pair not in routing
        ),
        hot_links=_hot_links(model.indexing, prediction),
        intervals=_intervals(model.residual, mean_ms, p95_ms, loss),
    )


def _intervals(residual: Residual, mean_ms: float, p95_ms: float, loss: float) -> Intervals | None:
    if not residual.has_margins:
        return None
    low, high = residual.loss_interval(np.array(loss))
    of_mean = residual.delay_interval_ms(np.array(mean_ms))
    of_p95 = residual.p95_interval_ms(np.array(p95_ms))
    return Intervals(_bounds(of_mean), _bounds(of_p95), _bounds((100 * low, 100 * high)))


def _bounds(interval: tuple[FloatArray, FloatArray]) -> tuple[float, float]:
    low, high = interval
    return float(low), float(high)


def _hot_links(indexing: Indexing, prediction: Prediction) -> tuple[HotLink, ...]:
    core = prediction.utilisation[: indexing.cores]
    hottest_first = [int(link) for link in np.argsort(-core, kind="stable") if core[link] >= HOT]
    return tuple(HotLink(indexing.directions[link], float(core[link])) for link in hottest_first)


def _weighted_mean(values: FloatArray, weights: FloatArray) -> float:
    known = weights > 0
    total = weights[known].sum()
    return float(values[known] @ weights[known] / total) if total else 0.0


def _p95_of_all(prediction: Prediction, delivered: FloatArray) -> float:
    """The 95th percentile of a mixture: each pair's delays about normal, by its mean and p95."""
    known = np.flatnonzero(delivered > 0)
    if not len(known):
        return 0.0
    share = delivered[known] / delivered[known].sum()
    mean_ms = prediction.od_delay_ms[known]
    spread_ms = np.maximum((prediction.od_p95_ms[known] - mean_ms) / _NORMAL_P95, _LEAST_SPREAD_MS)

    def short_of_p95(delay_ms: float) -> float:
        return float(share @ ndtr((delay_ms - mean_ms) / spread_ms)) - _P95

    return float(brentq(short_of_p95, mean_ms.min(), mean_ms.max() + 4 * spread_ms.max()))


def _optimum(situation: Situation, model: PerformanceModel, demand_bps: FloatArray) -> float:
    matrix_bps = model.indexing.matrix(demand_bps)
    return min_max_utilisation(
        situation.as_it_is, matrix_bps, situation.down, model.correction.capacity_factor
    )
