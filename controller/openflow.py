"""OpenFlow 1.3 messages for, and from, flow entries. All message building is here.

`datapath` is the library's: it brings `ofproto` (constants) and `ofproto_parser` (messages).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controller.flow_entries import INGRESS, OURS, CookieFilter, FlowEntry
from controller.flow_table import Change


def batch(datapath: Any, changes: Sequence[Change]) -> tuple[int, bytes]:
    """Flow-mods for all `changes` and a barrier, all with one xid, and that xid.

    An error message repeats the xid of what caused it, so it is known which batch it is about.
    """
    barrier = datapath.ofproto_parser.OFPBarrierRequest(datapath)
    xid: int = datapath.set_xid(barrier)
    messages = [_flow_mod(datapath, change) for change in changes]
    for message in messages:
        message.set_xid(xid)
    messages.append(barrier)
    for message in messages:
        message.serialize()
    return xid, b"".join(bytes(message.buf) for message in messages)


def _flow_mod(datapath: Any, change: Change) -> Any:
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    entry = change.entry
    common = {
        "datapath": datapath,
        "priority": entry.priority,
        "match": parser.OFPMatch(**dict(entry.match)),
    }
    if change.remove:
        return parser.OFPFlowMod(
            **common,
            command=ofproto.OFPFC_DELETE_STRICT,
            out_port=ofproto.OFPP_ANY,
            out_group=ofproto.OFPG_ANY,
        )
    # Without OFPFF_RESET_COUNTS, an entry with the same match and priority keeps its counters.
    return parser.OFPFlowMod(
        **common,
        command=ofproto.OFPFC_ADD,
        cookie=entry.cookie,
        instructions=_instructions(datapath, entry),
    )


def _instructions(datapath: Any, entry: FlowEntry) -> list[Any]:
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    actions = []
    if entry.set_eth_dst is not None:
        actions.append(parser.OFPActionSetField(eth_dst=entry.set_eth_dst))
    if entry.output is not None:
        actions.append(parser.OFPActionOutput(entry.output, ofproto.OFPCML_NO_BUFFER))
    if not actions:
        return []
    return [parser.OFPInstructionActions(ofproto.OFPIT_APPLY_ACTIONS, actions)]


def port_stats_request(datapath: Any) -> Any:
    """Ask for the counters of all ports."""
    return datapath.ofproto_parser.OFPPortStatsRequest(datapath, 0, datapath.ofproto.OFPP_ANY)


def ingress_stats_request(datapath: Any) -> Any:
    """Ask for the entries that count OD pairs."""
    return _flow_stats_request(datapath, INGRESS)


def own_entries_request(datapath: Any) -> Any:
    """Ask for every entry of ours."""
    return _flow_stats_request(datapath, OURS)


def _flow_stats_request(datapath: Any, which: CookieFilter) -> Any:
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    return parser.OFPFlowStatsRequest(
        datapath,
        0,
        0,
        ofproto.OFPP_ANY,
        ofproto.OFPG_ANY,
        which.cookie,
        which.mask,
        parser.OFPMatch(),
    )


def is_ingress(stat: Any) -> bool:
    """Whether this OFPFlowStats is of an entry that counts an OD pair."""
    return int(stat.cookie) & INGRESS.mask == INGRESS.cookie


def entry_of(switch: str, stat: Any) -> FlowEntry:
    """The entry that this OFPFlowStats describes, without its actions."""
    return FlowEntry(switch, stat.priority, frozenset(stat.match.items()), stat.cookie)


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


def port_is_up(datapath: Any, port: Any) -> bool:
    """Whether an OFPPort has carrier and is not switched off."""
    ofproto = datapath.ofproto
    return not (port.state & ofproto.OFPPS_LINK_DOWN or port.config & ofproto.OFPPC_PORT_DOWN)


def error_text(datapath: Any, message: Any) -> str:
    """An OFPErrorMsg in the words of the specification."""
    return str(datapath.ofproto.ofp_error_code_to_str(message.type, message.code))
