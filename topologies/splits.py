"""Ways of OD pairs: what they cross in which share, and equal-cost multipath (ECMP)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise

from topologies.model import DirectedLink, OdPair, Path, Split, Topology, Way
from topologies.paths import shortest_paths_from

MOST_EQUAL_COST_PATHS = 8
"""How many paths of a pair are used, of those that are equally short."""


def paths_of(way: Way) -> tuple[Path, ...]:
    """Return the paths of a way, the first one first."""
    return tuple(path for path, _ in way.branches) if isinstance(way, Split) else (way,)


def hops_of(way: Way) -> Iterator[DirectedLink]:
    """The directed links of all paths of a way, between switches."""
    return (hop for path in paths_of(way) for hop in pairwise(path))


def shares_of(way: Way) -> tuple[tuple[Path, float], ...]:
    """Return the paths of a way, each with its share of the pair's flows."""
    if not isinstance(way, Split):
        return ((way, 1.0),)
    total = sum(weight for _, weight in way.branches)
    return tuple((path, weight / total) for path, weight in way.branches)


def equal_cost_ways(
    topology: Topology,
    down: frozenset[DirectedLink] = frozenset(),
    most: int = MOST_EQUAL_COST_PATHS,
) -> dict[OdPair, Way]:
    """Return every OD pair's way over all of its paths of fewest hops, in equal shares.

    Of more than `most`, the alphabetically first are taken. Pairs that cannot be connected
    without the directions in `down` are absent.
    """
    neighbours: defaultdict[str, list[str]] = defaultdict(list)
    for a, b in sorted(frozenset(topology.core_directions) - down):
        neighbours[a].append(b)
    backwards = frozenset((b, a) for a, b in down)
    hops_to = {
        switch: {
            other: len(path) - 1
            for other, path in shortest_paths_from(topology, switch, "hops", backwards).items()
        }
        for switch in set(topology.switch_of.values())
    }
    found = {
        (ingress, egress): tuple(islice(_descents(neighbours, hops, (ingress,)), most))
        for egress, hops in hops_to.items()
        for ingress in hops_to
    }
    paths = (
        (p, found[topology.switch_of[p[0]], topology.switch_of[p[1]]]) for p in topology.od_pairs
    )
    return {pair: _evenly(equal) for pair, equal in paths if equal}


def _evenly(paths: tuple[Path, ...]) -> Way:
    return Split(tuple((path, 1) for path in paths)) if len(paths) > 1 else paths[0]


def _descents(
    neighbours: Mapping[str, Sequence[str]], hops_left: Mapping[str, int], path: Path
) -> Iterator[Path]:
    """Every continuation of `path` on which fewer hops are left at each switch."""
    left = hops_left.get(path[-1])
    if left == 0:
        yield path
    elif left is not None:
        for neighbour in neighbours[path[-1]]:
            if hops_left.get(neighbour) == left - 1:
                yield from _descents(neighbours, hops_left, (*path, neighbour))
