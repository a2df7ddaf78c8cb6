"""What `ovs-ofctl dump-flows` and `dump-groups` print, as entries and groups.

See ovs-fields(7) for the names of the fields and ovs-actions(7) for the actions. Only what this
controller installs is understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from controller.flow_entries import (
    ETH_TYPE_ARP,
    ETH_TYPE_IPV4,
    TO_CONTROLLER,
    VLAN_PRESENT,
    FlowEntry,
    Match,
)
from controller.groups import Bucket, Group

_ETH_TYPES = {"ip": ETH_TYPE_IPV4, "arp": ETH_TYPE_ARP}
_ADDRESSES = {"nw_src": "ipv4_src", "nw_dst": "ipv4_dst", "dl_dst": "eth_dst"}
_COUNTERS = ("duration", "n_packets", "n_bytes")
_WORD = re.compile(r"(\w+)(?:=([^,\s]+))?")
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
            pop_vlan="pop_vlan" in actions,
            set_eth_dst=_field(actions, r"set_field:([0-9a-f:]{17})->eth_dst"),
            output=_output(actions),
            group=_number(actions, r"group:(\d+)"),
            goto=_number(actions, r"goto_table:(\d+)"),
        )
    except KeyError as error:
        raise DumpError(f"{switch}: {error.args[0]} in: {line}") from error


def _match(words: dict[str, str]) -> Match:
    fields: set[tuple[str, int | str]] = set()
    for name, value in words.items():
        if name in _ETH_TYPES:
            fields.add(("eth_type", _ETH_TYPES[name]))
        elif name == "dl_type":
            fields.add(("eth_type", int(value, 16)))
        elif name == "in_port":
            fields.add(("in_port", int(value)))
        elif name == "dl_vlan":
            fields.add(("vlan_vid", VLAN_PRESENT | int(value)))
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
