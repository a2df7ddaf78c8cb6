"""Paths over one waypoint each: many good ones at once, where the k shortest take too long."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from topologies.model import DirectedLink, Path, Topology

_HOP_MS = 1e-6  # of equally long paths, the one of fewer hops; and no link is free
_TRIES = 4  # waypoints tried for each path that is wanted: many lead to the same, or to a loop


class WaypointPaths:
    """Shortest paths by delay from switch to switch over any third, without the links in `down`."""

    def __init__(self, topology: Topology, down: frozenset[DirectedLink]) -> None:
        self._names = [switch.name for switch in topology.switches]
        self._number = {name: number for number, name in enumerate(self._names)}
        links = [hop for hop in topology.core_directions if hop not in down]
        delay_ms = [topology.link_between[hop].shape.delay_ms + _HOP_MS for hop in links]
        tail, head = ([self._number[hop[end]] for hop in links] for end in (0, 1))
        size = len(self._names)
        graph = sparse.csr_matrix((delay_ms, (tail, head)), shape=(size, size))
        self._cost, self._before = sparse.csgraph.shortest_path(graph, return_predecessors=True)
        self._legs: dict[tuple[int, int], Path] = {}

    def between(self, source: str, target: str, most: int) -> list[Path]:
        """Up to `most` different paths without loops, shortest first."""
        here, there = self._number[source], self._number[target]
        cost = self._cost[here] + self._cost[:, there]
        found: dict[Path, None] = {}
        for waypoint in np.argsort(cost, kind="stable")[: _TRIES * most]:
            if not np.isfinite(cost[waypoint]) or len(found) == most:
                break
            path = (*self._leg(here, int(waypoint)), *self._leg(int(waypoint), there)[1:])
            if len(set(path)) == len(path):
                found[path] = None
        return list(found)

    def _leg(self, here: int, there: int) -> Path:
        if (here, there) not in self._legs:
            backwards = [there]
            while backwards[-1] != here:
                backwards.append(int(self._before[here, backwards[-1]]))
            self._legs[here, there] = tuple(self._names[at] for at in reversed(backwards))
        return self._legs[here, there]
