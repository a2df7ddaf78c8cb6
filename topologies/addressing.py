"""Every number a lab gives to its parts, derived from the topology's order alone.

The testbed builds with these and the controller programs with them: neither asks the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from topologies.model import DirectedLink, Topology


@dataclass(frozen=True)
class Addressing:
    """Datapath ids, port numbers, interface names, IP and MAC addresses of a topology."""

    datapath_id: Mapping[str, int]
    """Switch name to datapath id, from 1."""
    port: Mapping[DirectedLink, int]
    """(node, neighbour) to the OpenFlow port number on `node`; a host's only port is 0."""
    ipv4: Mapping[str, str]
    ipv6: Mapping[str, str]
    """Unique local addresses (RFC 4193), all in one /64."""
    mac: Mapping[str, str]
    neighbour: Mapping[tuple[str, int], str] = field(repr=False)
    """(switch, port) to the node at the other end."""
    switch_of_datapath: Mapping[int, str] = field(repr=False)
    host_of_ipv4: Mapping[str, str] = field(repr=False)
    host_of_mac: Mapping[str, str] = field(repr=False)

    def interface(self, node: str, neighbour: str) -> str:
        """Name of the network interface on `node` towards `neighbour`, as Mininet forms it."""
        return f"{node}-eth{self.port[node, neighbour]}"


def address(topology: Topology) -> Addressing:
    """Number the parts of `topology`: switch ports in link order, hosts, all from 1."""
    switches = {switch.name: index for index, switch in enumerate(topology.switches, start=1)}
    used = dict.fromkeys(switches, 0)
    port: dict[DirectedLink, int] = {}
    for link in topology.links:
        for node, neighbour in link.directions:
            if node in used:
                used[node] += 1
                port[node, neighbour] = used[node]
            else:
                port[node, neighbour] = 0
    numbers = {host.name: index for index, host in enumerate(topology.hosts, start=1)}
    ipv4 = {name: f"10.0.{n >> 8}.{n & 255}" for name, n in numbers.items()}
    mac = {name: f"02:00:00:00:{n >> 8:02x}:{n & 255:02x}" for name, n in numbers.items()}
    return Addressing(
        datapath_id=switches,
        port=port,
        ipv4=ipv4,
        ipv6={name: f"fd00::{n:x}" for name, n in numbers.items()},
        mac=mac,
        neighbour={(node, n): peer for (node, peer), n in port.items() if node in switches},
        switch_of_datapath={index: name for name, index in switches.items()},
        host_of_ipv4={ip: name for name, ip in ipv4.items()},
        host_of_mac={address: name for name, address in mac.items()},
    )
