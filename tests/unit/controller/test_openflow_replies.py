"""What switches describe, with Ryu's own classes: ours as it was given, all else as foreign."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from fake_datapath import FakeDatapath, described, ofproto, parser, sent_by
from fake_network import ring

from controller import openflow, openflow_replies
from controller.flow_entries import (
    FlowEntry,
    RouteEntries,
    route_entries,
)
from controller.flow_table import Change
from controller.groups import Bucket, Group
from controller.protection import Protection
from controller.standing_entries import standing_entries
from controller.way_entries import way_entries
from topologies.addressing import address
from topologies.catalogue import load_topology
from topologies.detours import detours
from topologies.model import Policy, RateLimit, Split
from topologies.paths import shortest_paths

ADDRESSING = address(ring(4))
OUR_FLAGS = ofproto.OFPMF_KBPS | ofproto.OFPMF_BURST | ofproto.OFPMF_STATS


def split_entries(group: int | None = None) -> RouteEntries:
    labels = count(1)
    way = Split(((("s0", "s1", "s2"), 2), (("s0", "s3", "s2"), 1)))
    return way_entries(ADDRESSING, ("h0", "h2"), way, lambda _: next(labels), lambda _: group)


def test_the_ingress_of_a_split_writes_a_hash_of_ports_too_and_is_read_back() -> None:
    split = split_entries()
    message = sent_by(Change(split.ingress))
    label, spread = message.instructions[0].actions
    assert (label.key, label.value) == ("eth_dst", "06:00:00:00:00:01")
    symmetric_l3l4_udp = 3  # nicira-ext.h
    assert (spread.fields, spread.max_link, spread.dst) == (symmetric_l3l4_udp, 2, "reg0")
    for entry in (split.ingress, *split.behind):
        assert openflow_replies.entry_of(entry.switch, described(sent_by(Change(entry)))) == entry


@pytest.mark.parametrize("name", ["ring", "triangle", "leaf-spine"])
def test_what_a_switch_describes_is_what_it_was_given(name: str) -> None:
    topology = load_topology(name)
    addressing = address(topology)
    protection = Protection(addressing, detours(topology))
    limited = Policy("any", "any", limit=RateLimit(2e6, 2e5), dscp=46)
    entries = [
        *standing_entries(replace(topology, policies=(limited,)), addressing),
        *protection.entries(),
    ]
    for pair, path in shortest_paths(topology).items():
        route = route_entries(addressing, pair, path, 5, protection.group_id)
        entries += [route.marked(requested=True).ingress, *route.behind]
    for entry in entries:
        assert openflow_replies.entry_of(entry.switch, described(sent_by(Change(entry)))) == entry


LABEL, OUT = parser.OFPActionSetField(eth_dst="06:00:00:00:00:05"), parser.OFPActionOutput(2)
FORGET = parser.NXActionRegLoad(15, "in_port_nxm", 0)


def spread(**other: Any) -> Any:
    return parser.NXActionMultipath(max_link=2, **{**openflow.FLOW_HASH, **other})


def entry_described(actions: list[Any], written: bool = False, **timeouts: int) -> FlowEntry:
    kind = ofproto.OFPIT_WRITE_ACTIONS if written else ofproto.OFPIT_APPLY_ACTIONS
    instructions = [parser.OFPInstructionActions(kind, actions)]
    stat = parser.OFPFlowStats(
        *(0, 1, 1), match=parser.OFPMatch(), instructions=instructions, **timeouts
    )
    return openflow_replies.entry_of("s0", stat)


@pytest.mark.parametrize(
    "actions",
    [
        [LABEL, OUT, parser.OFPActionOutput(3)],
        [OUT, LABEL],
        [LABEL, parser.OFPActionGroup(1), OUT],
        [parser.OFPActionPopVlan(), OUT],
        [FORGET, OUT],
        [LABEL, parser.OFPActionDecNwTtl(), OUT],
        [parser.NXActionRegLoad(15, "in_port_nxm", 1), OUT],
        [LABEL, spread(basis=1)],
        [LABEL, spread(dst="reg1")],
    ],
)
def test_what_none_of_our_entries_does_equals_none_of_them(actions: list[Any]) -> None:
    assert entry_described(actions).foreign


def test_entries_that_end_by_themselves_or_act_later_are_not_ours() -> None:
    assert not entry_described([LABEL, OUT]).foreign
    assert entry_described([LABEL, OUT], written=True).foreign
    assert entry_described([LABEL, OUT], idle_timeout=5).foreign
    assert entry_described([LABEL, OUT], hard_timeout=5).foreign


def group_described(*buckets: Any, type_: int = ofproto.OFPGT_FF) -> Group:
    stat = parser.OFPGroupDescStats(type_=type_, group_id=1, buckets=list(buckets))
    return openflow_replies.group_of("s0", stat)


def test_a_group_is_read_with_what_its_buckets_really_do() -> None:
    datapath = FakeDatapath()
    for bucket in (Bucket(2), Bucket(3, push=9)):
        made = openflow._bucket(datapath, bucket)
        assert group_described(made) == Group("s0", 1, (bucket,))
        made.watch_port = 7
        assert group_described(made) != Group("s0", 1, (bucket,))
        made.watch_port = bucket.output
        made.actions.append(parser.OFPActionOutput(ofproto.OFPP_NORMAL))
        assert group_described(made).buckets[0].foreign
        made.actions.clear()
        assert group_described(made).buckets[0].foreign


def test_a_group_of_another_type_is_foreign() -> None:
    made = openflow._bucket(FakeDatapath(), Bucket(2))
    assert group_described(made, type_=ofproto.OFPGT_SELECT).foreign


@pytest.mark.parametrize(
    ("flags", "bands"),
    [
        (ofproto.OFPMF_PKTPS, [parser.OFPMeterBandDrop(2000, 200)]),
        (OUR_FLAGS, [parser.OFPMeterBandDrop(2000, 200), parser.OFPMeterBandDrop(9000, 200)]),
        (OUR_FLAGS, [parser.OFPMeterBandDscpRemark(2000, 200, 1)]),
        (OUR_FLAGS, []),
    ],
)
def test_a_meter_of_another_kind_is_foreign(flags: int, bands: list[Any]) -> None:
    stat = parser.OFPMeterConfigStats(bands=bands, flags=flags, meter_id=1)
    assert openflow_replies.meter_of("s0", stat).foreign
