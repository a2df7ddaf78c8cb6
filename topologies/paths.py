"""Shortest paths between switches, with a total order so that every run picks the same ones."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, pairwise
from typing import Literal

from topologies.model import DirectedLink, OdPair, Path, Topology

Weight = Literal["delay", "hops"]
"""What makes a path long: its propagation delay, or the number of its links."""

_Rank = tuple[int, int, Path]
"""Cost, hops, names: compared in this order, so no two paths are equal."""

_Costs = Mapping[str, Mapping[str, int]]
"""Cost of every usable direction, by switch and neighbour, in whole nanoseconds or hops."""

_NOTHING: frozenset[DirectedLink] = frozenset()
_NS_PER_MS = 1_000_000  # costs are whole numbers, so that sums do not depend on their order


def shortest_paths(
    topology: Topology, weight: Weight = "delay", down: frozenset[DirectedLink] = _NOTHING
) -> dict[OdPair, Path]:
    """Return the shortest path of every OD pair, in the order of `topology.od_pairs`.

    Ties go to fewer hops, then to the alphabetically first names. Pairs that cannot be connected
    without the directions in `down` are absent; hosts on one switch get a path of that switch.
    """
    costs = _costs(topology, weight, down)
    trees = {switch: _shortest_from(costs, switch) for switch in set(topology.switch_of.values())}
    return {
        (source, target): path
        for source, target in topology.od_pairs
        if (path := trees[topology.switch_of[source]].get(topology.switch_of[target]))
    }


def shortest_paths_from(
    topology: Topology,
    switch: str,
    weight: Weight = "delay",
    down: frozenset[DirectedLink] = _NOTHING,
) -> Mapping[str, Path]:
    """Return the shortest path to every switch that can be reached, with the same ties."""
    return _shortest_from(_costs(topology, weight, down), switch)


def k_shortest_paths(
    topology: Topology,
    source_switch: str,
    target_switch: str,
    k: int,
    weight: Weight = "delay",
    down: frozenset[DirectedLink] = _NOTHING,
) -> list[Path]:
    """Return up to `k` loop-free paths, shortest first, with the ties of `shortest_paths`.

    Yen, "Finding the K shortest loopless paths in a network", Management Science 17(11), 1971.
    """
    costs = _costs(topology, weight, down)
    return list(islice(_simple_paths(costs, source_switch, target_switch), k))


def path_directions(path: Path) -> tuple[DirectedLink, ...]:
    """Return the core directions that `path` crosses, in order."""
    return tuple(pairwise(path))


def propagation_delay_ms(topology: Topology, pair: OdPair, path: Path) -> float:
    """Return the sum of the link delays from host to host, both access links included."""
    source, target = pair
    hops = pairwise((source, *path, target))
    return sum(topology.link_between[hop].shape.delay_ms for hop in hops)


def _costs(topology: Topology, weight: Weight, down: frozenset[DirectedLink]) -> _Costs:
    costs: dict[str, dict[str, int]] = {switch.name: {} for switch in topology.switches}
    for link in topology.core_links:
        cost = 1 if weight == "hops" else round(link.shape.delay_ms * _NS_PER_MS)
        for a, b in link.directions:
            if (a, b) not in down:
                costs[a][b] = cost
    return costs


def _ranked(costs: _Costs, start: _Rank, barred: Iterable[DirectedLink] = ()) -> Iterator[_Rank]:
    """Dijkstra: the best continuation of the path in `start` to each switch, nearest first.

    Switches already on that path are not visited again; it may not go on by a `barred` direction.
    """
    reached = set(start[2][:-1])
    frontier = [start]
    while frontier:
        cost, hops, path = heapq.heappop(frontier)
        here = path[-1]
        if here in reached:
            continue
        reached.add(here)
        yield cost, hops, path
        for neighbour, step in costs[here].items():
            if neighbour not in reached and (here, neighbour) not in barred:
                heapq.heappush(frontier, (cost + step, hops + 1, (*path, neighbour)))


def _shortest_from(costs: _Costs, source: str) -> dict[str, Path]:
    return {path[-1]: path for _, _, path in _ranked(costs, (0, 0, (source,)))}


def _simple_paths(costs: _Costs, source: str, target: str) -> Iterator[Path]:
    """Yen's algorithm: every loop-free path, best first."""
    found: list[Path] = []
    candidates = {rank for rank in _ranked(costs, (0, 0, (source,))) if rank[2][-1] == target}
    while candidates:
        best = min(candidates)
        candidates.remove(best)
        found.append(best[2])
        yield best[2]
        candidates |= set(_deviations(costs, best[2], found))


def _deviations(costs: _Costs, path: Path, found: list[Path]) -> Iterator[_Rank]:
    """For every prefix of `path`, the best path to its end that leaves all found ones there."""
    target = path[-1]
    cost = 0
    for hops, here in enumerate(path[:-1]):
        prefix = path[: hops + 1]
        barred = {(here, other[hops + 1]) for other in found if other[: hops + 1] == prefix}
        for rank in _ranked(costs, (cost, hops, prefix), barred):
            if rank[2][-1] == target:
                yield rank
                break
        cost += costs[here][path[hops + 1]]
