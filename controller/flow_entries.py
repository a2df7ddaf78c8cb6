"""Routes as flow entries: what has to stand in which switch, without any OpenFlow library.

A packet of an OD pair, IPv4 or IPv6, gets its route's label at the ingress switch, is forwarded by
label in between, and gets the host's own address back at the egress switch. Its pair is known by
the port that it enters by (`controller.admission`) and the MAC address that it goes to. A packet on
a detour has the detour's VLAN tag as well. Nothing is ever flooded and what no entry matches is
dropped, so topology loops are harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise

from controller.flows import Flow, Protocol, Routed
from controller.flows import pair_of as od_pair
from controller.labels import label_mac
from controller.lldp import ETH_TYPE_LLDP, LLDP_MULTICAST
from topologies.addressing import Addressing
from topologies.detours import Hop
from topologies.model import OdPair, Path

Match = frozenset[tuple[str, int | str]]
"""Field names and values of an OpenFlow match, as OFPMatch takes and gives them."""

EntryKey = tuple[int, int, Match]
"""Table, priority and match: what makes an entry unique in its switch."""

CLASSIFIER, POLICIES, ROUTES, LABELS = 0, 1, 2, 3
"""Tables: what a packet is; for those from hosts, what they may do and which route they take; for
the others, where their label leads."""

UNTAGGED = 0
"""OFPVID_NONE: matches packets without a VLAN tag."""

VLAN_PRESENT = 0x1000
"""OFPVID_PRESENT: set in every match and action on a VLAN tag."""

TO_CONTROLLER = 0xFFFFFFFD
"""OFPP_CONTROLLER."""

ETH_TYPE_IPV4 = 0x0800
ETH_TYPE_IPV6 = 0x86DD
ETH_TYPE_ARP = 0x0806

IP_PROTOCOLS = {
    ETH_TYPE_IPV4: {"tcp": 6, "udp": 17, "icmp": 1},
    ETH_TYPE_IPV6: {"tcp": 6, "udp": 17, "icmp": 58},
}
"""By Ethernet type: the numbers of IANA's registry of protocols."""


class Kind(IntEnum):
    """What an entry is for; a part of its cookie."""

    MISS = 1
    ARP = 2
    INGRESS = 3
    TRANSIT = 4
    EGRESS = 5
    DROP = 6
    DETOUR = 7
    ADMIT = 8
    REFUSE = 9
    POLICY = 10
    BRANCH = 11
    PROBE = 16


PRIORITY = {
    Kind.MISS: 0,
    Kind.TRANSIT: 100,
    Kind.EGRESS: 100,
    Kind.BRANCH: 100,
    Kind.INGRESS: 200,
    Kind.PROBE: 240,
    Kind.DETOUR: 250,
    Kind.REFUSE: 260,
    Kind.ADMIT: 270,
    Kind.ARP: 300,
    Kind.POLICY: 50_000,
    Kind.DROP: 60_000,
}
"""Of entries in one table, the highest first; each policy has the next lower one."""

_OURS = 0x7477 << 48
_OURS_MASK = 0xFFFF << 48
_REQUESTED = 1 << 47
_KIND_SHIFT = 40
_KIND_MASK = 0x7F << _KIND_SHIFT
_LABEL_MASK = (1 << _KIND_SHIFT) - 1


@dataclass(frozen=True)
class CookieFilter:
    """Selects entries by cookie, as in OFPFlowStatsRequest."""

    cookie: int
    mask: int


OURS = CookieFilter(_OURS, _OURS_MASK)
"""Every entry of this controller, or of another run of it."""

INGRESS = CookieFilter(_OURS | Kind.INGRESS << _KIND_SHIFT, _OURS_MASK | _KIND_MASK)
"""The entries that count the packets of an OD pair."""


def kind_of(cookie: int) -> Kind | None:
    """What an entry with this cookie is for; None when it is not one of ours."""
    number = (cookie & _KIND_MASK) >> _KIND_SHIFT
    return Kind(number) if cookie & _OURS_MASK == _OURS and number in set(Kind) else None


