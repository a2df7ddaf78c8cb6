"""Candidate paths of every OD pair: the moves that the optimiser may choose from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from topologies.model import DirectedLink, OdPair, Path, Split, Way, Ways
from topologies.paths import k_shortest_paths, path_directions
from topologies.splits import paths_of, shares_of
from twin.indexing import BoolArray, FloatArray, Indexing, IntArray
from twin.waypoints import WaypointPaths

DEFAULT_PATHS = 12

CrossingArray = npt.NDArray[np.uint8 | np.float32]
"""Whole numbers, which are quicker to gather, unless there is a split."""


@dataclass(frozen=True)
class CandidateSet:
    """Candidate paths as arrays; the candidates of one pair stand next to each other."""

    pair: IntArray
    """(candidates,) the pair each belongs to."""
    way: tuple[Way, ...]
    """A path, or the split that is now in use."""
    crosses: CrossingArray
    """(candidates, core links) 1 where the path crosses the link, of a split its share."""
    propagation_ms: FloatArray
    """(candidates,) between the access links."""
    current: IntArray
    """(pairs,) the candidate now in use; -1 for a pair that cannot be connected."""


class CandidatePaths:
    """The k shortest paths by delay of every pair of switches, computed once.

    A failure that leaves a pair few of them calls for others, at once: the k shortest that are left
    take half a second in a large network, so they are the shortest over a waypoint each.
    """

    def __init__(self, indexing: Indexing, k: int = DEFAULT_PATHS) -> None:
        self._indexing = indexing
        self._k = k
        switch_of = indexing.topology.switch_of
        self._ends = [(switch_of[source], switch_of[target]) for source, target in indexing.pairs]
        paths: dict[tuple[str, str], tuple[Path, ...]] = {}
        for ends in self._ends:
            if ends not in paths:
                paths[ends] = _shortest(indexing, *ends, k)
        usual = [(pair, path) for pair, ends in enumerate(self._ends) for path in paths[ends]]
        self._usual = self._as_arrays(usual)
        self._rows: list[dict[Way, int]] = [{} for _ in self._ends]
        for row, (pair, path) in enumerate(usual):
            self._rows[pair][path] = row
        self._last: tuple[frozenset[DirectedLink], WaypointPaths] | None = None

    def available(
        self,
        routing: Ways,
        down: frozenset[DirectedLink] = frozenset(),
        pinned: Collection[OdPair] = (),
    ) -> CandidateSet:
        """Return the candidates that avoid `down`, those now in use among them.

        A pair in `pinned` keeps its route. A pair whose route is down starts from its shortest
        surviving path.
        """
        now = [routing.get(pair) for pair in self._indexing.pairs]
        usual_now = np.array(
            [rows.get(way, -1) if way else -1 for rows, way in zip(self._rows, now, strict=True)],
            dtype=np.int64,
        )
        if not down and not pinned and (usual_now >= 0).all():
            return replace(self._usual, current=usual_now)
        fixed = {self._indexing.pair[pair] for pair in pinned if pair in routing}
        kept = self._surviving(down)
        kept[np.isin(self._usual.pair, list(fixed))] = False
        kept[usual_now[[pair for pair in fixed if usual_now[pair] >= 0]]] = True
        others = [
            (pair, way)
            for pair, way in enumerate(now)
            if way is not None and usual_now[pair] < 0 and (pair in fixed or not _uses(way, down))
        ]
        others += self._replacements(kept, down, fixed, dict(others))
        return self._with_current(self._joined(kept, others), now)

    def _surviving(self, down: frozenset[DirectedLink]) -> BoolArray:
        """(usual candidates,) which of them cross none of the links."""
        cores = self._indexing.topology.core_directions
        dead = [number for number, hop in enumerate(cores) if hop in down]
        return np.asarray(~self._usual.crosses[:, dead].any(axis=1))

    def _replacements(
        self,
        kept: BoolArray,
        down: frozenset[DirectedLink],
        fixed: Collection[int],
        in_use: dict[int, Way],
    ) -> list[tuple[int, Way]]:
        """Paths for the pairs that a failure has left few of."""
        left = np.bincount(self._usual.pair[kept], minlength=len(self._ends))
        usually = np.bincount(self._usual.pair, minlength=len(self._ends))
        found: list[tuple[int, Way]] = []
        for pair in map(int, np.flatnonzero((left <= self._k // 2) & (left < usually))):
            if pair not in fixed:
                paths = self._without(down).between(*self._ends[pair], self._k)
                known = self._rows[pair]
                new = (path for path in paths if path not in known and path != in_use.get(pair))
                found += [(pair, path) for path in new]
        return found

    def _without(self, down: frozenset[DirectedLink]) -> WaypointPaths:
        """Those of the last failure are kept, together with it: two threads may be here at once."""
        last = self._last
        if last is None or down != last[0]:
            self._last = last = down, WaypointPaths(self._indexing.topology, down)
        return last[1]

    def _joined(self, kept: BoolArray, others: Sequence[tuple[int, Way]]) -> CandidateSet:
        """The usual candidates that are kept, and others, in the order of the pairs."""
        more = self._as_arrays(others)
        rows = np.flatnonzero(kept)
        pair = np.concatenate([self._usual.pair[rows], more.pair])
        ways = [self._usual.way[row] for row in rows] + list(more.way)
        order = np.argsort(pair, kind="stable")
        crosses = np.concatenate([self._usual.crosses[rows], more.crosses])
        propagation_ms = np.concatenate([self._usual.propagation_ms[rows], more.propagation_ms])
        return CandidateSet(
            pair=pair[order],
            way=tuple(ways[row] for row in order),
            crosses=crosses[order],
            propagation_ms=propagation_ms[order],
            current=self._usual.current,
        )

    def _with_current(self, candidates: CandidateSet, now: Sequence[Way | None]) -> CandidateSet:
        first = np.searchsorted(candidates.pair, np.arange(len(now) + 1))
        groups = zip(now, first[:-1].tolist(), first[1:].tolist(), strict=True)
        current = [_current(candidates, way, range(start, end)) for way, start, end in groups]
        return replace(candidates, current=np.array(current, dtype=np.int64))

    def _as_arrays(self, ways: Sequence[tuple[int, Way]]) -> CandidateSet:
        """Pairs by number, each with a way; none is in use."""
        crosses = np.empty((len(ways), self._indexing.cores), dtype=_dtype(way for _, way in ways))
        for row, (_, way) in enumerate(ways):
            crosses[row] = self._crossing(way)
        return CandidateSet(
            pair=np.array([pair for pair, _ in ways], dtype=np.int64),
            way=tuple(way for _, way in ways),
            crosses=crosses,
            propagation_ms=crosses @ self._indexing.delay_ms[: self._indexing.cores],
            current=np.full(len(self._ends), -1),
        )

    def _crossing(self, way: Way) -> FloatArray:
        """(core links,) the share of it that crosses each."""
        crossing = np.zeros(self._indexing.cores)
        for path, share in shares_of(way):
            crossing[[self._indexing.link[hop] for hop in path_directions(path)]] += share
        return crossing


def routing_after(routing: Ways, moves: Ways) -> dict[OdPair, Way]:
    """Return `routing` with `moves` carried out."""
    return {**routing, **moves}


def _shortest(indexing: Indexing, source: str, target: str, k: int) -> tuple[Path, ...]:
    if source == target:
        return ((source,),)
    return tuple(k_shortest_paths(indexing.topology, source, target, k, "delay"))


def _current(candidates: CandidateSet, now: Way | None, group: range) -> int:
    """The row of the way in use; else that of the shortest; -1 where there is none."""
    for row in group:
        if candidates.way[row] == now:
            return row
    return min(group, key=lambda row: candidates.propagation_ms[row], default=-1)


def _dtype(ways: Iterable[Way]) -> type[np.uint8] | type[np.float32]:
    return np.float32 if any(isinstance(way, Split) for way in ways) else np.uint8


def _uses(way: Way, down: frozenset[DirectedLink]) -> bool:
    return any(not down.isdisjoint(path_directions(path)) for path in paths_of(way))
