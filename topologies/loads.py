"""What a routing puts on the links."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from topologies.model import Topology, Ways
from topologies.paths import path_directions
from topologies.splits import shares_of

FloatArray = npt.NDArray[np.float64]


def link_loads_bps(topology: Topology, routing: Ways, matrix_bps: FloatArray) -> FloatArray:
    """Return the load of every direction, in the order of `topology.core_directions`.

    `matrix_bps` is (hosts, hosts). Pairs without a route carry nothing.
    """
    host = {host.name: index for index, host in enumerate(topology.hosts)}
    link = {direction: index for index, direction in enumerate(topology.core_directions)}
    loads = np.zeros(len(link))
    for (source, target), way in routing.items():
        rate = matrix_bps[host[source], host[target]]
        for path, share in shares_of(way):
            for direction in path_directions(path):
                loads[link[direction]] += share * rate
    return loads


def link_rates_bps(topology: Topology) -> FloatArray:
    """Return the rate of every direction, in the order of `topology.core_directions`."""
    return np.array([link.shape.rate_bps for link in topology.core_links]).repeat(2)


def max_link_utilisation(topology: Topology, routing: Ways, matrix_bps: FloatArray) -> float:
    """Return the highest offered load over rate of all core directions (above 1: overload)."""
    loads = link_loads_bps(topology, routing, matrix_bps)
    return float((loads / link_rates_bps(topology)).max(initial=0.0))
