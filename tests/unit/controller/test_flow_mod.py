"""Flow-mods are those that the library would make, byte by byte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fake_network import ring

from controller import openflow, runtime
from controller.flow_entries import (
    FlowEntry,
    base_entries,
    detour_end,
    detour_transit,
    drop_entry,
    route_entries,
)
from controller.flow_table import Change
from controller.runtime_choice import PACKAGES, Runtime
from topologies.addressing import address

ADDRESSING = address(ring(4))
PAIR = ("h0", "h2")
ROUTE = route_entries(ADDRESSING, PAIR, ("s0", "s1", "s2"), 5)
PROTECTED = route_entries(ADDRESSING, PAIR, ("s0", "s1", "s2"), 6, lambda _: 7)
ENTRIES = (
    *base_entries(ADDRESSING)[:3],
    ROUTE.ingress,
    *ROUTE.behind,
    PROTECTED.ingress,
    *PROTECTED.behind,
    detour_transit("s1", 9, 2),
    detour_end("s1", 9),
    drop_entry(ADDRESSING, PAIR, "s0"),
)


@pytest.fixture(params=PACKAGES)
def datapath(request: pytest.FixtureRequest) -> Iterator[Any]:
    """No switch, but the protocol of either library."""
    library: Runtime = request.param
    runtime.select(library)
    protocol = runtime.module("ofproto.ofproto_protocol").ProtocolDesc(4)
    protocol.set_xid = lambda message: message.set_xid(77) or 77
    yield protocol
    runtime.select("ryu")


def fields_of(message: Any) -> dict[str, object]:
    names = ("cookie", "cookie_mask", "table_id", "command", "idle_timeout", "hard_timeout")
    more = ("priority", "buffer_id", "out_port", "out_group", "flags", "xid")
    return {name: getattr(message, name) for name in (*names, *more)}


@pytest.mark.parametrize("remove", [False, True])
@pytest.mark.parametrize("entry", ENTRIES)
def test_the_library_would_make_the_same(datapath: Any, entry: FlowEntry, remove: bool) -> None:
    _, data = openflow.batch(datapath, [Change(entry, remove)])
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    header = runtime.module("ofproto.ofproto_parser").header
    version, kind, length, xid = header(data)
    parsed = parser.OFPFlowMod.parser(
        datapath, version, kind, length, xid, bytearray(data[:length])
    )
    same = parser.OFPFlowMod(
        datapath,
        cookie=0 if remove else entry.cookie,
        table_id=entry.table,
        command=ofproto.OFPFC_DELETE_STRICT if remove else ofproto.OFPFC_ADD,
        priority=entry.priority,
        out_port=ofproto.OFPP_ANY if remove else 0,
        out_group=ofproto.OFPG_ANY if remove else 0,
        match=parser.OFPMatch(**dict(entry.match)),
        instructions=parsed.instructions,
    )
    same.set_xid(xid)
    same.serialize()
    assert bytes(same.buf) == data[:length]
    assert fields_of(parsed) == fields_of(same)
    assert bool(parsed.instructions) == (not remove and does_something(entry))


def does_something(entry: FlowEntry) -> bool:
    return any(value is not None for value in (entry.output, entry.group, entry.goto))


def test_what_is_remembered_of_one_entry_is_not_said_of_another(datapath: Any) -> None:
    one, other = (
        FlowEntry("s1", 1, frozenset({("eth_dst", "06:00:00:00:00:01")}), 1, output=port)
        for port in (1, 2)
    )
    made = [openflow.batch(datapath, [Change(entry)])[1] for entry in (one, other, one)]
    assert made[0] == made[2] != made[1]


def test_a_label_is_written_where_the_library_would_write_it(datapath: Any) -> None:
    """Also one of many bytes that stand in the rest of the instructions."""
    for label in (0, 1, 25, 0x80000606, 0x66E5B52F79):
        entry = route_entries(ADDRESSING, PAIR, ("s0", "s1", "s2"), label).ingress
        _, data = openflow.batch(datapath, [Change(entry)])
        parser = datapath.ofproto_parser
        actions = [
            parser.OFPActionSetField(eth_dst=entry.set_eth_dst),
            parser.OFPActionOutput(entry.output, datapath.ofproto.OFPCML_NO_BUFFER),
        ]
        buffer = bytearray()
        apply = datapath.ofproto.OFPIT_APPLY_ACTIONS
        parser.OFPInstructionActions(apply, actions).serialize(buffer, 0)
        assert bytes(buffer) in data


def test_only_the_label_differs_between_ingress_entries(datapath: Any) -> None:
    one, other = (
        openflow.batch(datapath, [Change(FlowEntry("s1", 1, frozenset(), 1, set_eth_dst=mac))])[1]
        for mac in ("06:00:00:00:00:01", "06:00:00:00:00:02")
    )
    assert one != other
    assert one.replace(bytes.fromhex("060000000001"), bytes.fromhex("060000000002")) == other
