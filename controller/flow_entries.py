"""Routes as flow entries: what has to stand in which switch, without any OpenFlow library.

All entries live in table 0. An IPv4 packet of an OD pair gets its route's label at the ingress
switch, is forwarded by label in between, and gets the host's own address back at the egress
switch. Nothing is ever flooded and the table-miss entry drops, so topology loops are harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from controller.labels import label_mac
from topologies.addressing import Addressing
from topologies.model import OdPair, Path

Match = frozenset[tuple[str, int | str]]
"""Field names and values of an OpenFlow match, as OFPMatch takes and gives them."""

EntryKey = tuple[int, Match]
"""Priority and match: what makes an entry unique in its table."""

TO_CONTROLLER = 0xFFFFFFFD
"""OFPP_CONTROLLER."""

_ETH_TYPE_IPV4 = 0x0800
_ETH_TYPE_ARP = 0x0806


class Kind(IntEnum):
    """What an entry is for; a part of its cookie."""

    MISS = 1
    ARP = 2
    INGRESS = 3
    TRANSIT = 4
    EGRESS = 5
    DROP = 6


_PRIORITY = {
    Kind.MISS: 0,
    Kind.TRANSIT: 100,
    Kind.EGRESS: 100,
    Kind.INGRESS: 200,
    Kind.ARP: 300,
    Kind.DROP: 400,
}

_OURS = 0x7477 << 48
_OURS_MASK = 0xFFFF << 48
_KIND_SHIFT = 40
_KIND_MASK = 0xFF << _KIND_SHIFT


@dataclass(frozen=True)
class CookieFilter:
    """Selects entries by cookie, as in OFPFlowStatsRequest."""

    cookie: int
    mask: int


OURS = CookieFilter(_OURS, _OURS_MASK)
"""Every entry of this controller, or of another run of it."""

INGRESS = CookieFilter(_OURS | Kind.INGRESS << _KIND_SHIFT, _OURS_MASK | _KIND_MASK)
"""The entries that count the packets of an OD pair."""


@dataclass(frozen=True)
class FlowEntry:
    """One entry of one switch. Without `output` it drops."""

    switch: str
    priority: int
    match: Match
    cookie: int
    """Ours (16 bits), kind (8 bits), label (40 bits)."""
    output: int | None = None
    set_eth_dst: str | None = None

    @property
    def key(self) -> EntryKey:
        """Two entries with one key replace one another."""
        return self.priority, self.match


@dataclass(frozen=True)
class RouteEntries:
    """The entries of one route of one OD pair."""

    ingress: FlowEntry
    behind: tuple[FlowEntry, ...]
    """From the egress back to the switch after the ingress; empty when they are the same."""


def base_entries(addressing: Addressing) -> tuple[FlowEntry, ...]:
    """What every switch holds besides routes: ARP to the controller, all else dropped."""
    arp: Match = frozenset({("eth_type", _ETH_TYPE_ARP)})
    return tuple(
        entry
        for switch in addressing.datapath_id
        for entry in (
            _entry(switch, Kind.MISS, frozenset()),
            _entry(switch, Kind.ARP, arp, output=TO_CONTROLLER),
        )
    )


def route_entries(addressing: Addressing, pair: OdPair, path: Path, label: int) -> RouteEntries:
    """The entries that carry `pair` along `path` under a label of its own."""
    target = pair[1]
    ingress_switch, egress_switch = path[0], path[-1]
    output = {here: addressing.port[here, there] for here, there in pairwise((*path, target))}
    ingress = _entry(
        ingress_switch,
        Kind.INGRESS,
        _pair_match(addressing, pair),
        label,
        output=output[ingress_switch],
        set_eth_dst=None if ingress_switch == egress_switch else label_mac(label),
    )
    by_label: Match = frozenset({("eth_dst", label_mac(label))})
    behind = [
        _entry(switch, Kind.TRANSIT, by_label, label, output=output[switch])
        for switch in path[1:-1]
    ]
    if ingress_switch != egress_switch:
        behind.append(
            _entry(
                egress_switch,
                Kind.EGRESS,
                by_label,
                label,
                output=output[egress_switch],
                set_eth_dst=addressing.mac[target],
            )
        )
    return RouteEntries(ingress, tuple(reversed(behind)))


def drop_entry(addressing: Addressing, pair: OdPair, ingress: str) -> FlowEntry:
    """The entry that drops all IPv4 packets of `pair` before its route is looked up."""
    return _entry(ingress, Kind.DROP, _pair_match(addressing, pair))


def _entry(
    switch: str,
    kind: Kind,
    match: Match,
    label: int = 0,
    output: int | None = None,
    set_eth_dst: str | None = None,
) -> FlowEntry:
    cookie = _OURS | kind << _KIND_SHIFT | label
    return FlowEntry(switch, _PRIORITY[kind], match, cookie, output, set_eth_dst)


def _pair_match(addressing: Addressing, pair: OdPair) -> Match:
    source, target = pair
    return frozenset(
        {
            ("eth_type", _ETH_TYPE_IPV4),
            ("ipv4_src", addressing.ipv4[source]),
            ("ipv4_dst", addressing.ipv4[target]),
        }
    )
