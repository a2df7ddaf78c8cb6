"""Flow entries by the ordinary tools, for networks in which no controller takes part."""

from __future__ import annotations

import subprocess

from testbed.network import Network
from topologies.model import Routing


def install_routes(network: Network, routing: Routing) -> None:
    """Send the IPv4 packets of every pair along its path, for good.

    Raises:
        subprocess.CalledProcessError: ovs-ofctl failed.
    """
    ip, port = network.addressing.ipv4, network.addressing.port
    for (source, target), path in routing.items():
        for switch, following in zip(path, (*path[1:], target), strict=True):
            match = f"ip,nw_src={ip[source]},nw_dst={ip[target]}"
            entry = f"{match},actions=output:{port[switch, following]}"
            subprocess.run(["ovs-ofctl", "-OOpenFlow13", "add-flow", switch, entry], check=True)
