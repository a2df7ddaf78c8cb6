"""Traffic and failures that a rerouting learner is trained on, judged by the performance model."""

from __future__ import annotations

import numpy as np

from topologies.loads import max_link_utilisation
from topologies.model import DirectedLink, Topology, Ways
from topologies.paths import shortest_paths
from twin.candidates import CandidatePaths
from twin.indexing import FloatArray, Indexing
from twin.model import PerformanceModel
from twin.move_offer import offer
from twin.path_choice import PathChoice
from twin.situation import Scenario, Situation, after

_LOADS = (0.5, 1.5)
"""Mean utilisation of the busiest link by shortest paths, over an episode."""
_PERIODS_PER_INTERVAL = 4
_SPREAD = 1.0  # of the mean rates of the pairs, on a log scale
_CHANGE, _MEMORY = 0.25, 0.8  # of a first-order autoregressive process, on a log scale
_SURGE_CHANCE, _SURGE = 0.05, 3.0  # per interval; of everything sent to one host
_FAILURE_CHANCE, _REPAIR_CHANCE = 0.03, 0.2  # per period
_LOSS_WEIGHT, _DELAY_WEIGHT = 10.0, 0.1
_COMFORTABLE = 0.6
_SLOWEST = 5.0  # a delay so many times longer, or more, is as bad


class Episode:
    """One network for some time."""

    def __init__(self, topology: Topology, random: np.random.Generator) -> None:
        self._random = random
        self._indexing = Indexing(topology)
        self._model = PerformanceModel(self._indexing)
        self._candidates = CandidatePaths(self._indexing)
        pairs = len(self._indexing.pairs)
        gravity = random.lognormal(0.0, _SPREAD, (2, len(topology.hosts)))
        mean = gravity[0, self._indexing.source] * gravity[1, self._indexing.target]
        self._plain = routing = shortest_paths(topology)
        busiest = max_link_utilisation(topology, routing, self._indexing.matrix(mean))
        self._mean_bps = mean * (float(random.uniform(*_LOADS)) / busiest)
        self._at_ease_ms = self._model.predict(routing, 1e-3 * self._mean_bps).mean_delay_ms
        self._strays = np.zeros(pairs)
        self._now_bps, self._next_bps = self._matrix(), self._matrix()
        self._situation = Situation(topology, "delay", routing, self._now_bps)
        self.periods = 0
        self._moved = 0
        self._state = self._start()
        self.offer = offer(self._state, 0)

    def move(self, option: int) -> None:
        """Draft one more move."""
        self._state = self._state.choosing(option)
        self._moved += 1
        self.offer = offer(self._state, self._moved)

    def pass_period(self) -> float:
        """Carry out what is drafted; return how much less the traffic suffers than on the routes
        of the plain controller. (Were it all that it suffers, putting the stop off would pay.)"""
        candidates = self._state.candidates
        routing = dict(self._situation.routing)
        for index in np.flatnonzero(self._state.choice >= 0):
            routing[self._indexing.pairs[index]] = candidates.way[self._state.choice[index]]
        self._situation = Situation(
            self._situation.topology, "delay", routing, self._now_bps, self._situation.down
        )
        gain = self.suffering(self._plain) - self.suffering(routing)
        self.periods += 1
        if self.periods % _PERIODS_PER_INTERVAL == 0:
            self._now_bps, self._next_bps = self._next_bps, self._matrix()
        self._fail_and_repair()
        self._moved = 0
        self._state = self._start()
        self.offer = offer(self._state, 0)
        return gain

    def suffering(self, routing: Ways) -> float:
        """Loss, congestion and delay in one number, the first first; 0 is a network at ease."""
        sent = self._now_bps
        prediction = self._model.predict(routing, sent)
        lost = float((sent * prediction.od_loss).sum() / sent.sum())
        congestion = max(0.0, min(prediction.max_utilisation, 2.0) - _COMFORTABLE)
        slower = min(prediction.mean_delay_ms / self._at_ease_ms - 1, _SLOWEST)
        return _LOSS_WEIGHT * lost + congestion + _DELAY_WEIGHT * slower

    def _start(self) -> PathChoice:
        """Where a decision starts from."""
        now = self._situation
        return PathChoice.initial(
            self._indexing.rate_bps[: self._indexing.cores],
            self._candidates.available(now.routing, now.down),
            np.array([self._now_bps, self._forecast()]),
        )

    def _forecast(self) -> FloatArray:
        """What comes next, as well as one may know it: known when it is near, else as now."""
        if self.periods % _PERIODS_PER_INTERVAL == _PERIODS_PER_INTERVAL - 1:
            return (self._now_bps + self._next_bps) / 2
        return self._now_bps

    def _matrix(self) -> FloatArray:
        noise = self._random.normal(0.0, _CHANGE, len(self._strays))
        self._strays = _MEMORY * self._strays + noise
        rates = self._mean_bps * np.exp(self._strays)
        if self._random.random() < _SURGE_CHANCE:
            victim = self._random.integers(len(self._indexing.topology.hosts))
            rates = np.where(self._indexing.target == victim, _SURGE * rates, rates)
        return np.asarray(rates)

    def _fail_and_repair(self) -> None:
        down = self._situation.down
        if down and self._random.random() < _REPAIR_CHANCE:
            down = frozenset()
        elif not down and self._random.random() < _FAILURE_CHANCE:
            links = self._indexing.topology.core_links
            victim = links[int(self._random.integers(len(links)))]
            down = frozenset(victim.directions)
        if down != self._situation.down:
            self._situation = self._restored(down)
            self._plain = shortest_paths(self._indexing.topology, down=down)

    def _restored(self, down: frozenset[DirectedLink]) -> Situation:
        """The routes that the controller restores once these links, and no others, are dead."""
        now = self._situation
        whole = Situation(now.topology, "delay", now.routing, self._now_bps)
        failed = tuple(link for link in sorted(down) if link[0] < link[1])
        return after(whole, Scenario(fail_links=failed))
