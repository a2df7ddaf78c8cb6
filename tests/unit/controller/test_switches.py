"""Message building and barriers, with Ryu's own message classes and a switch that is a list."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import pytest
from fake_network import ring

from controller import openflow, openflow_replies, runtime
from controller.flow_entries import (
    OURS,
    ROUTES,
    FlowEntry,
    Kind,
    RouteEntries,
    base_entries,
    drop_entry,
    route_entries,
)
from controller.flow_table import Change, put, remove
from controller.groups import Bucket, Group, GroupChange
from controller.meters import Meter, MeterChange
from controller.policies import policy_entries
from controller.protection import Protection
from controller.standing_entries import standing_entries
from controller.switches import OpenFlowSwitches
from controller.way_entries import way_entries
from topologies.addressing import address
from topologies.catalogue import load_topology
from topologies.detours import detours
from topologies.model import Policy, RateLimit, Split
from topologies.paths import shortest_paths

runtime.select("ryu")
ofproto = runtime.module("ofproto.ofproto_v1_3")
parser = runtime.module("ofproto.ofproto_v1_3_parser")
ofproto_parser = runtime.module("ofproto.ofproto_parser")
ProtocolDesc = runtime.module("ofproto.ofproto_protocol").ProtocolDesc
eventlet = runtime.eventlet

ADDRESSING = address(ring(4))
ROUTE = route_entries(ADDRESSING, ("h0", "h2"), ("s0", "s1", "s2"), 5)


@dataclass(frozen=True)
class Sent:
    """One message as it went out."""

    kind: int
    xid: int
    data: bytes


class FakeDatapath(ProtocolDesc):  # type: ignore[misc]
    """Keeps what it is sent."""

    def __init__(self, identity: int = 1) -> None:
        super().__init__(ofproto.OFP_VERSION)
        self.id = identity
        self.closed = False
        self.sent: list[Sent] = []
        self.on_send: Callable[[], object] = lambda: None
        self._xid = 0

    def set_xid(self, message: Any) -> int:
        self._xid += 1
        message.set_xid(self._xid)
        return self._xid

    def send(self, data: bytes) -> None:
        while data:
            _, kind, length, xid = ofproto_parser.header(data)
            self.sent.append(Sent(kind, xid, data[:length]))
            data = data[length:]
        self.on_send()

    def send_msg(self, message: Any) -> None:
        if message.xid is None:
            self.set_xid(message)
        message.serialize()
        self.send(bytes(message.buf))

    def close(self) -> None:
        self.closed = True


def flow_mod(datapath: FakeDatapath, sent: Sent) -> Any:
    version, kind, length, xid = ofproto_parser.header(sent.data)
    return parser.OFPFlowMod.parser(datapath, version, kind, length, xid, bytearray(sent.data))


def sent_by(change: Change) -> Any:
    datapath = FakeDatapath()
    _, data = openflow.batch(datapath, [change])
    datapath.send(data)
    return flow_mod(datapath, datapath.sent[0])


def described(sent: Any) -> Any:
    """What a switch replies that has taken a flow-mod."""
    return parser.OFPFlowStats(
        table_id=sent.table_id,
        priority=sent.priority,
        cookie=sent.cookie,
        match=sent.match,
        instructions=sent.instructions,
    )


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


def test_the_ingress_of_a_split_writes_a_hash_of_ports_too_and_is_read_back() -> None:
    split = split_entries()
    message = sent_by(Change(split.ingress))
    label, spread = message.instructions[0].actions
    assert (label.key, label.value) == ("eth_dst", "06:00:00:00:00:01")
    symmetric_l3l4_udp = 3  # nicira-ext.h
    assert (spread.fields, spread.max_link, spread.dst) == (symmetric_l3l4_udp, 2, "reg0")
    for entry in (split.ingress, *split.behind):
        assert openflow_replies.entry_of(entry.switch, described(sent_by(Change(entry)))) == entry


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


def until(condition: Callable[[], bool]) -> None:
    """Let others work until it holds."""
    while not condition():
        eventlet.sleep(0)


class Lab:
    """Two connected switches, s0 and s1; s2 is not."""

    def __init__(self) -> None:
        self.switches = OpenFlowSwitches()
        self.s0, self.s1 = FakeDatapath(1), FakeDatapath(2)
        self.switches.add("s0", self.s0)
        self.switches.add("s1", self.s1)

    def commit(self, *entries: FlowEntry) -> Any:
        """Start a commit, and give it the time to send."""
        asked = [{"s0": self.s0, "s1": self.s1}[entry.switch] for entry in entries]
        thread = eventlet.spawn(self.switches.commit, put(entries))
        until(lambda: all(datapath.sent for datapath in asked))
        return thread


S0, S1, S2 = ROUTE.ingress, ROUTE.behind[1], ROUTE.behind[0]


def test_a_commit_waits_for_the_barrier_of_each_switch() -> None:
    lab = Lab()
    thread = lab.commit(S0, S1)
    lab.switches.confirmed(lab.s0, lab.s0.sent[-1].xid)
    eventlet.sleep(0)
    assert not thread.dead
    lab.switches.confirmed(lab.s1, lab.s1.sent[-1].xid)
    assert thread.wait() == {}


def test_an_atomic_commit_is_one_bundle() -> None:
    lab = Lab()
    thread = eventlet.spawn(lab.switches.commit, put([S0]), atomic=True)
    until(lambda: bool(lab.s0.sent))
    opened, added, committed, barrier = lab.s0.sent
    assert {message.kind for message in (opened, added, committed)} == {ofproto.OFPT_EXPERIMENTER}
    assert flow_mod(lab.s0, Sent(ofproto.OFPT_FLOW_MOD, 0, added.data[24:])).cookie == S0.cookie
    assert {message.xid for message in lab.s0.sent} == {barrier.xid}
    lab.switches.confirmed(lab.s0, barrier.xid)
    assert thread.wait() == {}


def test_a_switch_that_knows_no_bundles_is_given_a_batch() -> None:
    lab = Lab()
    thread = eventlet.spawn(lab.switches.commit, put([S0, S1]), atomic=True)
    until(lambda: bool(lab.s0.sent and lab.s1.sent))
    lab.switches.refused(lab.s0, lab.s0.sent[0].xid, "OFPBRC_BAD_EXPERIMENTER")
    for datapath in (lab.s0, lab.s1):
        lab.switches.confirmed(datapath, datapath.sent[-1].xid)
    until(lambda: len(lab.s0.sent) > 4)
    again = [message.kind for message in lab.s0.sent[4:]]
    assert again == [ofproto.OFPT_FLOW_MOD, ofproto.OFPT_BARRIER_REQUEST]
    assert len(lab.s1.sent) == 4
    lab.switches.confirmed(lab.s0, lab.s0.sent[-1].xid)
    assert thread.wait() == {}


def test_a_commit_names_switches_that_are_not_connected() -> None:
    lab = Lab()
    assert lab.switches.commit(put([S2])) == {"s2": "is not connected"}


def test_a_switch_that_is_lost_meanwhile_fails_at_once() -> None:
    lab = Lab()
    thread = lab.commit(S0, S1)
    lab.switches.confirmed(lab.s0, lab.s0.sent[-1].xid)
    assert lab.switches.forget("s1", lab.s1)
    assert thread.wait() == {"s1": "was lost"}
    assert lab.switches.connected == {"s0"}


def test_an_error_fails_the_batch_it_is_about() -> None:
    lab = Lab()
    thread = lab.commit(S0, S1)
    for datapath in (lab.s0, lab.s1):
        if datapath is lab.s1:
            lab.switches.refused(datapath, datapath.sent[-1].xid, "OFPFMFC_TABLE_FULL")
        lab.switches.confirmed(datapath, datapath.sent[-1].xid)
    assert thread.wait() == {"s1": "refused an entry (OFPFMFC_TABLE_FULL)"}


def test_a_silent_switch_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.switches._ANSWER_TIMEOUT_S", 0.01)
    lab = Lab()
    thread = lab.commit(S0, S1)
    lab.switches.confirmed(lab.s0, lab.s0.sent[-1].xid)
    assert thread.wait() == {"s1": "did not answer"}
    assert (lab.s0.closed, lab.s1.closed) == (False, True)


def test_the_end_of_an_old_connection_does_not_forget_the_new_one() -> None:
    lab = Lab()
    fresh = FakeDatapath(1)
    lab.switches.add("s0", fresh)
    assert not lab.switches.forget("s0", lab.s0)
    assert lab.switches.connected == {"s0", "s1"}


def test_a_switch_that_is_lost_while_others_are_sent_to_fails_and_no_more() -> None:
    lab = Lab()
    lab.s0.on_send = lambda: lab.switches.forget("s1", lab.s1)
    thread = eventlet.spawn(lab.switches.commit, put([S0, S1]))
    until(lambda: bool(lab.s0.sent))
    lab.switches.confirmed(lab.s0, lab.s0.sent[-1].xid)
    assert thread.wait() == {"s1": "was lost"}
    assert lab.s1.sent == []


def test_one_batch_is_out_before_the_next_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab()
    order: list[str] = []
    batch = openflow.batch

    def made(*args: Any) -> Any:
        order.append("made")
        return batch(*args)

    def queue() -> None:
        eventlet.spawn(order.append, "out")  # as the library's sender takes it from its queue

    monkeypatch.setattr("controller.openflow.batch", made)
    lab.s0.on_send = lab.s1.on_send = queue
    thread = lab.commit(S0, S1)
    until(lambda: len(order) == 4)
    assert order == ["made", "out", "made", "out"]
    for datapath in (lab.s0, lab.s1):
        lab.switches.confirmed(datapath, datapath.sent[-1].xid)
    assert thread.wait() == {}


def test_what_was_asked_over_a_connection_that_is_replaced_fails_at_once() -> None:
    lab = Lab()
    thread = lab.commit(S0)
    lab.switches.add("s0", FakeDatapath(1))
    assert thread.wait() == {"s0": "was lost"}
    assert lab.switches.awaited("s0") == 0


def test_installed_entries_are_read_from_all_parts_of_the_reply() -> None:
    lab = Lab()
    thread = eventlet.spawn(lab.switches.installed, ["s0", "s2"])
    until(lambda: bool(lab.s0.sent))
    request = lab.s0.sent[-1]
    cookie_and_mask = request.data[32:48]  # OFPMP_FLOW request, OpenFlow 1.3.5, 7.3.5.2
    assert cookie_and_mask == struct.pack("!QQ", OURS.cookie, OURS.mask)
    entries = (ROUTE.ingress, drop_entry(ADDRESSING, ("h0", "h2"), "s0"))
    for number, entry in enumerate(entries):
        stat = described(sent_by(Change(entry)))
        assert lab.switches.replied(lab.s0, request.xid, [stat], more=number == 0) is None
    assert thread.wait() == {"s0": entries}


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


def strange_actions() -> list[Any]:
    label, out = parser.OFPActionSetField(eth_dst="06:00:00:00:00:05"), parser.OFPActionOutput(2)
    forget = parser.NXActionRegLoad(15, "in_port_nxm", 0)
    return [
        *(
            [label, out, parser.OFPActionOutput(3)],
            [out, label],
            [label, parser.OFPActionGroup(1), out],
        ),
        *(
            [parser.OFPActionPopVlan(), out],
            [forget, out],
            [label, parser.OFPActionDecNwTtl(), out],
        ),
        [parser.NXActionRegLoad(15, "in_port_nxm", 1), out],
    ]


@pytest.mark.parametrize("number", range(7))
def test_what_none_of_our_entries_does_equals_none_of_them(number: int) -> None:
    instruction = parser.OFPInstructionActions(
        ofproto.OFPIT_APPLY_ACTIONS, strange_actions()[number]
    )
    stat = parser.OFPFlowStats(
        table_id=0, priority=1, cookie=1, match=parser.OFPMatch(), instructions=[instruction]
    )
    assert openflow_replies.entry_of("s0", stat).foreign


def test_actions_that_are_only_written_are_not_ours() -> None:
    written = parser.OFPInstructionActions(ofproto.OFPIT_WRITE_ACTIONS, [parser.OFPActionOutput(2)])
    stat = parser.OFPFlowStats(
        table_id=0, priority=1, cookie=1, match=parser.OFPMatch(), instructions=[written]
    )
    assert openflow_replies.entry_of("s0", stat).foreign


def group_described(*buckets: Any) -> Group:
    described = parser.OFPGroupDescStats(type_=ofproto.OFPGT_FF, group_id=1, buckets=list(buckets))
    return openflow_replies.group_of("s0", described)


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


def test_a_reply_that_nobody_waits_for_is_given_back_whole() -> None:
    lab = Lab()
    assert lab.switches.replied(lab.s0, 9, ["a"], more=True) is None
    assert lab.switches.replied(lab.s0, 9, ["b"], more=False) == ["a", "b"]


def test_removals_and_entries_travel_together() -> None:
    lab = Lab()
    thread = eventlet.spawn(lab.switches.commit, [*put([S0]), *remove([S0])])
    until(lambda: bool(lab.s0.sent))
    commands = [flow_mod(lab.s0, sent).command for sent in lab.s0.sent[:-1]]
    assert commands == [ofproto.OFPFC_ADD, ofproto.OFPFC_DELETE_STRICT]
    lab.switches.confirmed(lab.s0, lab.s0.sent[-1].xid)
    assert thread.wait() == {}


def test_meters_come_before_the_entries_that_point_to_them() -> None:
    limited = next(
        policy_entries(
            replace(ring(4), policies=(Policy("h0", "h2", limit=RateLimit(2e6, 2e5), dscp=46),)),
            ADDRESSING,
        )
    )
    meter = MeterChange(Meter("s0", 1, 2000, 200))
    lab = Lab()
    thread = eventlet.spawn(lab.switches.commit, put([limited]), (), [meter], atomic=True)
    datapath = lab.s0
    until(lambda: bool(datapath.sent))
    assert [sent.kind for sent in datapath.sent] == [
        *(ofproto.OFPT_METER_MOD, ofproto.OFPT_BARRIER_REQUEST)
    ]
    lab.switches.confirmed(datapath, datapath.sent[-1].xid)
    until(lambda: len(datapath.sent) > 2)
    lab.switches.confirmed(datapath, datapath.sent[-1].xid)
    assert thread.wait() == {}
    flags = ofproto.OFPMF_KBPS | ofproto.OFPMF_BURST | ofproto.OFPMF_STATS
    drop = (ofproto.OFPMBT_DROP, 16, 2000, 200)
    sent = struct.unpack("!HHIHHII", datapath.sent[0].data[8:28])  # OpenFlow 1.3.5, 7.3.4.5
    assert sent == (ofproto.OFPMC_ADD, flags, 1, *drop)
    added = datapath.sent[3]  # in a bundle: what was opened, this, the commit, a barrier
    inner = Sent(ofproto.OFPT_FLOW_MOD, 0, added.data[24:])
    metered, mark, goto = flow_mod(datapath, inner).instructions
    assert (metered.meter_id, goto.table_id) == (1, ROUTES)
    assert [(action.key, action.value) for action in mark.actions] == [("ip_dscp", 46)]


def test_installed_meters_are_read() -> None:
    lab = Lab()
    thread = eventlet.spawn(lab.switches.installed_meters, ["s0"])
    until(lambda: bool(lab.s0.sent))
    band = parser.OFPMeterBandDrop(2000, 200)
    stat = parser.OFPMeterConfigStats(bands=[band], flags=0, meter_id=1)
    lab.switches.replied(lab.s0, lab.s0.sent[-1].xid, [stat], more=False)
    assert thread.wait() == {"s0": (Meter("s0", 1, 2000, 200),)}
