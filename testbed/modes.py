"""Ways to run a network without a controller, by the names that users give them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from testbed import frr
from testbed.distributed import DistributedNetwork
from testbed.links.backend import LinkBackend
from testbed.routers import RoutedNetwork
from testbed.spanning_tree import SpanningTreeNetwork
from topologies.model import Topology
from topologies.paths import Weight

DistributedMode = Literal["spanning-tree", "ospf"]
"""Switches under RSTP, or routers with OSPF and BFD."""

CONVERGENCE_S = 60.0
"""A mode that has not converged by then never will."""


def missing_programs(mode: DistributedMode) -> tuple[str, ...]:
    """What a mode needs beside what every lab needs, and this machine has not."""
    return frr.missing_programs() if mode == "ospf" else ()


def open_network(
    mode: DistributedMode, topology: Topology, links: LinkBackend, weight: Weight, log_dir: Path
) -> DistributedNetwork:
    """Make the network, which then begins to converge; for switches, Open vSwitch runs already.

    Raises:
        LinkError, OSError, subprocess.CalledProcessError: it failed.
    """
    if mode == "spanning-tree":
        return SpanningTreeNetwork(topology, links, weight)
    frr.furnish()
    return RoutedNetwork(topology, links, log_dir, weight)