@dataclass(frozen=True)
class FlowEntry:
    """One entry of one switch. Without an output, a group or another table it drops.

    What it does, it does in the order of the fields.
    """

    switch: str
    priority: int
    match: Match
    cookie: int
    """Ours (16 bits), placed by a client (1 bit), kind (7 bits), label (40 bits)."""
    table: int = CLASSIFIER
    meter: int | None = None
    """Drops what is beyond its rate."""
    pop_vlan: bool = False
    """Also forget the port that the packet came by: its path may lead back there."""
    set_eth_dst: str | None = None
    set_ip_dscp: int | None = None
    spread: int | None = None
    """Write a hash that tells flows apart, modulo this, into register 0."""
    output: int | None = None
    group: int | None = None
    """Instead of `output`."""
    goto: int | None = None
    """The table that looks the packet up next."""
    foreign: bool = False
    """As a switch describes it: it does something else besides."""

    @property
    def key(self) -> EntryKey:
        """Two entries with one key replace one another."""
        return self.table, self.priority, self.match

    @property
    def kind(self) -> Kind | None:
        """What the entry is for, as its cookie says."""
        return kind_of(self.cookie)

    @property
    def is_ingress(self) -> bool:
        """Whether it gives the packets of an OD pair their label."""
        return self.kind is Kind.INGRESS

    @property
    def label(self) -> int:
        """The label of the route that it belongs to, of a policy its number; 0: of neither."""
        return self.cookie & _LABEL_MASK

    @property
    def requested(self) -> bool:
        """Whether a client has placed its OD pair, as its ingress entry says."""
        return bool(self.cookie & _REQUESTED)


@dataclass(frozen=True)
class RouteEntries:
    """The entries of one route of one OD pair."""

    ingress: FlowEntry
    behind: tuple[FlowEntry, ...]
    """From the egress back to the switch after the ingress; empty when they are the same."""

    def marked(self, requested: bool) -> RouteEntries:
        """The same route, placed by a client or not: the switch itself remembers it."""
        if requested == self.ingress.requested:
            return self
        cookie = self.ingress.cookie ^ _REQUESTED
        return replace(self, ingress=replace(self.ingress, cookie=cookie))


def base_entries(addressing: Addressing) -> tuple[FlowEntry, ...]:
    """What every switch holds besides routes: ARP to the controller, all else dropped.

    So are probes, but only those that come over core links: hosts have no say in the cabling.
    """
    arp: Match = frozenset({("eth_type", ETH_TYPE_ARP)})
    return tuple(
        entry
        for switch in addressing.datapath_id
        for entry in (
            _entry(switch, Kind.MISS, frozenset(), goto=LABELS),
            _entry(switch, Kind.MISS, frozenset(), table=POLICIES, goto=ROUTES),
            _entry(switch, Kind.MISS, frozenset(), table=LABELS),
            _entry(switch, Kind.ARP, arp, output=TO_CONTROLLER),
            *_probe_entries(addressing, switch),
        )
    )


def _probe_entries(addressing: Addressing, switch: str) -> Iterator[FlowEntry]:
    for (node, port), neighbour in addressing.neighbour.items():
        if node == switch and neighbour in addressing.datapath_id:
            match: Match = frozenset(
                {("eth_type", ETH_TYPE_LLDP), ("eth_dst", LLDP_MULTICAST), ("in_port", port)}
            )
            yield _entry(switch, Kind.PROBE, match, output=TO_CONTROLLER)


def route_entries(
    addressing: Addressing,
    routed: Routed,
    path: Path,
    label: int,
    group_id: Callable[[Hop], int | None] = lambda _: None,
) -> RouteEntries:
    """The entries that carry `routed` along `path` under a label of its own.

    `group_id` names the group that protects a hop, if one does.
    """
    target = od_pair(routed)[1]
    egress = path[-1]
    output = {here: addressing.port[here, there] for here, there in pairwise((*path, target))}
    group = {
        here: group_id((here, there, following))
        for here, there, following in zip(path, path[1:], (*path[2:], None), strict=False)
    }
    ingress = _entry(
        path[0],
        Kind.INGRESS,
        _routed_match(addressing, routed, path[0]),
        label,
        ahead=_ahead(routed),
        table=ROUTES,
        set_eth_dst=None if path[0] == egress else label_mac(label),
        output=output[path[0]],
        group=group.get(path[0]),
    )
    behind = [
        _label_entry(
            switch,
            label,
            addressing.mac[target] if switch == egress else None,
            output[switch],
            group.get(switch),
        )
        for switch in path[1:]
    ]
    return RouteEntries(ingress, tuple(reversed(behind)))


