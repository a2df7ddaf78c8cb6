"""Flow entries for every pair by the ordinary tools, where no controller takes part."""

from __future__ import annotations

import subprocess

from testbed.network import Network
from topologies.paths import shortest_paths


def install_shortest_paths(network: Network) -> None:
    """Static entries for every pair, and static ARP."""
    addressing = network.addressing
    for (source, target), path in shortest_paths(network.topology).items():
        ip = addressing.ipv4
        for switch, following in zip(path, (*path[1:], target), strict=True):
            entry = (
                f"ip,nw_src={ip[source]},nw_dst={ip[target]},"
                f"actions=output:{addressing.port[switch, following]}"
            )
            subprocess.run(["ovs-ofctl", "-OOpenFlow13", "add-flow", switch, entry], check=True)
        neighbour = [ip[target], "lladdr", addressing.mac[target], "dev", f"{source}-eth0"]
        assert network.hosts.run(source, ["ip", "neigh", "replace", *neighbour]).returncode == 0
