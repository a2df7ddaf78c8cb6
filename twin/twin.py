"""The twin: takes in the controller's messages, and says what to record and what to ask for.

No clock, socket or file in here: `receive` and `step` are told the time, so that a whole run can
be replayed in a test.
"""

from __future__ import annotations

import math

import numpy as np

from controller.messages import (
    DropDone,
    FromController,
    Hello,
    LinkState,
    PortStats,
    RerouteDone,
    Routes,
)
from topologies.model import DirectedLink, OdPair, Topology
from twin.calibration import calibrate
from twin.candidates import CandidatePaths
from twin.capacity import CapacityWatch
from twin.deciding import Deciding
from twin.delays import DelayTracker
from twin.detection import RECENT_INTERVALS
from twin.distrust import CounterWatch
from twin.feedback import ForecastWatch
from twin.forecaster import BEGUN, HORIZONS, Forecaster
from twin.imputation import GapScorer, Imputer
from twin.indexing import FloatArray, Indexing
from twin.intervals import History, Interval, IntervalClock
from twin.live_forecast import LiveForecast
from twin.maintenance import LinkHealth
from twin.matrix import current_matrix_bps, mean_matrix_bps
from twin.memory import Learnt
from twin.mirror import Mirror
from twin.mitigation import Mitigation
from twin.model import PerformanceModel
from twin.observation import Observer
from twin.output import Output, RequestIds
from twin.policy import Policy
from twin.records import DelayPredicted, Mirrored
from twin.residual import Residual
from twin.scores import LinkScorer
from twin.trust import GainTrust
from twin.view import TwinView

STEP_S = 0.25
"""Counters of ports come this often, and the twin steps with them."""

_LATEST_STEP_S = 0.4  # step without the counters that have not come by then
_RESTORATION_S = 0.15  # leave the controller this long to restore pairs after a failure
_UTILISATION_WINDOW_S = 0.75
_LOSS_WINDOW_S, _LOSS_AGE_S = 1.0, 0.5  # both ends of a link have been polled since
_HISTORY_INTERVALS = 60
_SAME_TIME_S = 1e-3  # boundaries of intervals closer than this are one


