"""Candidate paths of every OD pair: the moves that the optimiser may choose from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from topologies.model import DirectedLink, OdPair, Path, Routing
from topologies.paths import k_shortest_paths, path_directions
from twin.indexing import FloatArray, Indexing, IntArray

DEFAULT_PATHS = 12


@dataclass(frozen=True)
class CandidateSet:
    """Candidate paths as arrays; the candidates of one pair stand next to each other."""

    pair: IntArray
    """(candidates,) the pair each belongs to."""
    path: tuple[Path, ...]
    crosses: FloatArray
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
        self._rows: dict[Path, FloatArray] = {}
        for pair in indexing.pairs:
            self._of(pair, frozenset())

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
        owners: list[int] = []
        paths: list[Path] = []
        current = np.full(len(self._indexing.pairs), -1)
        for index, pair in enumerate(self._indexing.pairs):
            now = routing.get(pair)
            options: tuple[Path, ...]
            if now is not None and pair in pinned:
                options = (now,)
            else:
                options = self._surviving(pair, down)
                if now is not None and now not in options and not _uses(now, down):
                    options = (now, *options)
            if options:
                current[index] = len(paths) + (options.index(now) if now in options else 0)
                owners += [index] * len(options)
                paths += options
        return CandidateSet(
            pair=np.array(owners, dtype=np.int64),
            path=tuple(paths),
            crosses=np.array([self._row(path) for path in paths]).reshape(
                len(paths), self._indexing.cores
            ),
            propagation_ms=np.array([self._propagation_ms(path) for path in paths]),
            current=current,
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

    def _row(self, path: Path) -> FloatArray:
        if path not in self._rows:
            row = np.zeros(self._indexing.cores)
            row[[self._indexing.link[hop] for hop in path_directions(path)]] = 1.0
            self._rows[path] = row
        return self._rows[path]

    def _propagation_ms(self, path: Path) -> float:
        return float(self._row(path) @ self._indexing.delay_ms[: self._indexing.cores])


def routing_after(routing: Routing, moves: Mapping[OdPair, Path]) -> dict[OdPair, Path]:
    """Return `routing` with `moves` carried out."""
    return {**routing, **moves}


def _uses(path: Path, down: frozenset[DirectedLink]) -> bool:
    return not down.isdisjoint(path_directions(path))
