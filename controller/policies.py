"""Transmission policies as flow entries and meters, in a table of their own at the ingress.

A later table picks the route, so reroutes and detours leave policies alone. Each policy stands in
the switches of its sources only, where its limit has a meter of its own: what enters at one switch
is held to the rate, be it from several hosts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from controller.flow_entries import (
    IP_PROTOCOLS,
    POLICIES,
    PRIORITY,
    ROUTES,
    FlowEntry,
    Kind,
    Match,
    cookie_of,
)
from controller.meters import Meter
from topologies.addressing import Addressing
from topologies.model import Policy, Topology
from topologies.policies import ANYONE, members

_ANY_MATCH: Match = frozenset()


def policy_entries(topology: Topology, addressing: Addressing) -> Iterator[FlowEntry]:
    """The entries of all policies; the first policy has the highest priority."""
    for number, policy in enumerate(topology.policies, start=1):
        targets = _targets(topology, addressing, policy)
        for switch, source in _sources(topology, addressing, policy):
            for target in targets:
                for kind in _kinds(policy):
                    yield _entry(switch, number, policy, source | target | kind)


def policy_meters(topology: Topology) -> Iterator[Meter]:
    """The meters of all limits, one in each switch of a source. Their number is the policy's."""
    for number, policy in enumerate(topology.policies, start=1):
        if policy.limit is not None:
            rate_kbps = round(policy.limit.rate_bps / 1e3)
            burst_kbit = round(policy.limit.burst_bits / 1e3)
            for switch in _ingresses(topology, policy):
                yield Meter(switch, number, rate_kbps, burst_kbit)


def highest_meters(topology: Topology) -> Mapping[str, int]:
    """The highest number of a meter of each switch that has any: it must offer as many."""
    return {meter.switch: meter.meter_id for meter in policy_meters(topology)}  # in order


def _entry(switch: str, number: int, policy: Policy, match: Match) -> FlowEntry:
    return FlowEntry(
        switch,
        PRIORITY[Kind.POLICY] - number,
        match,
        cookie_of(Kind.POLICY, number),
        table=POLICIES,
        meter=None if policy.limit is None else number,
        set_ip_dscp=policy.dscp,
        goto=None if policy.deny else ROUTES,
    )


def _ingresses(topology: Topology, policy: Policy) -> list[str]:
    return sorted({topology.switch_of[host] for host in members(topology, policy.source)})


def _sources(
    topology: Topology, addressing: Addressing, policy: Policy
) -> Iterator[tuple[str, Match]]:
    """Every switch where sources are, with the match of one source, or of all of its hosts."""
    if policy.source == ANYONE:
        yield from ((switch, _ANY_MATCH) for switch in _ingresses(topology, policy))
        return
    for host in sorted(members(topology, policy.source)):
        switch = topology.switch_of[host]
        yield switch, frozenset({("in_port", addressing.port[switch, host])})


def _targets(topology: Topology, addressing: Addressing, policy: Policy) -> list[Match]:
    if policy.target == ANYONE:
        return [_ANY_MATCH]
    macs = sorted(addressing.mac[host] for host in members(topology, policy.target))
    return [frozenset({("eth_dst", mac)}) for mac in macs]


def _kinds(policy: Policy) -> Iterator[Match]:
    """The packets that it is about: by IP version only where a field depends on that."""
    if policy.protocol is None and policy.dscp is None:
        yield _ANY_MATCH
        return
    for eth_type, protocols in IP_PROTOCOLS.items():
        fields: set[tuple[str, int | str]] = {("eth_type", eth_type)}
        if policy.protocol is not None:
            fields.add(("ip_proto", protocols[policy.protocol]))
        if policy.port is not None:
            fields.add((f"{policy.protocol}_dst", policy.port))
        yield frozenset(fields)