class Twin:
    """Mirror, forecast, model, detection and policy, put together."""

    def __init__(
        self,
        topology: Topology,
        policy: Policy,
        forecaster: Forecaster,
        imputer: Imputer,
        interval_s: float,
        residual: Residual | None = None,
    ) -> None:
        self._imputer = imputer
        self._indexing = Indexing(topology)
        self._live_forecast = LiveForecast(forecaster, len(self._indexing.pairs))
        keep_s = 2 * interval_s + 10
        self.mirror = Mirror(self._indexing, keep_s)
        self.model = PerformanceModel(self._indexing, residual)
        self._candidates = CandidatePaths(self._indexing)
        self._clock = IntervalClock(interval_s)
        self._history = History(_HISTORY_INTERVALS)
        self._delays = DelayTracker(self.model, keep_s)
        ids = RequestIds()
        self._deciding = Deciding(topology, policy, ids)
        self._stops_floods: bool = getattr(policy, "stops_floods", False)
        self._mitigation = Mitigation(self._indexing, ids, forecaster)
        self._gaps = GapScorer()
        self._counters = CounterWatch(imputer)
        self._observer = Observer(self.model, self.mirror.probes)
        self._scorer = LinkScorer(self.model)
        self._capacity = CapacityWatch(self.model)
        self._health = LinkHealth(self.model)
        self._forecasts = ForecastWatch(self.model)
        self._forecast_bps = np.zeros((HORIZONS, len(self._indexing.pairs)))
        self._fresh: set[str] = set()
        self._last_step_s = -math.inf
        self._link_changed_s: float | None = None
        self._routes_changed_s = -math.inf
        self._mirrored = False

    def go_on_with(self, learnt: Learnt) -> None:
        """Begin with what a twin before this one has learnt."""
        self.model.correction = learnt.correction
        self._deciding.trust = GainTrust(learnt.gain_trust)

    def receive(self, message: FromController) -> None:
        """Take in one message of the controller."""
        self.mirror.receive(message)
        match message:
            case Hello():
                self._mirrored = False
                self._deciding.forget()
                self._mitigation.controller_restarted()
            case PortStats(datapath=switch):
                self._fresh.add(switch)
            case LinkState(t_s=t_s):
                self._link_changed_s = t_s
            case Routes(t_s=t_s):
                self._routes_changed_s = t_s
            case RerouteDone():
                self._deciding.answer(message)
            case DropDone():
                self._mitigation.answer(message)
            case _:
                pass

    def due_s(self, now_s: float) -> float:
        """In how many seconds `step` shall be called if nothing more is received before.

        Zero at once when the counters of a polling round are complete, or when the controller
        has restored the pairs of a failed link.
        """
        if self._link_changed_s is not None:
            patience_s = self._link_changed_s + _RESTORATION_S - now_s
            return max(0.0, patience_s) if self.mirror.stranded else 0.0
        since_s = now_s - self._last_step_s
        if since_s > STEP_S / 2 and self._fresh.issuperset(self.mirror.answering):
            return 0.0
        return max(0.0, _LATEST_STEP_S - since_s)

    def step(self, now_s: float) -> Output:
        """Evaluate what has been received: score, predict, detect, decide."""
        self._last_step_s, self._link_changed_s = now_s, None
        self._fresh.clear()
        out = Output()
        if not self.mirror.ready:
            return out
        if not self._mirrored:
            out.records.append(Mirrored(t_s=now_s))
            self._mirrored = True
        measured = current_matrix_bps(self.mirror, now_s, self._dropped)
        filled = self._filled_now(measured, now_s)
        out.records += self._gaps.observe(self.mirror, now_s, measured, filled)
        self._delays.advance(self.mirror, now_s, filled)
        if span := self._clock.completed(self.mirror, now_s):
            self._complete(*span, now_s, out)
        self._observe(now_s, out)
        self._mitigation.settle(out)
        if self._stops_floods:
            self._detect(now_s, measured, out)
        self._deciding.outcomes(self.mirror, self.model.rate_bps, now_s, out)
        self._decide(now_s, filled, out)
        return out

    def _observe(self, now_s: float, out: Output) -> None:
        """Score the model by the second that has become known, then let it learn."""
        seen = self._observer.look(self.mirror, now_s, self._routes_changed_s, self._dropped)
        if seen is not None:
            out.records += self._scorer.score(seen)
            learnt = self._capacity.learn(seen)
            of_other_capacity = {self._indexing.link[one.sender, one.receiver] for one in learnt}
            out.records += [*learnt, *self._health.observe(seen, of_other_capacity)]

    def _filled_now(self, measured: FloatArray, now_s: float) -> FloatArray:
        """(pairs,) without gaps, and without what distrusted counters say."""
        if distrusted := self._counters.distrusted:
            measured = current_matrix_bps(self.mirror, now_s, self._dropped, distrusted)
        loads = self.mirror.sent_bps(now_s, _UTILISATION_WINDOW_S)
        loss = self.mirror.link_loss(now_s - _LOSS_AGE_S - _LOSS_WINDOW_S, now_s - _LOSS_AGE_S)
        return self._filled(measured, loads, loss)

    def _filled(self, rates_bps: FloatArray, link_bps: FloatArray, loss: FloatArray) -> FloatArray:
        """(pairs,) without gaps; zero before anything has been observed."""
        recent = self._history.counted_bps(len(rates_bps))
        if np.isnan(rates_bps).all() and np.isnan(recent).all():
            return np.zeros(len(rates_bps))
        crossing = self._indexing.crossing(self.mirror.routing, loss)
        return self._imputer.impute(rates_bps, recent, self._steady(link_bps), crossing)

    def _steady(self, link_bps: FloatArray) -> FloatArray:
        """Loads, unknown while a drop makes what enters another thing than what is carried."""
        return np.full(len(link_bps), np.nan) if self._dropped else link_bps

    @property
    def _dropped(self) -> frozenset[OdPair]:
        """Pairs that are being dropped, or are about to be."""
        return self._mitigation.dropped | self.mirror.dropped

    # --- intervals ----------------------------------------------------------------------------

    def _complete(self, start_s: float, end_s: float, now_s: float, out: Output) -> None:
        if self._dropped:
            out.records += self._counters.trust_all(now_s)
        elif self._routes_changed_s < start_s:
            recent = self._history.counted_bps(len(self._indexing.pairs))
            out.records += self._counters.judge(self.mirror, start_s, end_s, now_s, recent)
        od_bps = mean_matrix_bps(
            self.mirror, start_s, end_s, self._dropped, self._counters.distrusted
        )
        link_bps = self.mirror.mean_sent_bps(start_s, end_s)
        loss = self.mirror.link_loss(start_s, end_s)
        interval = Interval(
            start_s=start_s,
            end_s=end_s,
            od_bps=od_bps,
            filled_bps=self._filled(od_bps, link_bps, loss),
            link_bps=link_bps,
        )
        self._history.add(interval)
        routing = dict(self.mirror.routing)
        out.records += self._forecasts.scored(now_s, interval, routing)
        out.records.append(self._delay_predicted(interval, now_s))
        # What has been made up teaches the model nothing.
        counted = not np.isnan(od_bps).any()
        if counted and self._routes_changed_s < start_s and not self._dropped:
            out.records += calibrate(
                self.model,
                now_s,
                routing,
                interval.od_bps,
                interval.link_bps,
                loss,
            )
        past = self._history.filled_bps()
        band = self._live_forecast.complete(interval.od_bps, past)
        self._forecast_bps = band.point_bps
        self._forecasts.made(now_s, end_s, self._clock.length_s, band, past)

    def _delay_predicted(self, interval: Interval, now_s: float) -> DelayPredicted:
        delay_ms = self._delays.od_delay_ms(interval.start_s, interval.end_s)
        load = interval.link_bps / self.model.rate_bps
        return DelayPredicted(
            t_s=now_s,
            start_s=interval.start_s,
            end_s=interval.end_s,
            od_delay_ms=tuple(None if math.isnan(d) else d for d in delay_ms.tolist()),
            link_utilisation=tuple(
                None if math.isnan(u) else u for u in load[: self._indexing.cores].tolist()
            ),
        )

    def _forecast_for_next(self, now_s: float, filled: FloatArray) -> tuple[FloatArray, float]:
        """The forecast of the next interval to begin, and the seconds until then.

        What is measured now stands for the interval that has not ended yet.
        """
        length_s = self._clock.length_s
        begin_s = math.floor(now_s / length_s + 1) * length_s
        past = self._history.intervals
        if past and abs(begin_s - past[-1].end_s - length_s) < _SAME_TIME_S:
            rows = np.vstack([self._history.filled_bps(), filled])
            return self._live_forecast.first(rows), begin_s - now_s
        return filled, begin_s - now_s

    # --- floods -------------------------------------------------------------------------------

    def _detect(self, now_s: float, measured: FloatArray, out: Output) -> None:
        recent = [i.filled_bps for i in self._history.intervals[-RECENT_INTERVALS:]]
        self._mitigation.inspect(
            now_s,
            measured,
            np.max([*recent, self._forecast_bps[0]], axis=0),
            _busy_intervals(recent),
            self.mirror.sent_bps(now_s, _UTILISATION_WINDOW_S),
            self.mirror.telemetry_age_s(now_s),
            out,
        )

    # --- reroutes -----------------------------------------------------------------------------

    def _decide(self, now_s: float, filled: FloatArray, out: Output) -> None:
        age_s = self.mirror.telemetry_age_s(now_s)
        if not self._deciding.busy and age_s <= 2 * STEP_S:
            self._deciding.decide(self._view(now_s, filled), self._failing, age_s, out)

    @property
    def _failing(self) -> frozenset[DirectedLink]:
        failing = self._health.failing.items()
        return frozenset(
            self._indexing.directions[link] for link, sign in failing if sign == "loss"
        )

    def _view(self, now_s: float, filled: FloatArray) -> TwinView:
        allowed = np.ones(len(self._indexing.pairs))
        allowed[[self._indexing.pair[pair] for pair in self._dropped]] = 0.0
        forecast_bps, forecast_in_s = self._forecast_for_next(now_s, filled)
        load = self.mirror.sent_bps(now_s, _UTILISATION_WINDOW_S) / self.model.rate_bps
        return TwinView(
            now_s=now_s,
            topology=self._indexing.topology,
            routing=dict(self.mirror.routing),
            down=self.mirror.down,
            dropped=self._dropped,
            measured_bps=filled * allowed,
            forecast_bps=forecast_bps * allowed,
            forecast_in_s=forecast_in_s,
            utilisation=load[: self._indexing.cores],
            drained=self._deciding.drained(self._failing, self.mirror.down),
            gain_trust=self._deciding.trust.share,
            _model=self.model,
            _candidates=self._candidates,
        )


def _busy_intervals(rates: list[FloatArray]) -> int:
    """How many intervals carried traffic worth learning from: not the silence before it began."""
    totals = np.array([row.sum() for row in rates])
    return int((totals > BEGUN * totals.max(initial=0.0)).sum())
