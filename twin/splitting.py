"""Splitting a few pairs over several paths, where no choice of one path each is good enough.

Only a pair of many flows can be split: each flow keeps to one path. The twin counts pairs, not
flows, and the traffic that a run replays is one flow a pair: so nothing is split unless it is asked
for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import gcd

import numpy as np

from topologies.model import OdPair, Path, Split, Way, Ways
from twin.indexing import FloatArray
from twin.path_choice import PathChoice, smooth_maximum

_UNITS = 8  # of which a pair's traffic is made up: the weights of a split add up to that at most
_LARGEST = 8  # pairs of the hottest link that are tried
_PROGRESS = 1e-3  # fall of the cost that counts
_MOST_STEPS = 200


@dataclass(frozen=True)
class _Shift:
    """Units of a pair's traffic that go from one candidate to another."""

    pair: int
    source: int
    target: int
    units: int


@dataclass(frozen=True)
class _Division:
    """How many units of each pair go by which candidate, and the utilisation it leads to."""

    units: dict[int, dict[int, int]]
    load: FloatArray

    @property
    def split(self) -> set[int]:
        """The pairs that go by more than one."""
        return {pair for pair, rows in self.units.items() if len(rows) > 1}


def split(state: PathChoice, pairs: tuple[OdPair, ...], most: int) -> tuple[Ways, float]:
    """Split up to `most` pairs so that the maximum utilisation falls.

    Returns the new ways of the pairs that have one, and the maximum that they lead to.
    """
    routed = np.flatnonzero(state.choice >= 0).tolist()
    begun = _Division({pair: {int(state.choice[pair]): _UNITS} for pair in routed}, state.load)
    now = begun
    for _ in range(_MOST_STEPS):
        better = _improved(state, now, most)
        if better is None:
            break
        now = better
    changed = {pair: rows for pair, rows in now.units.items() if rows != begun.units[pair]}
    ways = {pairs[pair]: _way(state, rows) for pair, rows in changed.items()}
    return ways, float(now.load.max(initial=0.0))


def _improved(state: PathChoice, now: _Division, most: int) -> _Division | None:
    """The best shift off the hottest link, carried out; None if none helps."""
    shifts = list(_shifts(state, now, most))
    if not shifts:
        return None
    sources = state.takes(np.array([shift.source for shift in shifts]))
    targets = state.takes(np.array([shift.target for shift in shifts]))
    shares = np.array([shift.units for shift in shifts])[:, None] / _UNITS
    loads = now.load + shares * (targets - sources)
    free = np.full(loads.shape[1], np.inf)
    costs = smooth_maximum(loads, free)
    best = int(np.argmin(costs))
    if costs[best] >= float(smooth_maximum(now.load, free)) * (1 - _PROGRESS):
        return None
    return replace(now, units=_carried_out(now.units, shifts[best]), load=loads[best])


def _shifts(state: PathChoice, now: _Division, most: int) -> Iterator[_Shift]:
    """Every way to take units off the hottest link, of the largest pairs on it."""
    matrix, core = divmod(int(np.argmax(now.load)), state.candidates.crosses.shape[1])
    crosses = state.candidates.crosses[:, core] > 0
    on_it = [pair for pair, rows in now.units.items() if any(crosses[row] for row in rows)]
    on_it.sort(key=lambda pair: -state.demand[pair, matrix])
    for pair in on_it[:_LARGEST]:
        may_split = pair in now.split or len(now.split) < most
        for source in (row for row in now.units[pair] if crosses[row]):
            if isinstance(state.candidates.way[source], Split):
                continue  # whoever made it knows why
            there = now.units[pair][source]
            for target in state.options_of(pair).tolist():
                if not crosses[target] and not isinstance(state.candidates.way[target], Split):
                    for units in range(1, there + 1) if may_split else (there,):
                        yield _Shift(pair, source, target, units)


def _carried_out(units: dict[int, dict[int, int]], shift: _Shift) -> dict[int, dict[int, int]]:
    rows = dict(units[shift.pair])
    rows[shift.source] -= shift.units
    rows[shift.target] = rows.get(shift.target, 0) + shift.units
    return {**units, shift.pair: {row: count for row, count in rows.items() if count}}


def _way(state: PathChoice, rows: dict[int, int]) -> Way:
    divisor = gcd(*rows.values())
    branches: list[tuple[Path, int]] = []
    for row, count in sorted(rows.items()):
        way = state.candidates.way[row]
        if len(rows) == 1 or isinstance(way, Split):
            return way
        branches.append((way, count // divisor))
    return Split(tuple(branches))