@lru_cache(maxsize=1 << 14)  # routes share labels
def _label_entry(
    switch: str, label: int, mac: str | None, output: int, group: int | None
) -> FlowEntry:
    """The entry that leads a label on, or ends it at the host with the address `mac`."""
    return _entry(
        switch,
        Kind.TRANSIT if mac is None else Kind.EGRESS,
        frozenset({("eth_dst", label_mac(label))}),
        label,
        table=LABELS,
        set_eth_dst=mac,
        output=output,
        group=group,
    )


def detour_transit(switch: str, tag: int, output: int) -> FlowEntry:
    """The entry that carries the packets of a detour on."""
    return _entry(switch, Kind.DETOUR, _tag_match(tag), output=output)


def detour_end(switch: str, tag: int) -> FlowEntry:
    """The entry that takes the tag off: from here on the label leads."""
    return _entry(switch, Kind.DETOUR, _tag_match(tag), pop_vlan=True, goto=LABELS)


def drop_entry(addressing: Addressing, pair: OdPair, ingress: str) -> FlowEntry:
    """The entry that drops all packets of `pair`, whatever the policies say."""
    return _entry(ingress, Kind.DROP, _pair_match(addressing, pair, ingress), table=POLICIES)


def pair_of(addressing: Addressing, switch: str, match: Mapping[str, int | str]) -> OdPair | None:
    """The pair that an ingress or drop entry of `switch` with this match is about, if any."""
    source = addressing.neighbour.get((switch, int(match.get("in_port", 0))))
    target = addressing.host_of_mac.get(str(match.get("eth_dst")))
    return (source, target) if source and target else None


def routed_by(addressing: Addressing, switch: str, match: Match) -> Routed | None:
    """The pair, or the flow of it, that an ingress entry of `switch` with this match routes."""
    fields = dict(match)
    pair = pair_of(addressing, switch, fields)
    if pair is None or "ip_proto" not in fields:
        return pair
    protocol: Protocol = "tcp" if fields["ip_proto"] == _protocol_number("tcp") else "udp"
    ports = (fields.get(f"{protocol}_{end}") for end in ("src", "dst"))
    return Flow(pair, protocol, *(None if port is None else int(port) for port in ports))


def cookie_of(kind: Kind, label: int = 0) -> int:
    """The cookie of an entry of ours."""
    return _OURS | kind << _KIND_SHIFT | label


def _entry(
    switch: str,
    kind: Kind,
    match: Match,
    label: int = 0,
    *,
    table: int = CLASSIFIER,
    ahead: int = 0,
    pop_vlan: bool = False,
    set_eth_dst: str | None = None,
    output: int | None = None,
    group: int | None = None,
    goto: int | None = None,
) -> FlowEntry:
    """An entry of ours, `ahead` of others of its kind; a group stands in for the output."""
    return FlowEntry(
        switch=switch,
        priority=PRIORITY[kind] + ahead,
        match=match,
        cookie=cookie_of(kind, label),
        table=table,
        pop_vlan=pop_vlan,
        set_eth_dst=set_eth_dst,
        output=output if group is None else None,
        group=group,
        goto=goto,
    )


def _tag_match(tag: int) -> Match:
    return frozenset({("vlan_vid", VLAN_PRESENT | tag)})


def _pair_match(addressing: Addressing, pair: OdPair, ingress: str) -> Match:
    source, target = pair
    return frozenset(
        {("in_port", addressing.port[ingress, source]), ("eth_dst", addressing.mac[target])}
    )


def _routed_match(addressing: Addressing, routed: Routed, ingress: str) -> Match:
    match = _pair_match(addressing, od_pair(routed), ingress)
    if not isinstance(routed, Flow):
        return match
    ports = (("src", routed.src_port), ("dst", routed.dst_port))
    named = {(f"{routed.protocol}_{end}", port) for end, port in ports if port is not None}
    kind = {("eth_type", ETH_TYPE_IPV4), ("ip_proto", _protocol_number(routed.protocol))}
    return match | kind | named


def _protocol_number(protocol: Protocol) -> int:
    return IP_PROTOCOLS[ETH_TYPE_IPV4][protocol]


def _ahead(routed: Routed) -> int:
    """A flow goes before its pair, one of two ports before one of either; no two are equal."""
    if not isinstance(routed, Flow):
        return 0
    return 1 + (routed.src_port is not None) + 2 * (routed.dst_port is not None)
