"""What crossing a link costs, for protocols that count in whole numbers of 16 bits."""

from __future__ import annotations

from collections.abc import Mapping

from topologies.model import DirectedLink, Path, Topology
from topologies.paths import Weight, path_directions

UNIT_MS = 0.01
"""One unit of a cost by delay. Finer differences are not seen; it reaches up to 655 ms."""
_LARGEST = 65_535


def link_costs(topology: Topology, weight: Weight) -> Mapping[DirectedLink, int]:
    """Cost of every direction of every core link, from 1: its delay in units, or 1 for a hop."""
    return {
        direction: 1
        if weight == "hops"
        else min(max(1, round(link.shape.delay_ms / UNIT_MS)), _LARGEST)
        for link in topology.core_links
        for direction in link.directions
    }


def path_cost(costs: Mapping[DirectedLink, int], path: Path) -> int:
    """What crossing all links of a path costs."""
    return sum(costs[hop] for hop in path_directions(path))
