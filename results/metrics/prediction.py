"""How well the twin foresees: forecasts, path delays, filled gaps, and the load after a reroute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from results.timeline import FloatArray, Window
from testbed.records import ProbeStream
from topologies.model import OdPair, Topology
from twin.records import (
    Decision,
    DecisionOutcome,
    DelayPredicted,
    DropDecision,
    ForecastScored,
    Imputation,
    TwinRecord,
)

MIN_PROBES = 5
"""A pair's delay in an interval is compared if at least so many probes arrived in it."""


@dataclass(frozen=True)
class ForecastAccuracy:
    """Weighted absolute percentage errors (sum |forecast - actual| / sum actual) of a horizon."""

    horizon: int
    forecasts: int
    od_wape: float
    od_persistence_wape: float
    od_mean_wape: float
    link_wape: float | None
    od_coverage: float | None = None
    """Share of the actual rates inside the band of 90 %; None if there was no band."""

    @property
    def accuracy_percent(self) -> float:
        """100 x (1 - WAPE), per OD pair."""
        return 100.0 * (1.0 - self.od_wape)

    @property
    def persistence_accuracy_percent(self) -> float:
        """The same of the naive forecast that everything stays as it is."""
        return 100.0 * (1.0 - self.od_persistence_wape)

    @property
    def skill(self) -> float | None:
        """1 - WAPE / WAPE of the better naive forecast; None if that one was perfect."""
        naive = min(self.od_persistence_wape, self.od_mean_wape)
        return 1.0 - self.od_wape / naive if naive > 0 else None


def wape(forecast: FloatArray, actual: FloatArray) -> float | None:
    """Return sum |forecast - actual| / sum |actual| where the actual is known (no NaN).

    None if nothing was there.
    """
    total = float(np.nansum(np.abs(actual)))
    return float(np.nansum(np.abs(forecast - actual))) / total if total > 0 else None


def forecast_accuracy(
    twin: Iterable[TwinRecord], window: Window, horizon: int = 1
) -> ForecastAccuracy | None:
    """Score the forecasts of `horizon` for intervals inside `window`."""
    scored = [
        r
        for r in twin
        if isinstance(r, ForecastScored)
        and r.horizon == horizon
        and window.covers(r.start_s, r.end_s)
    ]
    if not scored:
        return None
    actual = np.array([r.od_actual_bps for r in scored], float)
    od_wape = wape(np.array([r.od_forecast_bps for r in scored]), actual)
    persistence = wape(np.array([r.od_persistence_bps for r in scored]), actual)
    mean = wape(np.array([r.od_mean_bps for r in scored]), actual)
    if od_wape is None or persistence is None or mean is None:
        return None
    return ForecastAccuracy(
        horizon=horizon,
        forecasts=len(scored),
        od_wape=od_wape,
        od_persistence_wape=persistence,
        od_mean_wape=mean,
        link_wape=wape(
            np.array([r.link_forecast_bps for r in scored]),
            np.array([r.link_actual_bps for r in scored], float),
        ),
        od_coverage=_coverage(scored),
    )


def _coverage(scored: Sequence[ForecastScored]) -> float | None:
    banded = [r for r in scored if r.od_upper_bps]
    if not banded:
        return None
    actual = np.array([r.od_actual_bps for r in banded], float)
    above = actual >= np.array([r.od_lower_bps for r in banded])
    below = actual <= np.array([r.od_upper_bps for r in banded])
    return float((above & below)[~np.isnan(actual)].mean())


def horizons(twin: Iterable[TwinRecord]) -> list[int]:
    """Return the horizons for which there are scored forecasts, in intervals."""
    return sorted({record.horizon for record in twin if isinstance(record, ForecastScored)})


@dataclass(frozen=True)
class DelayComparison:
    """Predicted and probed mean one-way delay of a pair over [start_s, end_s)."""

    start_s: float
    end_s: float
    predicted_ms: float
    measured_ms: float


@dataclass(frozen=True)
class DelayAccuracy:
    """Predicted against probed mean one-way delay, over pairs and intervals."""

    mape_percent: float
    bias_ms: float
    """Mean of predicted minus probed."""
    comparisons: int


def delay_comparisons(
    twin: Iterable[TwinRecord],
    probes: Sequence[ProbeStream],
    topology: Topology,
    window: Window,
) -> list[DelayComparison]:
    """Compare the twin's delays with the latency probes of the same pair and interval."""
    index = {pair: position for position, pair in enumerate(topology.od_pairs)}
    probed = {pair: one for pair, one in _delays_by_pair(probes).items() if pair in index}
    comparisons = []
    for record in twin:
        if not isinstance(record, DelayPredicted):
            continue
        if not window.covers(record.start_s, record.end_s):
            continue
        for pair, (sent_s, delays_ms) in probed.items():
            first, last = np.searchsorted(sent_s, [record.start_s, record.end_s])
            delay_ms = record.od_delay_ms[index[pair]]
            if delay_ms is not None and last - first >= MIN_PROBES:
                probed_ms = float(delays_ms[first:last].mean())
                comparisons.append(
                    DelayComparison(record.start_s, record.end_s, delay_ms, probed_ms)
                )
    return comparisons


