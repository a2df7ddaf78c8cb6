"""What "busiest" means in a playbook, under the baseline routes and the schedule's mean matrix."""

from __future__ import annotations

import numpy as np

from generators.schedule import FloatArray, Schedule
from topologies.loads import link_loads_bps
from topologies.model import DirectedLink, OdPair, Routing, Topology
from topologies.paths import shortest_paths


def mean_matrix(schedule: Schedule) -> FloatArray:
    """The mean of a schedule's matrices, (hosts, hosts) in bit/s."""
    return np.asarray(schedule.matrices_bps.mean(axis=0), dtype=np.float64)


def busiest_link(topology: Topology, routing: Routing, matrix_bps: FloatArray) -> DirectedLink:
    """The core link with the highest load in either direction whose loss disconnects nobody.

    Raises:
        ValueError: the network is a tree: every link's loss disconnects somebody.
    """
    loads_bps = link_loads_bps(topology, routing, matrix_bps)
    for number in np.argsort(-loads_bps, kind="stable"):
        direction = topology.core_directions[number]
        down = frozenset(topology.link_between[direction].directions)
        if len(shortest_paths(topology, down=down)) == len(topology.od_pairs):
            return direction
    raise ValueError("every link of this network disconnects somebody when it fails")


def busiest_switch(topology: Topology, matrix_bps: FloatArray) -> str:
    """The switch at which most traffic enters the network."""
    entering_bps = dict.fromkeys((switch.name for switch in topology.switches), 0.0)
    for host, sent_bps in zip(topology.hosts, matrix_bps.sum(axis=1), strict=True):
        entering_bps[host.switch] += float(sent_bps)
    return max(entering_bps, key=entering_bps.__getitem__)


def busiest_host(topology: Topology, matrix_bps: FloatArray) -> str:
    """The host that receives most traffic."""
    return topology.hosts[int(np.argmax(matrix_bps.sum(axis=0)))].name


def pairs_by_rate(topology: Topology, matrix_bps: FloatArray) -> list[OdPair]:
    """All OD pairs, the one with most traffic first."""
    number = {host.name: index for index, host in enumerate(topology.hosts)}

    def rate_bps(pair: OdPair) -> float:
        return float(matrix_bps[number[pair[0]], number[pair[1]]])

    return sorted(topology.od_pairs, key=rate_bps, reverse=True)
