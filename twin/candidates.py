"""Candidate paths of every OD pair: the moves that the optimiser may choose from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from topologies.model import DirectedLink, OdPair, Path, Split, Way, Ways
from topologies.paths import k_shortest_paths, path_directions
from topologies.splits import paths_of, shares_of
from twin.indexing import FloatArray, Indexing, IntArray

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
    """The k shortest paths by delay of every pair of switches, computed once."""

    def __init__(self, indexing: Indexing, k: int = DEFAULT_PATHS) -> None:
        self._indexing = indexing
        self._k = k
        self._paths: dict[tuple[str, str, frozenset[DirectedLink]], tuple[Path, ...]] = {}
        self._rows: dict[Way, CrossingArray] = {}
        self._usual = self._gather([self._of(pair, frozenset()) for pair in indexing.pairs])
        self._first = np.searchsorted(self._usual.pair, np.arange(len(indexing.pairs)))

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
        if not down and not pinned and (current := self._usual_choice(routing)) is not None:
            return replace(self._usual, current=current)
        options = [
            self._options(pair, routing.get(pair), down, pinned) for pair in self._indexing.pairs
        ]
        found = self._gather(options)
        first = np.searchsorted(found.pair, np.arange(len(options)))
        current = np.array(
            [
                start + (ways.index(now) if now in ways else 0) if ways else -1
                for start, ways, now in zip(
                    first, options, map(routing.get, self._indexing.pairs), strict=True
                )
            ]
        )
        return replace(found, current=current)

    def _usual_choice(self, routing: Ways) -> IntArray | None:
        """The usual candidates that are in use; None if a route is not among them."""
        current = np.empty(len(self._indexing.pairs), dtype=np.int64)
        for index, pair in enumerate(self._indexing.pairs):
            now, options = routing.get(pair), self._of(pair, frozenset())
            if now not in options:
                return None
            current[index] = self._first[index] + options.index(now)
        return current

    def _options(
        self,
        pair: OdPair,
        now: Way | None,
        down: frozenset[DirectedLink],
        pinned: Collection[OdPair],
    ) -> tuple[Way, ...]:
        if now is not None and pair in pinned:
            return (now,)
        options = self._surviving(pair, down)
        if now is not None and now not in options and not _uses(now, down):
            return (now, *options)
        return options

    def _gather(self, options: Sequence[tuple[Way, ...]]) -> CandidateSet:
        """The options of each pair as arrays; none is in use."""
        counts = [len(ways) for ways in options]
        ways = tuple(way for each in options for way in each)
        crosses = np.empty((len(ways), self._indexing.cores), dtype=_dtype(ways))
        for index, way in enumerate(ways):
            crosses[index] = self._row(way)
        return CandidateSet(
            pair=np.repeat(np.arange(len(options)), counts),
            way=ways,
            crosses=crosses,
            propagation_ms=crosses @ self._indexing.delay_ms[: self._indexing.cores],
            current=np.full(len(options), -1),
        )

    def _surviving(self, pair: OdPair, down: frozenset[DirectedLink]) -> tuple[Path, ...]:
        known = tuple(p for p in self._of(pair, frozenset()) if not _uses(p, down))
        # A failure that leaves few of the usual paths calls for others.
        return known if len(known) > self._k // 2 or not down else self._of(pair, down)

    def _of(self, pair: OdPair, down: frozenset[DirectedLink]) -> tuple[Path, ...]:
        topology = self._indexing.topology
        source, target = topology.switch_of[pair[0]], topology.switch_of[pair[1]]
        key = (source, target, down)
        if key not in self._paths:
            if source == target:
                found: list[Path] = [(source,)]
            else:
                found = k_shortest_paths(topology, source, target, self._k, "delay", down)
            self._paths[key] = tuple(found)
        return self._paths[key]

    def _row(self, way: Way) -> CrossingArray:
        if way not in self._rows:
            row = np.zeros(self._indexing.cores)
            for path, share in shares_of(way):
                row[[self._indexing.link[hop] for hop in path_directions(path)]] += share
            self._rows[way] = row.astype(_dtype([way]))
        return self._rows[way]


def _dtype(ways: Iterable[Way]) -> type[np.uint8] | type[np.float32]:
    return np.float32 if any(isinstance(way, Split) for way in ways) else np.uint8


def routing_after(routing: Ways, moves: Ways) -> dict[OdPair, Way]:
    """Return `routing` with `moves` carried out."""
    return {**routing, **moves}


def _uses(way: Way, down: frozenset[DirectedLink]) -> bool:
    return any(not down.isdisjoint(path_directions(path)) for path in paths_of(way))
