"""What `ovs-ofctl dump-flows`, `dump-groups` and `dump-meters` print, as plain values.

See ovs-fields(7) for the names of the fields and ovs-actions(7) for the actions. Only what this
controller installs is understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from controller.flow_entries import (
    ETH_TYPE_ARP,
    ETH_TYPE_IPV4,
    ETH_TYPE_IPV6,
    IP_PROTOCOLS,
    TO_CONTROLLER,
    UNTAGGED,
    VLAN_PRESENT,
    FlowEntry,
    Match,
)
from controller.groups import Bucket, Group
from controller.meters import Meter

_TYPES: Mapping[str, tuple[tuple[str, int], ...]] = {
    "arp": (("eth_type", ETH_TYPE_ARP),),
    "ip": (("eth_type", ETH_TYPE_IPV4),),
    "ipv6": (("eth_type", ETH_TYPE_IPV6),),
    **{
        f"{name}{suffix}": (("eth_type", eth_type), ("ip_proto", number))
        for suffix, eth_type in (("", ETH_TYPE_IPV4), ("6", ETH_TYPE_IPV6))
        for name, number in IP_PROTOCOLS[eth_type].items()
    },
}
"""Packet types that ovs-ofctl has a word for."""

_ADDRESSES = {
    "nw_src": "ipv4_src",
    "nw_dst": "ipv4_dst",
    "ipv6_src": "ipv6_src",
    "ipv6_dst": "ipv6_dst",
    "dl_dst": "eth_dst",
}
_COUNTERS = ("duration", "n_packets", "n_bytes")
DEFAULT_PRIORITY = 32768
"""That of an entry for which ovs-ofctl prints none."""
_PORTS = {"tcp": "tcp", "tcp6": "tcp", "udp": "udp", "udp6": "udp"}
_ENDS = {"tp_src": "src", "tp_dst": "dst"}
_UNTAGGED = "0x0000/0x1fff"
_DSCP_SHIFT = 2  # ovs-ofctl prints the whole octet
_WORD = re.compile(r"(\w+)(?:=([^,\s]+))?")
_METER = re.compile(
    r"meter=(\d+) kbps burst stats bands=\s*type=drop rate=(\d+) burst_size=(\d+)\s*$", re.MULTILINE
)
_GROUP = re.compile(r"group_id=(\d+),type=ff,(bucket=.*)")
_BUCKET = re.compile(r"watch_port:(\d+),actions=(.*)")
_FORGET_IN_PORT = r"load:0->NXM_OF_IN_PORT\[\]"
_ACTIONS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("meter", r"meter:(\d+)"),
        ("pop_vlan", rf"pop_vlan,{_FORGET_IN_PORT}"),
        ("set_eth_dst", r"set_field:([0-9a-f:]{17})->eth_dst"),
        ("set_ip_dscp", r"set_field:(\d+)->ip_dscp"),
        ("spread", r"multipath\(symmetric_l3l4\+udp,0,modulo_n,(\d+),0,NXM_NX_REG0\[\]\)"),
        ("output", r"output:(\d+)|CONTROLLER:65535"),
        ("group", r"group:(\d+)"),
        ("goto", r"goto_table:(\d+)"),
    )
)
"""What entries of ours do, by the field that says so, in that order; each at most once."""
_WAYS_OUT = {"output", "group", "goto"}
"""Of which an entry has one."""
_BUCKET_ACTIONS = re.compile(
    rf"(?:{_FORGET_IN_PORT},push_vlan:0x8100,set_field:(\d+)->vlan_vid,)?output:(\d+)"
)


class DumpError(Exception):
    """A line of a dump is none that this controller would have caused; the message holds it."""


def entries_of(switch: str, flows: str) -> Iterator[FlowEntry]:
    """The entries of one switch.

    Raises:
        DumpError: a line is not understood.
    """
    for line in flows.splitlines():
        if "actions=" in line:
            yield _entry(switch, line.strip())


def groups_of(switch: str, groups: str) -> Iterator[Group]:
    """The fast-failover groups of one switch.

    Raises:
        DumpError: a line is not understood.
    """
    for line in groups.splitlines():
        if "group_id=" in line:
            found = _GROUP.fullmatch(line.strip())
            if not found:
                raise DumpError(f"{switch}: {line.strip()}")
            buckets = found[2].removeprefix("bucket=").split(",bucket=")
            where = f"{switch}: {line.strip()}"
            yield Group(switch, int(found[1]), tuple(_bucket(where, text) for text in buckets))


def meters_of(switch: str, meters: str) -> Iterator[Meter]:
    """The meters of one switch.

    Raises:
        DumpError: one is not understood.
    """
    found = _METER.findall(meters)
    if len(found) != len(re.findall(r"^\s*meter=", meters, re.MULTILINE)):
        raise DumpError(f"{switch}: {meters.strip()}")
    for numbers in found:
        meter_id, rate_kbps, burst_kbit = map(int, numbers)
        yield Meter(switch, meter_id, rate_kbps, burst_kbit)


def _bucket(where: str, text: str) -> Bucket:
    """A bucket that watches the port by which it sends."""
    found = _BUCKET.fullmatch(text)
    sends = _BUCKET_ACTIONS.fullmatch(found[2]) if found else None
    if not found or not sends or sends[2] != found[1]:
        raise DumpError(where)
    return Bucket(int(sends[2]), int(sends[1]) & ~VLAN_PRESENT if sends[1] else None)


def _entry(switch: str, line: str) -> FlowEntry:
    before, _, actions = line.partition("actions=")
    words = dict(_WORD.findall(before))
    for name in _COUNTERS:
        words.pop(name, None)
    try:
        return FlowEntry(
            switch=switch,
            priority=int(words.pop("priority", DEFAULT_PRIORITY)),
            cookie=int(words.pop("cookie", "0"), 0),
            table=int(words.pop("table", "0")),
            match=_match(words),
            **_does(actions),
        )
    except (KeyError, ValueError) as error:
        raise DumpError(f"{switch}: {error.args[0]} in: {line}") from error


def _does(actions: str) -> dict[str, Any]:
    """What an entry does, as fields of it.

    Raises:
        ValueError: something that entries of ours never do, or not in that order.
    """
    does: dict[str, Any] = {}
    rest = "" if actions == "drop" else actions
    for name, pattern in _ACTIONS:
        if found := pattern.match(rest):
            does[name] = _value(name, found)
            rest = rest[found.end() :].removeprefix(",")
    if rest or len(_WAYS_OUT & does.keys()) > 1:
        raise ValueError(rest or actions)
    return does


def _value(name: str, found: re.Match[str]) -> int | str | bool:
    match name:
        case "pop_vlan":
            return True
        case "set_eth_dst":
            return found[1]
        case _:
            return TO_CONTROLLER if found[1] is None else int(found[1])


def _match(words: dict[str, str]) -> Match:
    protocol = next((_PORTS[name] for name in words if name in _PORTS), "")
    fields: set[tuple[str, int | str]] = set()
    for name, value in words.items():
        if name in _TYPES:
            fields.update(_TYPES[name])
        elif name == "dl_type":
            fields.add(("eth_type", int(value, 16)))
        elif name == "in_port":
            fields.add(("in_port", int(value)))
        elif name == "dl_vlan":
            fields.add(("vlan_vid", VLAN_PRESENT | int(value)))
        elif name == "vlan_tci" and value == _UNTAGGED:
            fields.add(("vlan_vid", UNTAGGED))
        elif name == "nw_tos":
            fields.add(("ip_dscp", int(value) >> _DSCP_SHIFT))
        elif name in _ENDS:
            fields.add((f"{protocol}_{_ENDS[name]}", int(value)))
        elif name == "reg0":
            fields.add(("reg0", int(value, 0)))
        elif "/" in value:
            raise ValueError(f"{name}={value}")
        else:
            fields.add((_ADDRESSES[name], value))
    return frozenset(fields)
