"""Neighbour tables that are full from the start: every host knows the MAC address of every other.

The kernel has one limit for the learnt neighbours of all namespaces together (`gc_thresh3`, 1024
unless somebody raised it; see arp(7)), which the hosts of a larger lab would exceed among them.
Permanent entries do not count. A host that has lost an IPv4 entry asks, and the controller answers.
"""

from __future__ import annotations

from testbed import ipv6
from testbed.hosts import Hosts
from testbed.links.backend import LinkError
from topologies.addressing import Addressing


def introduce(hosts: Hosts, addressing: Addressing, gateway_mac: str | None = None) -> None:
    """Give every host permanent entries for all others, in IPv6 where it has that: their own
    addresses, or the gateway's.

    Raises:
        LinkError: ip(8) failed.
    """
    families = [addressing.ipv4, addressing.ipv6] if ipv6.available() else [addressing.ipv4]
    for host in addressing.ipv4:
        batch = "\n".join(
            f"neigh replace {addresses[other]} lladdr {gateway_mac or addressing.mac[other]} "
            f"dev {host}-eth0 nud permanent"
            for addresses in families
            for other in addresses
            if other != host
        )
        done = hosts.run(host, ["ip", "-batch", "-"], stdin=batch)
        if done.returncode != 0:
            raise LinkError(f"{host}: neighbours: {done.stderr.decode(errors='replace').strip()}")
