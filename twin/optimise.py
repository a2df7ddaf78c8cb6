"""Search for the moves that lower the maximum link utilisation, then the mean delay.

Where the hottest links cannot be relieved, by a cut of the network or at all in the time, the next
hottest are, and so on down: a lexicographic minimum, as far as the time goes.

Local search over one path per pair: a smooth cost that punishes the hottest links stands in for
the maximum; the best single move off the hottest link is taken again and again; when none helps, a
few pairs on it are thrown onto other paths and the search goes on from there. Cf. B. Fortz and
M. Thorup, "Internet traffic engineering by optimizing OSPF weights", INFOCOM 2000, and
H. R. Lourenço et al., "Iterated local search", Handbook of Metaheuristics, 2003.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from topologies.model import OdPair, Path
from twin.candidates import CandidateSet
from twin.indexing import FloatArray, Indexing, IntArray

COMFORTABLE_UTILISATION = 0.6
"""Queues are short below this: lowering the maximum further is not worth a detour."""

_SQUARINGS = 5  # cost exponent 2**5: over 30 links the sum is within 12 % of the maximum
_KICKED_PAIRS = 5
_FOR_LOWER_LEVELS = 0.25  # share of the time left, once the hottest links are settled
_CROWDED = 0.85  # below this, links other than the hottest are well enough as they are
_PATIENCE = 40  # kicks in a row that may lead nowhere
_PROGRESS = 1e-3  # fall of the cost that counts as getting somewhere
_SLACK = 1.01  # a maximum this close to the best found is as good
_WORTH_A_MOVE = 0.02  # a pair moves for the delay's sake only if the mean delay gains this share
_LINEAR_FROM = 0.95  # the waiting time goes on as a tangent from this load
_FRAME_BITS = 1442 * 8.0


@dataclass(frozen=True)
class Plan:
    """What the search found."""

    moves: Mapping[OdPair, Path]
    max_utilisation_before: float
    """Over the core links and the matrices, a pair whose route is down on its shortest path."""
    max_utilisation: float
    """The same after the moves."""


def optimise(
    indexing: Indexing,
    candidates: CandidateSet,
    od_bps: FloatArray,
    *,
    rate_bps: FloatArray | None = None,
    budget_s: float = 0.08,
    comfortable: float = COMFORTABLE_UTILISATION,
    seed: int = 0,
) -> Plan:
    """Find few moves that minimise the maximum core utilisation, then the mean delay.

    Args:
        indexing: the topology.
        candidates: paths to choose from, and those in use.
        od_bps: (pairs,) what each pair sends, finite; or (matrices, pairs), and the moves shall
            suit them all.
        rate_bps: (links,) what each link carries; without it, as configured.
        budget_s: processor time the search may take: a busy machine takes longer, not less care.
        comfortable: a maximum below this counts as this.
        seed: of the random kicks.
    """
    deadline_s = time.thread_time() + budget_s
    rates = indexing.rate_bps if rate_bps is None else rate_bps
    state = _State.initial(rates[: indexing.cores], candidates, od_bps)
    best = _explore(state, comfortable, np.random.default_rng(seed), deadline_s)
    final = _shorten(best, comfortable, state.choice)
    moved = np.flatnonzero(final.choice != candidates.current)
    return Plan(
        moves={indexing.pairs[p]: candidates.path[final.choice[p]] for p in moved},
        max_utilisation_before=state.maximum,
        max_utilisation=final.maximum,
    )


@dataclass(frozen=True)
class _State:
    """A choice of paths, and the utilisation it leads to."""

    candidates: CandidateSet
    demand: FloatArray
    """(pairs, matrices) what each pair sends."""
    rate_bps: FloatArray
    """(links,); "links" are the core links once for every matrix."""
    path_cost: FloatArray
    """(candidates,) bits times milliseconds of propagation per second."""
    choice: IntArray
    """(pairs,) candidate of each pair; -1 for none."""
    load: FloatArray
    """(links,) utilisation."""
    ceiling: FloatArray
    """(links,) what links whose load is settled may carry; infinite for the others."""

    @classmethod
    def initial(
        cls, core_bps: FloatArray, candidates: CandidateSet, od_bps: FloatArray
    ) -> _State:
        """The paths now in use."""
        demand = np.ascontiguousarray(np.atleast_2d(od_bps).T)
        rate_bps = np.tile(core_bps, demand.shape[1])
        choice = candidates.current
        routed = np.flatnonzero(choice >= 0)
        carried = demand[routed].T @ candidates.crosses[choice[routed]].astype(np.float64)
        return cls(
            candidates=candidates,
            demand=demand,
            rate_bps=rate_bps,
            path_cost=demand.sum(axis=1)[candidates.pair] * candidates.propagation_ms,
            choice=choice,
            load=carried.ravel() / rate_bps,
            ceiling=np.full(len(rate_bps), np.inf),
        )

    @property
    def maximum(self) -> float:
        """Highest utilisation."""
        return float(self.load.max(initial=0.0))

    @property
    def open_maximum(self) -> float:
        """Highest utilisation of the links that are not settled."""
        return float(self.load[np.isinf(self.ceiling)].max(initial=0.0))

    @property
    def cost(self) -> float:
        """What the search lowers."""
        return float(_cost(self.load, self.ceiling))

    def settling(self) -> _State:
        """Return the state with its hottest links taken for as good as they can be."""
        hottest = np.isinf(self.ceiling) & (self.load >= self.open_maximum * 0.98)
        ceiling = np.where(hottest, self.load * _SLACK, self.ceiling)
        return replace(self, ceiling=ceiling)

    def takes(self, options: IntArray) -> FloatArray:
        """(options, links) share of each link that a candidate takes if chosen."""
        crosses = self.candidates.crosses[options]
        demand = self.demand[self.candidates.pair[options]]
        shares = demand[:, :, None] * crosses[:, None, :]
        return np.asarray(shares.reshape(len(options), len(self.rate_bps)) / self.rate_bps)

    def pairs_on(self, link: int) -> IntArray:
        """Pairs that send over `link`."""
        matrix, core = divmod(link, self.candidates.crosses.shape[1])
        routed = np.flatnonzero((self.choice >= 0) & (self.demand[:, matrix] > 0))
        return np.asarray(routed[self.candidates.crosses[self.choice[routed], core] > 0])

    def options_of(self, pair: int) -> IntArray:
        """Candidates of `pair`."""
        return np.arange(*np.searchsorted(self.candidates.pair, [pair, pair + 1]))

    def ways_out(self) -> IntArray:
        """Candidates off the hottest link not settled, for the pairs that now cross it."""
        hot = int(np.argmax(np.where(np.isinf(self.ceiling), self.load, -1.0)))
        on_hot = np.zeros(len(self.choice), dtype=bool)
        on_hot[self.pairs_on(hot)] = True
        options = np.flatnonzero(on_hot[self.candidates.pair])
        core = hot % self.candidates.crosses.shape[1]
        return np.asarray(options[self.candidates.crosses[options, core] == 0])

    def load_with(self, options: IntArray) -> FloatArray:
        """(options, links) utilisation if one option each were chosen."""
        now = self.choice[self.candidates.pair[options]]
        return np.asarray(self.load + (self.takes(options) - self.takes(now)))

    def choosing(self, option: int) -> _State:
        """Return the state with one path changed."""
        choice = self.choice.copy()
        choice[self.candidates.pair[option]] = option
        return replace(self, choice=choice, load=self.load_with(np.array([option]))[0])


def _explore(
    state: _State, comfortable: float, random: np.random.Generator, deadline_s: float
) -> _State:
    """Lower the maximum; then, where it cannot be lowered, that of the other links, and so on."""
    best = state
    while best.open_maximum > comfortable and (left_s := deadline_s - time.thread_time()) > 0:
        # What cannot be relieved shows at once; else most of the time belongs to the maximum.
        best = _lower(best, comfortable, random, deadline_s - left_s * _FOR_LOWER_LEVELS)
        best = best.settling()
        comfortable = max(comfortable, _CROWDED)
    return best


def _lower(
    state: _State, comfortable: float, random: np.random.Generator, deadline_s: float
) -> _State:
    """Descend, kick, descend again; return the state with the lowest cost."""
    best = _descend(state, deadline_s)
    fruitless = 0
    while fruitless < _PATIENCE and time.thread_time() < deadline_s:
        if best.open_maximum <= comfortable or not len(best.ways_out()):
            break  # good enough, or nobody can do better
        found = _descend(_kicked(best, random), deadline_s)
        fruitless = 0 if found.cost < best.cost * (1 - _PROGRESS) else fruitless + 1
        if found.cost <= best.cost:
            best = found
    return best


def _descend(state: _State, deadline_s: float) -> _State:
    """Take the best move off the hottest link until none lowers the cost."""
    while time.thread_time() < deadline_s:
        options = state.ways_out()
        if not len(options):
            break
        costs = _cost(state.load_with(options), state.ceiling)
        best = int(np.argmin(costs))
        if costs[best] >= state.cost * (1 - 1e-6):
            break
        state = state.choosing(int(options[best]))
    return state


def _kicked(state: _State, random: np.random.Generator) -> _State:
    """Throw a few pairs of a hottest link onto any of their paths."""
    hottest = np.flatnonzero(np.isinf(state.ceiling) & (state.load >= state.open_maximum * 0.98))
    victims = state.pairs_on(int(random.choice(hottest)))
    for pair in random.choice(victims, min(_KICKED_PAIRS, len(victims)), replace=False):
        state = state.choosing(int(random.choice(state.options_of(int(pair)))))
    return state


def _shorten(state: _State, comfortable: float, start: IntArray) -> _State:
    """Give moved pairs a better path, preferably their old one, if no link gets hotter by it."""
    limit = np.maximum(np.minimum(state.ceiling, state.maximum * _SLACK), comfortable)
    moved = np.flatnonzero(state.choice != start)
    lightest_first = np.argsort(state.takes(state.choice[moved]).max(axis=1, initial=0.0))
    for pair in moved[lightest_first]:
        options = state.options_of(int(pair))
        loads = state.load_with(options)
        cost = _waiting_cost(loads) + state.path_cost[options]
        # Constant parts of the mean delay drop out, so the gain is measured against the total.
        routed = state.choice[state.choice >= 0]
        total = cost[options == state.choice[pair]][0] + state.path_cost[routed].sum()
        cost = cost + np.where(options == start[pair], 0.0, _WORTH_A_MOVE * total)
        cost[(loads > limit).any(axis=1)] = np.inf
        best = int(options[np.argmin(cost)])
        if np.isfinite(cost.min()) and best != state.choice[pair]:
            state = state.choosing(best)
    return state


def _cost(load: FloatArray, ceiling: FloatArray) -> FloatArray:
    """A smooth maximum of the links not settled: their norm of order 2**_SQUARINGS.

    Over the last axis; infinite where a settled link exceeds its ceiling.
    """
    power = np.where(np.isinf(ceiling), load, 0.0)
    top = np.maximum(power.max(axis=-1, keepdims=True), 1e-12)
    power = power / top
    for _ in range(_SQUARINGS):
        power = power * power
    cost = top[..., 0] * power.sum(axis=-1) ** (0.5**_SQUARINGS)
    return np.asarray(np.where((load > ceiling).any(axis=-1), np.inf, cost))


def _waiting_cost(load: FloatArray) -> FloatArray:
    """Bits times milliseconds waited per second, of M/D/1 queues; over the last axis."""
    busy = np.minimum(load, _LINEAR_FROM)
    waits = busy / (2 * (1 - busy)) + (load - busy) / (2 * (1 - _LINEAR_FROM) ** 2)
    # load * rate bits a second wait for `waits` frame times of 1e3 * frame / rate milliseconds.
    return np.asarray((load * waits).sum(axis=-1) * _FRAME_BITS * 1e3)
