"""What policies mean: the plain reading, which the flow entries of the controller must agree with.

A policy looks at packets one by one, as they enter the network: it keeps no state of connections,
so replies are packets of the opposite direction, which it does not speak of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from topologies.model import IpProtocol, OdPair, Policy, Topology

ANYONE = "any"
"""As the source or target of a policy: every host."""

DSCP: Mapping[str, int] = {
    "best-effort": 0,
    **{f"AF{c}{drop}": 8 * c + 2 * drop for c in (1, 2, 3, 4) for drop in (1, 2, 3)},
    "EF": 46,
}
"""Code points by the name of their class: RFC 2474, assured forwarding (RFC 2597), expedited
forwarding (RFC 3246)."""

NETWORK_CONTROL = (48, 56)
"""CS6 and CS7, of routing and of BFD: no host's packet bears them (RFC 4594, section 3.2)."""


@dataclass(frozen=True)
class Traffic:
    """What a policy sees of a packet besides its pair. None: none of those that have a name."""

    protocol: IpProtocol | None = None
    port: int | None = None


OTHER_TRAFFIC = Traffic()


def members(topology: Topology, name: str) -> frozenset[str]:
    """The hosts that a policy's `source` or `target` stands for."""
    return frozenset(host for host in topology.zone_of if _stands_for(topology, name, host))


def deciding(topology: Topology, pair: OdPair, traffic: Traffic) -> Policy | None:
    """The policy that decides on packets of `pair`: the first that matches. None: they pass."""
    for policy in topology.policies:
        if (
            _stands_for(topology, policy.source, pair[0])
            and _stands_for(topology, policy.target, pair[1])
            and policy.protocol in (None, traffic.protocol)
            and policy.port in (None, traffic.port)
        ):
            return policy
    return None


def is_denied(topology: Topology, pair: OdPair, traffic: Traffic) -> bool:
    """Whether packets of `pair` are dropped where they enter the network."""
    policy = deciding(topology, pair, traffic)
    return policy is not None and policy.deny


def kinds_of_traffic(topology: Topology) -> tuple[Traffic, ...]:
    """All that the policies of a network tell apart, and one that none of them names."""
    named = (Traffic(policy.protocol, policy.port) for policy in topology.policies)
    without_port = (Traffic(policy.protocol) for policy in topology.policies)
    return tuple(dict.fromkeys((OTHER_TRAFFIC, *without_port, *named)))


def _stands_for(topology: Topology, name: str, host: str) -> bool:
    return name in (ANYONE, host, topology.zone_of[host])
