"""What a policy sees: the network as the twin knows it, and what-if evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from topologies.model import DirectedLink, OdPair, Topology, Ways
from topologies.splits import hops_of
from twin.candidates import CandidatePaths, CandidateSet
from twin.indexing import FloatArray
from twin.model import PerformanceModel, Prediction, Predictions
from twin.optimise import COMFORTABLE_UTILISATION, Plan, optimise
from twin.path_choice import PathChoice
from twin.routed_pairs import RoutedPairs

LEAD_S = 1.0
"""How long before an interval its forecast counts."""


@dataclass(frozen=True)
class TwinView:
    """A read-only picture of one instant. Per-pair arrays follow `Topology.od_pairs`.

    Pairs that are being dropped count as sending nothing.
    """

    now_s: float
    """CLOCK_MONOTONIC."""
    topology: Topology
    routing: Ways
    """Routes installed and confirmed."""
    down: frozenset[DirectedLink]
    """Core links without carrier, both directions of each."""
    dropped: frozenset[OdPair]
    measured_bps: FloatArray
    """(pairs,) what each pair sends now; gaps in the telemetry are filled."""
    forecast_bps: FloatArray
    """(pairs,) what each is forecast to send in the next interval to begin."""
    forecast_in_s: float
    """Until that interval begins."""
    utilisation: FloatArray
    """(core directions,) measured at the ports over the last second or so; NaN in gaps."""
    drained: frozenset[DirectedLink] = field(default=frozenset(), kw_only=True)
    """Core links kept empty because they will fail, both ways: no move may use one."""
    gain_trust: float = field(default=1.0, kw_only=True)
    """The share of the gains promised for reroutes that came true lately; 1 is all of them."""
    _model: PerformanceModel = field(repr=False)
    _candidates: CandidatePaths = field(repr=False)

    @property
    def matrices_bps(self) -> FloatArray:
        """(matrices, pairs) that routes have to suit: what is measured, and what is forecast for an
        interval that is about to begin."""
        if self.forecast_in_s > LEAD_S:
            return self.measured_bps[None]
        return np.array([self.measured_bps, self.forecast_bps])

    @cached_property
    def standing(self) -> Ways:
        """The routes as they are without a move: pairs that a dead link has just cut are taken for
        restored, as the controller does; those that have no path are absent."""
        cut = {p for p, way in self.routing.items() if not self.down.isdisjoint(hops_of(way))}
        if not cut:
            return self.routing
        found = self._living
        started = zip(self._model.indexing.pairs, found.current, strict=True)
        restored = {pair: found.way[row] for pair, row in started if row >= 0 and pair in cut}
        return {**{p: way for p, way in self.routing.items() if p not in cut}, **restored}

    def what_if(self, moves: Ways, od_bps: FloatArray | None = None) -> Prediction:
        """Predict the network after `moves`, under `od_bps` (pairs,) or else what is measured."""
        matrix = self.measured_bps if od_bps is None else od_bps
        return self.what_ifs(moves, matrix[None])[0]

    def what_ifs(self, moves: Ways, matrices_bps: FloatArray) -> Predictions:
        """Predict the network after `moves`, under each of the matrices (matrices, pairs)."""
        if not moves:
            return self._model.predict_all(self._standing_pairs, matrices_bps)
        routed = RoutedPairs(self._model.indexing, {**self.standing, **moves})
        return self._model.predict_all(routed, matrices_bps)

    @cached_property
    def _standing_pairs(self) -> RoutedPairs:
        return RoutedPairs(self._model.indexing, self.standing)

    def paths(self, od_bps: FloatArray | None = None) -> PathChoice:
        """The routes in use and all that could take their place, for a search of one's own.

        Args:
            od_bps: (pairs,) or (matrices, pairs) that they carry; else what is measured.
        """
        matrix = self.measured_bps if od_bps is None else od_bps
        return PathChoice.initial(
            self._model.rate_bps[: self._model.indexing.cores],
            self._without(self.drained),
            matrix * self._model.correction.load_gain,
        )

    def best_moves(
        self,
        od_bps: FloatArray | None = None,
        *,
        budget_s: float = 0.08,
        comfortable: float = COMFORTABLE_UTILISATION,
    ) -> Plan:
        """Search for few moves that minimise the maximum utilisation, then the mean delay.

        Args:
            od_bps: (pairs,) or (matrices, pairs) that the moves shall suit; else what is measured.
            budget_s: processor time the search may take.
            comfortable: a maximum below this counts as this.
        """
        matrix = self.measured_bps if od_bps is None else od_bps
        return self._optimised(self._without(self.drained), matrix, budget_s, comfortable)

    def moves_off(self, links: frozenset[DirectedLink], budget_s: float = 0.08) -> Ways:
        """Good routes without `links`, for the pairs that now cross one and whoever makes room.

        A pair that cannot do without stays.
        """
        candidates = self._without(self.drained | links)
        comfortable = COMFORTABLE_UTILISATION
        plan = self._optimised(candidates, self.measured_bps, budget_s, comfortable)
        first = zip(self._model.indexing.pairs, candidates.current, strict=True)
        started = {pair: candidates.way[way] for pair, way in first if way >= 0}
        wanted = {**started, **plan.moves}
        return {pair: way for pair, way in wanted.items() if way != self.routing.get(pair)}

    @cached_property
    def _living(self) -> CandidateSet:
        """The routes in use and their alternatives, over links that are up."""
        return self._candidates.available(self.routing, self.down, self.dropped)

    def _without(self, links: frozenset[DirectedLink]) -> CandidateSet:
        """The same without `links`."""
        if links <= self.down:
            return self._living
        return self._candidates.available(self.routing, self.down | links, self.dropped)

    def _optimised(
        self, candidates: CandidateSet, matrix: FloatArray, budget_s: float, comfortable: float
    ) -> Plan:
        return optimise(
            self._model.indexing,
            candidates,
            matrix * self._model.correction.load_gain,
            rate_bps=self._model.rate_bps,
            budget_s=budget_s,
            comfortable=comfortable,
        )
