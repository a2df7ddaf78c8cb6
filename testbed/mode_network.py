"""The network of a mode."""

from __future__ import annotations

from pathlib import Path

from testbed import frr
from testbed.distributed import DistributedNetwork
from testbed.links.backend import LinkBackend
from testbed.modes import DistributedMode
from testbed.routers import RoutedNetwork
from testbed.spanning_tree import SpanningTreeNetwork
from topologies.model import Topology
from topologies.paths import Weight


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
