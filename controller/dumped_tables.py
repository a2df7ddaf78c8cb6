"""What `ovs-ofctl dump-flows`, `dump-groups` and `dump-meters` print, as plain values.

See ovs-fields(7) for the names of the fields and ovs-actions(7) for the actions. Only what this
controller installs is understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

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
_PORTS = {"tcp": "tcp", "tcp6": "tcp", "udp": "udp", "udp6": "udp"}
_ENDS = {"tp_src": "src", "tp_dst": "dst"}
_UNTAGGED = "0x0000/0x1fff"
_DSCP_SHIFT = 2  # ovs-ofctl prints the whole octet
_WORD = re.compile(r"(\w+)(?:=([^,\s]+))?")
_METER = re.compile(
    r"meter=(\d+) kbps burst stats bands=\s*type=drop rate=(\d+) burst_size=(\d+)\s*$", re.MULTILINE
)
_BUCKET = re.compile(r"bucket=watch_port:(\d+),actions=(.*?)(?=,bucket=|$)")


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
            found = re.match(r"group_id=(\d+),type=ff,", line.strip())
            if not found:
                raise DumpError(f"{switch}: {line.strip()}")
            buckets = tuple(
                Bucket(int(port), _pushed(actions)) for port, actions in _BUCKET.findall(line)
            )
            yield Group(switch, int(found[1]), buckets)


def meters_of(switch: str, meters: str) -> Iterator[Meter]:
    """The meters of one switch.

    Raises:
        DumpError: one is not understood.
    """
    found = _METER.findall(meters)
    if len(found) != len(re.findall(r"^\s*meter=", meters, re.MULTILINE)):
        raise DumpError(f"{switch}: {meters.strip()}")
    for numbers in found:
        yield Meter(switch, *map(int, numbers))


def _pushed(actions: str) -> int | None:
    found = re.search(r"set_field:(\d+)->vlan_vid", actions)
    return int(found[1]) & ~VLAN_PRESENT if found else None


def _entry(switch: str, line: str) -> FlowEntry:
    before, _, actions = line.partition("actions=")
    words = dict(_WORD.findall(before))
    for name in _COUNTERS:
        words.pop(name, None)
    number = {name: int(words.pop(name, "0"), 0) for name in ("cookie", "table", "priority")}
    try:
        return FlowEntry(
            switch=switch,
            priority=number["priority"],
            match=_match(words),
            cookie=number["cookie"],
            table=number["table"],
            meter=_number(actions, r"meter:(\d+)"),
            pop_vlan="pop_vlan" in actions,
            set_eth_dst=_field(actions, r"set_field:([0-9a-f:]{17})->eth_dst"),
            set_ip_dscp=_number(actions, r"set_field:(\d+)->ip_dscp"),
            spread=_number(actions, r"multipath\([^)]*,modulo_n,(\d+),"),
            output=_output(actions),
            group=_number(actions, r"group:(\d+)"),
            goto=_number(actions, r"goto_table:(\d+)"),
        )
    except KeyError as error:
        raise DumpError(f"{switch}: {error.args[0]} in: {line}") from error


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
        else:
            fields.add((_ADDRESSES[name], value))
    return frozenset(fields)


def _output(actions: str) -> int | None:
    if "CONTROLLER" in actions:
        return TO_CONTROLLER
    return _number(actions, r"output:(\d+)")


def _number(text: str, pattern: str) -> int | None:
    found = _field(text, pattern)
    return None if found is None else int(found)


def _field(text: str, pattern: str) -> str | None:
    found = re.search(pattern, text)
    return found[1] if found else None
