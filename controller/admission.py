"""What may enter the network: at the port of a host, packets from that host's own addresses.

Everything else from a host is dropped: forged sources, tags of detours, labels. ARP goes to the
controller (`controller.arp`). Past this table the port stands for the host, in IPv4 and in IPv6.
"""

from __future__ import annotations

from collections.abc import Iterator

from controller.flow_entries import (
    ETH_TYPE_IPV4,
    ETH_TYPE_IPV6,
    POLICIES,
    PRIORITY,
    UNTAGGED,
    FlowEntry,
    Kind,
    Match,
    cookie_of,
)
from topologies.addressing import Addressing
from topologies.model import Topology
from topologies.policies import NETWORK_CONTROL


def admission_entries(topology: Topology, addressing: Addressing) -> Iterator[FlowEntry]:
    """The entries of every port of a host."""
    for host, switch in topology.switch_of.items():
        from_host: Match = frozenset({("in_port", addressing.port[switch, host])})
        yield FlowEntry(switch, PRIORITY[Kind.REFUSE], from_host, cookie_of(Kind.REFUSE))
        for source in _sources(addressing, host):
            own = from_host | source
            yield _admit(switch, own)
            for reserved in NETWORK_CONTROL:
                yield _admit(switch, own | {("ip_dscp", reserved)}, set_ip_dscp=0)


def _sources(addressing: Addressing, host: str) -> tuple[Match, Match]:
    """What packets of `host` bear, by IP version."""
    untagged = ("vlan_vid", UNTAGGED)
    return (
        frozenset({untagged, ("eth_type", ETH_TYPE_IPV4), ("ipv4_src", addressing.ipv4[host])}),
        frozenset({untagged, ("eth_type", ETH_TYPE_IPV6), ("ipv6_src", addressing.ipv6[host])}),
    )


def _admit(switch: str, match: Match, set_ip_dscp: int | None = None) -> FlowEntry:
    return FlowEntry(
        switch,
        # Those that look closer come first.
        PRIORITY[Kind.ADMIT] + (set_ip_dscp is not None),
        match,
        cookie_of(Kind.ADMIT),
        set_ip_dscp=set_ip_dscp,
        goto=POLICIES,
    )
