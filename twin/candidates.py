"""Candidate paths of every OD pair: the moves that the optimiser may choose from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from topologies.model import DirectedLink, OdPair, Path, Routing
from topologies.paths import k_shortest_paths, path_directions
from twin.indexing import FloatArray, Indexing, IntArray

DEFAULT_PATHS = 12

CrossingArray = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class CandidateSet:
    """Candidate paths as arrays; the candidates of one pair stand next to each other."""

    pair: IntArray
    """(candidates,) the pair each belongs to."""
    path: tuple[Path, ...]
    crosses: CrossingArray
    """(candidates, core links) 1 where the path crosses the link."""
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
        self._rows: dict[Path, CrossingArray] = {}
        self._usual = self._gather([self._of(pair, frozenset()) for pair in indexing.pairs])
        self._first = np.searchsorted(self._usual.pair, np.arange(len(indexing.pairs)))

    def available(
        self,
        routing: Routing,
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
                start + (paths.index(now) if now in paths else 0) if paths else -1
                for start, paths, now in zip(
                    first, options, map(routing.get, self._indexing.pairs), strict=True
                )
            ]
        )
        return replace(found, current=current)

    def _usual_choice(self, routing: Routing) -> IntArray | None:
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
        now: Path | None,
        down: frozenset[DirectedLink],
        pinned: Collection[OdPair],
    ) -> tuple[Path, ...]:
        if now is not None and pair in pinned:
            return (now,)
        options = self._surviving(pair, down)
        if now is not None and now not in options and not _uses(now, down):
            return (now, *options)
        return options

    def _gather(self, options: list[tuple[Path, ...]]) -> CandidateSet:
        """The options of each pair as arrays; none is in use."""
        counts = [len(paths) for paths in options]
        paths = tuple(path for each in options for path in each)
        crosses = np.empty((len(paths), self._indexing.cores), dtype=np.uint8)
        for index, path in enumerate(paths):
            crosses[index] = self._row(path)
        return CandidateSet(
            pair=np.repeat(np.arange(len(options)), counts),
            path=paths,
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

    def _row(self, path: Path) -> CrossingArray:
        if path not in self._rows:
            row = np.zeros(self._indexing.cores, dtype=np.uint8)
            row[[self._indexing.link[hop] for hop in path_directions(path)]] = 1
            self._rows[path] = row
        return self._rows[path]


def routing_after(routing: Routing, moves: Mapping[OdPair, Path]) -> dict[OdPair, Path]:
    """Return `routing` with `moves` carried out."""
    return {**routing, **moves}


def _uses(path: Path, down: frozenset[DirectedLink]) -> bool:
    return not down.isdisjoint(path_directions(path))