def delay_accuracy(comparisons: Sequence[DelayComparison]) -> DelayAccuracy | None:
    """Return how far off the predicted delays were; None without any."""
    if not comparisons:
        return None
    predicted = np.array([one.predicted_ms for one in comparisons])
    measured = np.array([one.measured_ms for one in comparisons])
    return DelayAccuracy(
        mape_percent=float(100.0 * np.mean(np.abs(predicted - measured) / measured)),
        bias_ms=float(np.mean(predicted - measured)),
        comparisons=len(comparisons),
    )


def staleness_ms(twin: Iterable[TwinRecord], window: Window) -> dict[str, float] | None:
    """Return p50 and p95 of the age of the newest counter, over the decisions."""
    ages = [
        record.telemetry_age_ms
        for record in twin
        if isinstance(record, (Decision, DropDecision)) and window.holds(record.t_s)
    ]
    if not ages:
        return None
    p50, p95 = np.percentile(ages, [50, 95])
    return {"p50": float(p50), "p95": float(p95)}


def decision_documents(twin: Sequence[TwinRecord], end_s: float) -> list[Mapping[str, Any]]:
    """Return every reroute decided, what was predicted of it and what was measured, in order.

    What the links carried after `end_s`, when the traffic had ended, says nothing of a reroute.
    """
    outcomes = {r.decision_id: r for r in twin if isinstance(r, DecisionOutcome)}
    return [
        _decision_document(record, outcomes.get(record.decision_id), end_s)
        for record in twin
        if isinstance(record, Decision)
    ]


def reroute_mape_percent(decisions: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the mean error of the load predicted for a reroute against the one measured."""
    errors = [
        abs(one["predicted_mlu_after"] - one["measured_mlu"]) / one["measured_mlu"]
        for one in decisions
        if one["measured_mlu"]
    ]
    return 100.0 * float(np.mean(errors)) if errors else None


def imputation_nmae(twin: Iterable[TwinRecord]) -> dict[str, float] | None:
    """Return sum |filled - actual| / sum actual of the VAE and of linear interpolation."""
    gaps = [record for record in twin if isinstance(record, Imputation)]
    actual = np.array([rate for gap in gaps for rate in gap.actual_bps])
    vae = wape(np.array([rate for gap in gaps for rate in gap.vae_bps]), actual)
    linear = wape(np.array([rate for gap in gaps for rate in gap.linear_bps]), actual)
    if vae is None or linear is None:
        return None
    return {"vae": vae, "linear": linear, "gaps": len(gaps)}


def _decision_document(
    decision: Decision, outcome: DecisionOutcome | None, end_s: float
) -> Mapping[str, Any]:
    return {
        "t_s": decision.t_s,
        "reason": decision.reason,
        "moves": [{"pair": [m.src, m.dst], "path": list(m.path)} for m in decision.moves],
        "telemetry_age_ms": decision.telemetry_age_ms,
        "predicted_mlu_before": decision.predicted_mlu_before,
        "predicted_mlu_after": decision.predicted_mlu_after,
        "predicted_mean_delay_ms_before": decision.predicted_mean_delay_ms_before,
        "predicted_mean_delay_ms_after": decision.predicted_mean_delay_ms_after,
        "measured_mlu": outcome.measured_mlu if outcome and outcome.t_s <= end_s else None,
        "applied": outcome.applied if outcome else None,
        "refused": list(outcome.refused) if outcome else [],
        "switched_s": outcome.switched_s if outcome else None,
    }


def _delays_by_pair(
    probes: Iterable[ProbeStream],
) -> dict[OdPair, tuple[FloatArray, FloatArray]]:
    """Return when the probes of every direction were sent, and how long they took, in order."""
    points: dict[OdPair, list[tuple[float, float]]] = {}
    for stream in probes:
        if stream.purpose != "latency":
            continue
        ways = ((stream.pair, stream.forward_ms), ((stream.dst, stream.src), stream.backward_ms))
        for pair, delays in ways:
            points.setdefault(pair, []).extend(
                (sent_s, delay)
                for sent_s, delay in zip(stream.sent_s, delays, strict=True)
                if delay is not None
            )
    arrived = {pair: np.array(sorted(some)) for pair, some in points.items() if some}
    return {pair: (some[:, 0], some[:, 1]) for pair, some in arrived.items()}
