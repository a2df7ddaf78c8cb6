"""Barriers and replies of several switches, each of which is a list."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fake_datapath import (
    FakeDatapath,
    Sent,
    described,
    eventlet,
    flow_mod,
    ofproto,
    parser,
    sent_by,
)
from fake_network import ring

from controller import openflow
from controller.flow_entries import (
    OURS,
    ROUTES,
    FlowEntry,
    drop_entry,
    route_entries,
)
from controller.flow_table import Change, put, remove
from controller.meters import Meter, MeterChange
from controller.policies import policy_entries
from controller.switches import OpenFlowSwitches
from topologies.addressing import address
from topologies.model import Policy, RateLimit

ADDRESSING = address(ring(4))
ROUTE = route_entries(ADDRESSING, ("h0", "h2"), ("s0", "s1", "s2"), 5)


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


def test_the_end_of_a_silent_switch_is_known_before_anything_else_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("controller.switches._ANSWER_TIMEOUT_S", 0.01)
    lab = Lab()

    def close() -> None:  # as the library does: its own thread tells of the end
        eventlet.spawn(lab.switches.forget, "s0", lab.s0)

    monkeypatch.setattr(lab.s0, "close", close)
    assert lab.switches.commit(put([S0])) == {"s0": "did not answer"}
    assert lab.switches.connected == {"s1"}


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
    flags = ofproto.OFPMF_KBPS | ofproto.OFPMF_BURST | ofproto.OFPMF_STATS
    stat = parser.OFPMeterConfigStats(bands=[band], flags=flags, meter_id=1)
    lab.switches.replied(lab.s0, lab.s0.sent[-1].xid, [stat], more=False)
    assert thread.wait() == {"s0": (Meter("s0", 1, 2000, 200),)}
