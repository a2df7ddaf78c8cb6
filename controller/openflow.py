"""OpenFlow 1.3 messages: flow entries, groups, meters, bundles, requests, packets to be sent.

`datapath` is the library's: it brings `ofproto` (constants) and `ofproto_parser` (messages).
Flow-mods are put together in `controller.flow_mod`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from controller.flow_entries import INGRESS, OURS, VLAN_PRESENT, CookieFilter, FlowEntry
from controller.flow_mod import FlowMod, Protocol
from controller.flow_table import Change
from controller.groups import Bucket, GroupChange
from controller.meters import MeterChange

_ETH_TYPE_VLAN = 0x8100
_IN_PORT_BITS = 0 << 6 | 15  # offset 0, 16 bits; see ovs-actions(7), "load"
FLOW_HASH: Mapping[str, int | str] = MappingProxyType(
    {
        "fields": 3,  # NX_HASH_FIELDS_SYMMETRIC_L3L4_UDP of Open vSwitch
        "basis": 0,
        "algorithm": 0,  # NX_MP_ALG_MODULO_N
        "arg": 0,
        "ofs_nbits": 0 << 6 | 31,  # offset 0, 32 bits
        "dst": "reg0",
    }
)
"""Of the multipath action that writes a hash of addresses, protocol and ports into a register."""
_BUNDLE_ID = 1  # of a connection; there is one bundle at a time


def meter_batch(datapath: Any, *changes: MeterChange) -> tuple[int, bytes]:
    """Meter-mods and a barrier, as `batch`: bundles take none."""
    return _with_barrier(datapath, [_meter_mod(datapath, change) for change in changes])


def batch(
    datapath: Any, changes: Sequence[Change], groups: Sequence[GroupChange] = ()
) -> tuple[int, bytes]:
    """Group-mods, flow-mods and a barrier, all with one xid, and that xid.

    An error message repeats the xid of what caused it, so it is known which batch it is about.
    """
    return _with_barrier(datapath, _modifications(datapath, changes, groups))


def bundle(
    datapath: Any, changes: Sequence[Change], groups: Sequence[GroupChange] = ()
) -> tuple[int, bytes]:
    """As `batch`, but the switch makes all changes at once, or none (ONF extension 230)."""
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    flags = ofproto.ONF_BF_ATOMIC | ofproto.ONF_BF_ORDERED

    def control(what: int) -> Any:
        return parser.ONFBundleCtrlMsg(datapath, _BUNDLE_ID, what, flags, [])

    added = [
        parser.ONFBundleAddMsg(datapath, _BUNDLE_ID, flags, message, [])
        for message in _modifications(datapath, changes, groups)
    ]
    opened, committed = ofproto.ONF_BCT_OPEN_REQUEST, ofproto.ONF_BCT_COMMIT_REQUEST
    return _with_barrier(datapath, [control(opened), *added, control(committed)])


def _modifications(
    datapath: Any, changes: Sequence[Change], groups: Sequence[GroupChange]
) -> list[Any]:
    protocol = Protocol(datapath.ofproto, datapath.ofproto_parser)
    messages = [_group_mod(datapath, change) for change in groups if change.command != "delete"]
    messages += [FlowMod(protocol, change, _instructions) for change in changes]
    messages += [_group_mod(datapath, change) for change in groups if change.command == "delete"]
    return messages


def _with_barrier(datapath: Any, messages: Sequence[Any]) -> tuple[int, bytes]:
    barrier = datapath.ofproto_parser.OFPBarrierRequest(datapath)
    xid: int = datapath.set_xid(barrier)
    for message in messages:
        message.set_xid(xid)
    whole = [*messages, barrier]
    for message in whole:
        message.serialize()
    return xid, b"".join(bytes(message.buf) for message in whole)


def _instructions(protocol: Protocol, entry: FlowEntry) -> list[Any]:
    ofproto, parser = protocol.ofproto, protocol.ofproto_parser
    actions = []
    if entry.pop_vlan:
        actions += [parser.OFPActionPopVlan(), _forget_in_port(parser)]
    if entry.set_eth_dst is not None:
        actions.append(parser.OFPActionSetField(eth_dst=entry.set_eth_dst))
    if entry.set_ip_dscp is not None:
        actions.append(parser.OFPActionSetField(ip_dscp=entry.set_ip_dscp))
    if entry.spread is not None:
        actions.append(_tell_flows_apart(parser, entry.spread))
    if entry.output is not None:
        actions.append(parser.OFPActionOutput(entry.output, ofproto.OFPCML_NO_BUFFER))
    if entry.group is not None:
        actions.append(parser.OFPActionGroup(entry.group))
    instructions = []
    if entry.meter is not None:
        instructions.append(parser.OFPInstructionMeter(entry.meter))
    if actions:
        instructions.append(parser.OFPInstructionActions(ofproto.OFPIT_APPLY_ACTIONS, actions))
    if entry.goto is not None:
        instructions.append(parser.OFPInstructionGotoTable(entry.goto))
    return instructions


def _forget_in_port(parser: Any) -> Any:
    """Let a packet go back where it came from, which an output does not do by itself."""
    return parser.NXActionRegLoad(_IN_PORT_BITS, "in_port_nxm", 0)


def _tell_flows_apart(parser: Any, values: int) -> Any:
    """Write one of so many values into a register; see `way_entries`."""
    return parser.NXActionMultipath(max_link=values - 1, **FLOW_HASH)


def _group_mod(datapath: Any, change: GroupChange) -> Any:
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    commands = {
        "add": ofproto.OFPGC_ADD,
        "modify": ofproto.OFPGC_MODIFY,
        "delete": ofproto.OFPGC_DELETE,
    }
    return parser.OFPGroupMod(
        datapath,
        commands[change.command],
        ofproto.OFPGT_FF,
        change.group.group_id,
        # A deletion with buckets is refused.
        [_bucket(datapath, b) for b in change.group.buckets if change.command != "delete"],
    )


def _bucket(datapath: Any, bucket: Bucket) -> Any:
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    actions = []
    if bucket.push is not None:
        actions += [
            _forget_in_port(parser),
            parser.OFPActionPushVlan(_ETH_TYPE_VLAN),
            parser.OFPActionSetField(vlan_vid=VLAN_PRESENT | bucket.push),
        ]
    actions.append(parser.OFPActionOutput(bucket.output))
    return parser.OFPBucket(watch_port=bucket.output, watch_group=ofproto.OFPG_ANY, actions=actions)


def _meter_mod(datapath: Any, change: MeterChange) -> Any:
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    meter = change.meter
    return parser.OFPMeterMod(
        datapath,
        ofproto.OFPMC_MODIFY if change.modify else ofproto.OFPMC_ADD,
        ofproto.OFPMF_KBPS | ofproto.OFPMF_BURST | ofproto.OFPMF_STATS,
        meter.meter_id,
        [parser.OFPMeterBandDrop(meter.rate_kbps, meter.burst_kbit)],
    )


def port_stats_request(datapath: Any) -> Any:
    """Ask for the counters of all ports."""
    return datapath.ofproto_parser.OFPPortStatsRequest(datapath, 0, datapath.ofproto.OFPP_ANY)


def ingress_stats_request(datapath: Any) -> Any:
    """Ask for the entries that count OD pairs."""
    return _flow_stats_request(datapath, INGRESS)


def group_stats_request(datapath: Any) -> Any:
    """Ask for the counters of all groups."""
    return datapath.ofproto_parser.OFPGroupStatsRequest(datapath, 0, datapath.ofproto.OFPG_ALL)


def meter_stats_request(datapath: Any) -> Any:
    """Ask for the counters of all meters."""
    return datapath.ofproto_parser.OFPMeterStatsRequest(datapath, 0, datapath.ofproto.OFPM_ALL)


def echo_request(datapath: Any, data: bytes) -> Any:
    """Ask for the same `data` back."""
    return datapath.ofproto_parser.OFPEchoRequest(datapath, data)


def own_entries_request(datapath: Any) -> Any:
    """Ask for every entry of ours."""
    return _flow_stats_request(datapath, OURS)


def groups_request(datapath: Any) -> Any:
    """Ask for all groups."""
    return datapath.ofproto_parser.OFPGroupDescStatsRequest(datapath, 0)


def meters_request(datapath: Any) -> Any:
    """Ask for all meters."""
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    return parser.OFPMeterConfigStatsRequest(datapath, 0, ofproto.OFPM_ALL)


def meter_features_request(datapath: Any) -> Any:
    """Ask for what the datapath offers in meters."""
    return datapath.ofproto_parser.OFPMeterFeaturesStatsRequest(datapath, 0)


def _flow_stats_request(datapath: Any, which: CookieFilter) -> Any:
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    return parser.OFPFlowStatsRequest(
        datapath,
        0,
        ofproto.OFPTT_ALL,
        ofproto.OFPP_ANY,
        ofproto.OFPG_ANY,
        which.cookie,
        which.mask,
        parser.OFPMatch(),
    )


def packet_out(datapath: Any, port: int, frame: bytes) -> Any:
    """Send `frame` out of one port."""
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    return parser.OFPPacketOut(
        datapath=datapath,
        buffer_id=ofproto.OFP_NO_BUFFER,
        in_port=ofproto.OFPP_CONTROLLER,
        actions=[parser.OFPActionOutput(port)],
        data=frame,
    )


def why_down(datapath: Any, port: Any) -> str:
    """Why an OFPPort cannot be used, as in `controller.messages.LinkState`; "" when it can."""
    ofproto = datapath.ofproto
    if port.config & ofproto.OFPPC_PORT_DOWN:
        return "admin"
    if port.state & ofproto.OFPPS_LINK_DOWN:
        return "carrier"
    # Open vSwitch calls a port with carrier live unless BFD, where it runs, has no session.
    return "" if port.state & ofproto.OFPPS_LIVE else "bfd"


def error_text(datapath: Any, message: Any) -> str:
    """An OFPErrorMsg in the words of the specification."""
    return str(datapath.ofproto.ofp_error_code_to_str(message.type, message.code))
