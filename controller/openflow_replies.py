"""Flow entries, groups and meters as switches describe them: the inverse of `controller.openflow`.

A description is the library's object, be it Ryu's or os-ken's: its classes have the same names.
What is not as this controller would have made it is read as `foreign`, so that it equals nothing
that a switch should hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from controller.flow_entries import VLAN_PRESENT, FlowEntry
from controller.groups import Bucket, Group
from controller.meters import Meter

_APPLY_ACTIONS = 4  # OFPIT_APPLY_ACTIONS, OpenFlow 1.3.5, section 7.2.4
_ETH_TYPE_VLAN = 0x8100

_Deed = tuple[str, Any]
"""A field of an entry and its value, or one of these."""
_FORGET_IN_PORT, _PUSH_VLAN, _SET_VLAN, _UNKNOWN = (
    "forget in_port",
    "push VLAN",
    "set VLAN",
    "unknown",
)
_ENTRY_ORDER = (
    "meter",
    "pop_vlan",
    _FORGET_IN_PORT,
    "set_eth_dst",
    "set_ip_dscp",
    "spread",
    "output",
    "group",
    "goto",
)
_BUCKET_ORDER = (_FORGET_IN_PORT, _PUSH_VLAN, _SET_VLAN, "output")


def entry_of(switch: str, stat: Any) -> FlowEntry:
    """The entry that this OFPFlowStats describes."""
    deeds = [deed for instruction in stat.instructions for deed in _instructed(instruction)]
    does = {name: value for name, value in deeds if name in _ENTRY_ORDER}
    forgets = does.pop(_FORGET_IN_PORT, False)
    return FlowEntry(
        switch,
        stat.priority,
        frozenset(stat.match.items()),
        stat.cookie,
        stat.table_id,
        **does,
        foreign=not _in_order(deeds, _ENTRY_ORDER) or forgets != does.get("pop_vlan", False),
    )


def _instructed(instruction: Any) -> Iterator[_Deed]:
    match type(instruction).__name__:
        case "OFPInstructionGotoTable":
            yield "goto", instruction.table_id
        case "OFPInstructionMeter":
            yield "meter", instruction.meter_id
        case "OFPInstructionActions" if instruction.type == _APPLY_ACTIONS:
            yield from map(_done, instruction.actions)
        case _:
            yield _UNKNOWN, None


def _done(action: Any) -> _Deed:
    match type(action).__name__:
        case "OFPActionPopVlan":
            return "pop_vlan", True
        case "NXActionRegLoad" if (action.dst, action.value) == ("in_port_nxm", 0):
            return _FORGET_IN_PORT, True
        case "OFPActionSetField" if action.key == "eth_dst":
            return "set_eth_dst", action.value
        case "OFPActionSetField" if action.key == "ip_dscp":
            return "set_ip_dscp", action.value
        case "OFPActionSetField" if action.key == "vlan_vid":
            return _SET_VLAN, action.value & ~VLAN_PRESENT
        case "OFPActionPushVlan" if action.ethertype == _ETH_TYPE_VLAN:
            return _PUSH_VLAN, True
        case "NXActionMultipath":
            return "spread", action.max_link + 1
        case "OFPActionOutput":
            return "output", action.port
        case "OFPActionGroup":
            return "group", action.group_id
        case _:
            return _UNKNOWN, None


def _in_order(deeds: Iterable[_Deed], order: Sequence[str]) -> bool:
    """Whether there are none but those of `order`, in that order, each at most once."""
    names = [name for name, _ in deeds]
    return names == [name for name in order if name in names]


def meter_of(switch: str, stat: Any) -> Meter:
    """The meter that this OFPMeterConfigStats describes, as far as it is one of ours."""
    (band,) = stat.bands
    return Meter(switch, stat.meter_id, band.rate, band.burst_size)


def group_of(switch: str, stat: Any) -> Group:
    """The group that this OFPGroupDescStats describes."""
    return Group(switch, stat.group_id, tuple(_bucket_of(bucket) for bucket in stat.buckets))


def _bucket_of(bucket: Any) -> Bucket:
    deeds = [_done(action) for action in bucket.actions]
    does = dict(deeds)
    push, output = does.get(_SET_VLAN), does.get("output", 0)
    tagging = {_FORGET_IN_PORT, _PUSH_VLAN, _SET_VLAN} & does.keys()
    whole = _in_order(deeds, _BUCKET_ORDER) and len(tagging) in (0, 3)
    return Bucket(output, push, foreign=not whole or output != bucket.watch_port)
