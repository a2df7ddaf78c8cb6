"""Decisions of the twin policy on any network, without a lab, and how near the optimum they are."""

from __future__ import annotations

import time

import numpy as np

from topologies.loads import max_link_utilisation
from topologies.model import DirectedLink, Topology, Ways
from topologies.optimum import min_max_utilisation
from topologies.paths import shortest_paths
from twin.candidates import CandidatePaths, routing_after
from twin.indexing import FloatArray, Indexing
from twin.model import PerformanceModel
from twin.optimise import optimise
from twin.policies import TwinPolicy
from twin.view import TwinView

_LEAST = 0.9
_HOT = 1.2
_NOTHING: frozenset[DirectedLink] = frozenset()


class Decider:
    """Routes matrices over one network."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.indexing = Indexing(topology)
        self.shortest = shortest_paths(topology)
        self._model = PerformanceModel(self.indexing)
        self._candidates = CandidatePaths(self.indexing)

    def scale(self, od_bps: FloatArray) -> float:
        """What to multiply a matrix (pairs,) by, so that the best routing fills `_LEAST`."""
        return _LEAST / min_max_utilisation(self.topology, self.indexing.matrix(od_bps))

    def ratio(
        self, routing: Ways, od_bps: FloatArray, down: frozenset[DirectedLink] = _NOTHING
    ) -> float:
        """The TE ratio of a routing under a matrix (pairs,) that is scaled so."""
        matrix_bps = self.indexing.matrix(od_bps)
        least = min_max_utilisation(self.topology, matrix_bps, down) if down else _LEAST
        return max_link_utilisation(self.topology, routing, matrix_bps) / least

    def overloading(self, od_bps: FloatArray) -> FloatArray:
        """The matrix (pairs,) scaled until shortest paths fill the busiest link by `_HOT`."""
        busiest = max_link_utilisation(self.topology, self.shortest, self.indexing.matrix(od_bps))
        return od_bps * (_HOT / busiest)

    def route(self, od_bps: FloatArray, splits: int = 0) -> Ways:
        """The optimiser's routes for a matrix (pairs,), be they worth the churn or not.

        So many pairs may be split over several paths.
        """
        candidates = self._candidates.available(self.shortest)
        hurry_s = TwinPolicy.HURRY_S
        plan = optimise(self.indexing, candidates, od_bps, budget_s=hurry_s, splits=splits)
        return routing_after(self.shortest, plan.moves)

    def decide(
        self, routing: Ways, od_bps: FloatArray, down: frozenset[DirectedLink] = _NOTHING
    ) -> tuple[Ways, float]:
        """The routes that a whole decision leads to, and the milliseconds that it took."""
        load = max_link_utilisation(self.topology, routing, self.indexing.matrix(od_bps))
        view = TwinView(
            now_s=0.0,
            topology=self.topology,
            routing=routing,
            down=down,
            dropped=frozenset(),
            measured_bps=od_bps,
            forecast_bps=od_bps,
            forecast_in_s=0.0,  # it counts, too: the dearest case
            utilisation=np.full(self.indexing.cores, load),
            _model=self._model,
            _candidates=self._candidates,
        )
        policy = TwinPolicy()
        begun_s = time.perf_counter()
        proposal = policy.decide(view)
        decided_ms = 1e3 * (time.perf_counter() - begun_s)
        return routing_after(view.standing, proposal.moves if proposal else {}), decided_ms

    def failure(self, random: np.random.Generator) -> frozenset[DirectedLink]:
        """Both directions of a core link without which every pair still has a path."""
        links = self.topology.core_links
        for index in random.permutation(len(links)):
            down = frozenset(links[int(index)].directions)
            if len(shortest_paths(self.topology, down=down)) == len(self.shortest):
                return down
        return _NOTHING
