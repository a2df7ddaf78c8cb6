"""Flow entries, groups and meters as switches describe them: the inverse of `controller.openflow`.

A description is the library's object, be it Ryu's or os-ken's: its classes have the same names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from controller.flow_entries import VLAN_PRESENT, FlowEntry
from controller.groups import Bucket, Group
from controller.meters import Meter


def entry_of(switch: str, stat: Any) -> FlowEntry:
    """The entry that this OFPFlowStats describes, as far as it does what entries of ours do."""
    entry = FlowEntry(
        switch, stat.priority, frozenset(stat.match.items()), stat.cookie, stat.table_id
    )
    for instruction in stat.instructions:
        match type(instruction).__name__:
            case "OFPInstructionGotoTable":
                entry = replace(entry, goto=instruction.table_id)
            case "OFPInstructionMeter":
                entry = replace(entry, meter=instruction.meter_id)
            case _:
                entry = _with_actions(entry, instruction.actions)
    return entry


def _with_actions(entry: FlowEntry, actions: Iterable[Any]) -> FlowEntry:
    for action in actions:
        match type(action).__name__:
            case "OFPActionPopVlan":
                entry = replace(entry, pop_vlan=True)
            case "OFPActionSetField" if action.key == "eth_dst":
                entry = replace(entry, set_eth_dst=action.value)
            case "OFPActionSetField" if action.key == "ip_dscp":
                entry = replace(entry, set_ip_dscp=action.value)
            case "NXActionMultipath":
                entry = replace(entry, spread=action.max_link + 1)
            case "OFPActionOutput":
                entry = replace(entry, output=action.port)
            case "OFPActionGroup":
                entry = replace(entry, group=action.group_id)
    return entry


def meter_of(switch: str, stat: Any) -> Meter:
    """The meter that this OFPMeterConfigStats describes, as far as it is one of ours."""
    (band,) = stat.bands
    return Meter(switch, stat.meter_id, band.rate, band.burst_size)


def group_of(switch: str, stat: Any) -> Group:
    """The group that this OFPGroupDescStats describes, as far as it is one of ours."""
    return Group(switch, stat.group_id, tuple(_bucket_of(bucket) for bucket in stat.buckets))


def _bucket_of(bucket: Any) -> Bucket:
    push = None
    for action in bucket.actions:
        if getattr(action, "key", None) == "vlan_vid":
            push = action.value & ~VLAN_PRESENT
    return Bucket(bucket.watch_port, push)
