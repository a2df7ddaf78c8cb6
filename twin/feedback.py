"""What became of forecasts and decisions: prediction and measurement side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from controller.messages import RerouteDone
from topologies.model import Ways
from twin.band import Band
from twin.indexing import FloatArray
from twin.intervals import Interval
from twin.mirror import Mirror
from twin.model import PerformanceModel
from twin.records import Decision, DecisionOutcome, ForecastScored

SETTLE_S = 0.25
"""After a switch-over, before the loads are those of the new routes alone."""
OBSERVE_S = 2.0
"""How long the effect of a decision is measured."""
ANSWER_S = 3.0
"""After which a request counts as lost."""
_POLLED_S = 0.3
"""Ports are polled every 250 ms: a window has to lie so far back to have readings after it."""


class DecisionWatch:
    """Follows each decision from the request to the load that it led to."""

    def __init__(self) -> None:
        self._asked: Decision | None = None
        self._answered: list[tuple[Decision, RerouteDone]] = []

    @property
    def busy(self) -> bool:
        """Whether a request is still being carried out."""
        return self._asked is not None

    def ask(self, decision: Decision) -> None:
        """A request was sent."""
        self._asked = decision

    def answer(self, done: RerouteDone) -> None:
        """The controller answered; answers to somebody else's requests are not ours."""
        if self._asked and done.request_id == self._asked.decision_id:
            self._answered.append((self._asked, done))
            self._asked = None

    def outcomes(
        self, mirror: Mirror, rate_bps: FloatArray, now_s: float
    ) -> list[tuple[Decision, DecisionOutcome]]:
        """Decisions whose effect has been measured since the last call.

        `rate_bps` (links,) is what the links are believed to carry.
        """
        outcomes = []
        if self._asked and now_s > self._asked.t_s + ANSWER_S:
            end_s = now_s - _POLLED_S
            load = _max_utilisation(mirror, rate_bps, end_s - OBSERVE_S, end_s)
            outcomes.append((self._asked, self._lost(self._asked, load, now_s)))
            self._asked = None
        due = [pair for pair in self._answered if now_s >= _end_s(pair[1])]
        self._answered = [pair for pair in self._answered if now_s < _end_s(pair[1])]
        return outcomes + [
            (decision, _measured(mirror, rate_bps, now_s, decision, done)) for decision, done in due
        ]

    def forget(self) -> None:
        """The controller is gone, and what was asked of it with it."""
        self._asked = None

    @staticmethod
    def _lost(decision: Decision, measured_mlu: float | None, now_s: float) -> DecisionOutcome:
        return DecisionOutcome(
            t_s=now_s,
            decision_id=decision.decision_id,
            switched_s=now_s,
            applied=0,
            refused=("the controller did not answer",),
            measured_mlu=measured_mlu,
            predicted_mlu=decision.predicted_mlu_after,
        )


class ForecastWatch:
    """Keeps forecasts until the intervals they speak of are complete."""

    def __init__(self, model: PerformanceModel) -> None:
        self._model = model
        self._waiting: list[_Forecast] = []

    def made(
        self, now_s: float, start_s: float, length_s: float, band: Band, past: FloatArray
    ) -> None:
        """Note a forecast.

        Args:
            now_s: when it was made.
            start_s: where the first interval of it begins.
            length_s: of an interval.
            band: (horizons, pairs) the forecast.
            past: (intervals, pairs) the complete intervals before it.
        """
        mean = past.mean(axis=0)
        ends = zip(band.point_bps, band.lower_bps, band.upper_bps, strict=True)
        for horizon, row in enumerate(ends, start=1):
            begin_s = start_s + (horizon - 1) * length_s
            self._waiting.append(_Forecast(now_s, begin_s, horizon, *row, past[-1], mean))

    def scored(self, now_s: float, interval: Interval, routing: Ways) -> list[ForecastScored]:
        """Score the forecasts of an interval by what was counted in it; without that, none.

        The link loads forecast are those of the forecast traffic on the routes of the interval:
        where traffic goes is decided, not forecast.
        """
        due = [f for f in self._waiting if abs(f.start_s - interval.start_s) < 1e-3]
        self._waiting = [f for f in self._waiting if f.start_s > interval.start_s + 1e-3]
        cores = slice(self._model.indexing.cores)
        if np.isnan(interval.od_bps).all():
            return []
        return [
            ForecastScored(
                t_s=now_s,
                made_at_s=forecast.made_at_s,
                start_s=interval.start_s,
                end_s=interval.end_s,
                horizon=forecast.horizon,
                od_forecast_bps=_numbers(forecast.od_bps),
                od_lower_bps=_numbers(forecast.lower_bps),
                od_upper_bps=_numbers(forecast.upper_bps),
                od_persistence_bps=_numbers(forecast.persistence_bps),
                od_mean_bps=_numbers(forecast.mean_bps),
                od_actual_bps=_with_gaps(interval.od_bps),
                link_forecast_bps=_numbers(
                    self._model.predict(routing, forecast.od_bps).offered_bps[cores]
                ),
                link_actual_bps=_with_gaps(interval.link_bps[cores]),
            )
            for forecast in due
        ]


@dataclass(frozen=True)
class _Forecast:
    made_at_s: float
    start_s: float
    horizon: int
    od_bps: FloatArray
    lower_bps: FloatArray
    upper_bps: FloatArray
    persistence_bps: FloatArray
    mean_bps: FloatArray


def _end_s(done: RerouteDone) -> float:
    return done.switched_s + SETTLE_S + OBSERVE_S + _POLLED_S


def _measured(
    mirror: Mirror, rate_bps: FloatArray, now_s: float, decision: Decision, done: RerouteDone
) -> DecisionOutcome:
    start_s = done.switched_s + SETTLE_S
    return DecisionOutcome(
        t_s=now_s,
        decision_id=decision.decision_id,
        switched_s=done.switched_s,
        applied=len(done.applied),
        refused=tuple(f"{r.src}-{r.dst}: {r.reason}" for r in done.refused),
        measured_mlu=_max_utilisation(mirror, rate_bps, start_s, start_s + OBSERVE_S),
        predicted_mlu=decision.predicted_mlu_after,
    )


def _max_utilisation(
    mirror: Mirror, rate_bps: FloatArray, start_s: float, end_s: float
) -> float | None:
    """Of the core links; None if one that is up was not counted: it may be the busiest."""
    cores = slice(mirror.indexing.cores)
    load = (mirror.mean_sent_bps(start_s, end_s) / rate_bps)[cores]
    down = mirror.down
    load[[link in down for link in mirror.indexing.directions[cores]]] = 0.0
    return None if np.isnan(load).any() else float(load.max(initial=0.0))


def _numbers(values: FloatArray) -> tuple[float, ...]:
    return tuple(values.tolist())


def _with_gaps(values: FloatArray) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else float(value) for value in values)
