"""One candidate path for every pair, and the utilisation it leads to: what searches walk over."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from twin.candidates import CandidateSet
from twin.indexing import FloatArray, IntArray
from twin.model import FRAME_BITS

SLACK = 1.01
"""A maximum this close to the best found is as good."""

_SQUARINGS = 5  # cost exponent 2**5: over 30 links the sum is within 12 % of the maximum
_LINEAR_FROM = 0.95  # the waiting time goes on as a tangent from this load


@dataclass(frozen=True)
class PathChoice:
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
    ) -> PathChoice:
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
        return float(smooth_maximum(self.load, self.ceiling))

    def settling(self) -> PathChoice:
        """Return the state with its hottest links taken for as good as they can be."""
        hottest = np.isinf(self.ceiling) & (self.load >= self.open_maximum * 0.98)
        ceiling = np.where(hottest, self.load * SLACK, self.ceiling)
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
        if not len(self.load):
            return np.empty(0, dtype=np.int64)
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

    def choosing(self, option: int) -> PathChoice:
        """Return the state with one path changed."""
        choice = self.choice.copy()
        choice[self.candidates.pair[option]] = option
        return replace(self, choice=choice, load=self.load_with(np.array([option]))[0])


def smooth_maximum(load: FloatArray, ceiling: FloatArray) -> FloatArray:
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


def waiting_cost(load: FloatArray) -> FloatArray:
    """Bits times milliseconds waited per second, of M/D/1 queues; over the last axis."""
    busy = np.minimum(load, _LINEAR_FROM)
    waits = busy / (2 * (1 - busy)) + (load - busy) / (2 * (1 - _LINEAR_FROM) ** 2)
    # load * rate bits a second wait for `waits` frame times of 1e3 * frame / rate milliseconds.
    return np.asarray((load * waits).sum(axis=-1) * FRAME_BITS * 1e3)
