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
from controller.openflow import FLOW_HASH

# Of OpenFlow 1.3.5, sections 7.2.4, 7.3.4.2 and 7.3.4.5.
_APPLY_ACTIONS = 4  # OFPIT_APPLY_ACTIONS
_FAST_FAILOVER = 3  # OFPGT_FF
_METER_FLAGS = 1 | 4 | 8  # OFPMF_KBPS, OFPMF_BURST, OFPMF_STATS
_DROP_BAND = 1  # OFPMBT_DROP
_ETH_TYPE_VLAN = 0x8100

_Step = tuple[str, Any]
"""What one action or instruction does: a field of an entry and its value, or one of these."""
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
    steps = [step for instruction in stat.instructions for step in _instruction_steps(instruction)]
    does = {name: value for name, value in steps if name in _ENTRY_ORDER}
    forgets = does.pop(_FORGET_IN_PORT, False)
    return FlowEntry(
        switch,
        stat.priority,
        frozenset(stat.match.items()),
        stat.cookie,
        stat.table_id,
        **does,
        foreign=not _in_order(steps, _ENTRY_ORDER)
        or forgets != does.get("pop_vlan", False)
        or bool(stat.idle_timeout or stat.hard_timeout),
    )


def _instruction_steps(instruction: Any) -> Iterator[_Step]:
    match type(instruction).__name__:
        case "OFPInstructionGotoTable":
            yield "goto", instruction.table_id
        case "OFPInstructionMeter":
            yield "meter", instruction.meter_id
        case "OFPInstructionActions" if instruction.type == _APPLY_ACTIONS:
            yield from map(_action_step, instruction.actions)
        case _:
            yield _UNKNOWN, None


def _action_step(action: Any) -> _Step:
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
        case "NXActionMultipath" if all(getattr(action, k) == v for k, v in FLOW_HASH.items()):
            return "spread", action.max_link + 1
        case "OFPActionOutput":
            return "output", action.port
        case "OFPActionGroup":
            return "group", action.group_id
        case _:
            return _UNKNOWN, None


def _in_order(steps: Iterable[_Step], order: Sequence[str]) -> bool:
    """Whether there are none but those of `order`, in that order, each at most once."""
    names = [name for name, _ in steps]
    return names == [name for name in order if name in names]


def meter_of(switch: str, stat: Any) -> Meter:
    """The meter that this OFPMeterConfigStats describes."""
    rate, burst = (stat.bands[0].rate, stat.bands[0].burst_size) if stat.bands else (0, 0)
    ours = stat.flags == _METER_FLAGS and [band.type for band in stat.bands] == [_DROP_BAND]
    return Meter(switch, stat.meter_id, rate, burst, foreign=not ours)


def group_of(switch: str, stat: Any) -> Group:
    """The group that this OFPGroupDescStats describes."""
    buckets = tuple(_bucket_of(bucket) for bucket in stat.buckets)
    return Group(switch, stat.group_id, buckets, foreign=stat.type != _FAST_FAILOVER)


def _bucket_of(bucket: Any) -> Bucket:
    steps = [_action_step(action) for action in bucket.actions]
    does = dict(steps)
    push, output = does.get(_SET_VLAN), does.get("output", 0)
    tagging = {_FORGET_IN_PORT, _PUSH_VLAN, _SET_VLAN} & does.keys()
    whole = _in_order(steps, _BUCKET_ORDER) and len(tagging) in (0, 3)
    return Bucket(output, push, foreign=not whole or output != bucket.watch_port)
