"""Messages as they go out, with Ryu's own classes."""

from __future__ import annotations

from itertools import count

import pytest
from fake_datapath import FakeDatapath, ofproto, parser, sent_by
from fake_network import ring

from controller import openflow
from controller.flow_entries import (
    Kind,
    RouteEntries,
    base_entries,
    drop_entry,
    route_entries,
)
from controller.flow_table import Change, put
from controller.groups import Bucket, Group, GroupChange
from controller.way_entries import way_entries
from topologies.addressing import address
from topologies.model import Split

ADDRESSING = address(ring(4))


ROUTE = route_entries(ADDRESSING, ("h0", "h2"), ("s0", "s1", "s2"), 5)


def test_an_entry_becomes_a_flow_mod_that_keeps_counters() -> None:
    message = sent_by(Change(ROUTE.ingress))
    assert message.command == ofproto.OFPFC_ADD
    assert message.flags & ofproto.OFPFF_RESET_COUNTS == 0
    assert (message.cookie, message.priority) == (ROUTE.ingress.cookie, ROUTE.ingress.priority)
    assert frozenset(message.match.items()) == ROUTE.ingress.match
    set_field, output = message.instructions[0].actions
    assert (set_field.key, set_field.value) == ("eth_dst", ROUTE.ingress.set_eth_dst)
    assert output.port == ROUTE.ingress.output


def split_entries(group: int | None = None) -> RouteEntries:
    labels = count(1)
    way = Split(((("s0", "s1", "s2"), 2), (("s0", "s3", "s2"), 1)))
    return way_entries(ADDRESSING, ("h0", "h2"), way, lambda _: next(labels), lambda _: group)


def test_each_value_of_the_hash_has_a_branch_that_goes_by_the_group_of_its_hop() -> None:
    branches = [e for e in split_entries(7).behind if e.kind is Kind.BRANCH]
    assert [dict(branch.match)["reg0"] for branch in branches] == [0, 1, 2]
    one, other = "06:00:00:00:00:02", "06:00:00:00:00:03"
    assert [branch.set_eth_dst for branch in branches] == [one, one, other]
    assert {(branch.group, branch.output) for branch in branches} == {(7, None)}


def test_the_deletion_of_a_group_names_no_buckets() -> None:
    group = Group("s0", 1, (Bucket(2),))
    datapath = FakeDatapath()
    datapath.send(openflow.batch(datapath, [], [GroupChange(group, "delete")])[1])
    assert len(datapath.sent[0].data) == ofproto.OFP_GROUP_MOD_SIZE


def test_a_removal_deletes_exactly_that_entry() -> None:
    message = sent_by(Change(ROUTE.behind[0], remove=True))
    assert message.command == ofproto.OFPFC_DELETE_STRICT
    assert (message.out_port, message.out_group) == (ofproto.OFPP_ANY, ofproto.OFPG_ANY)
    assert message.priority == ROUTE.behind[0].priority
    assert frozenset(message.match.items()) == ROUTE.behind[0].match


def test_an_entry_that_drops_has_no_instructions() -> None:
    assert sent_by(Change(drop_entry(ADDRESSING, ("h0", "h2"), "s0"))).instructions == []


def test_arp_goes_to_the_controller_whole() -> None:
    arp = next(e for e in base_entries(ADDRESSING) if e.output)
    (action,) = sent_by(Change(arp)).instructions[0].actions
    assert action.port == ofproto.OFPP_CONTROLLER
    assert action.max_len == ofproto.OFPCML_NO_BUFFER


def test_a_batch_ends_with_its_barrier_under_one_xid() -> None:
    datapath = FakeDatapath()
    xid, data = openflow.batch(datapath, put([ROUTE.ingress, *ROUTE.behind]))
    datapath.send(data)
    assert {message.xid for message in datapath.sent} == {xid}
    kinds = [message.kind for message in datapath.sent]
    assert kinds == [ofproto.OFPT_FLOW_MOD] * 3 + [ofproto.OFPT_BARRIER_REQUEST]


@pytest.mark.parametrize(
    ("state", "config", "why"),
    [
        (ofproto.OFPPS_LIVE, 0, ""),
        (ofproto.OFPPS_LINK_DOWN, 0, "carrier"),
        (0, 0, "bfd"),
        (0, ofproto.OFPPC_PORT_DOWN, "admin"),
    ],
)
def test_a_port_says_why_it_is_down(state: int, config: int, why: str) -> None:
    port = parser.OFPPort(1, "02:00:00:00:00:01", b"s0-eth1", config, state, 0, 0, 0, 0, 0, 0)
    assert openflow.why_down(FakeDatapath(), port) == why
