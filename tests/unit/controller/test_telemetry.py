"""Polls and probes of switches that are lists, with Ryu's own messages."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from fake_network import ring
from test_switches import FakeDatapath, ofproto, parser

from controller.messages import (
    Gap,
    GroupStats,
    LinkDelays,
    LinkSilence,
    Message,
    MeterStats,
    OdStats,
    PortStats,
    SwitchHealth,
)
from controller.switches import OpenFlowSwitches
from controller.telemetry import Telemetry
from topologies.addressing import address

TOPOLOGY = ring(4)
ADDRESSING = address(TOPOLOGY)
MULTIPART = {
    ofproto.OFPMP_PORT_STATS: "port-stats",
    ofproto.OFPMP_FLOW: "od-stats",
    ofproto.OFPMP_GROUP: "group-stats",
    ofproto.OFPMP_METER: "meter-stats",
}


class Lab:
    """s0 and s1 are connected, s2 and s3 are not."""

    def __init__(self) -> None:
        self.now_s = 50.0
        self.told: list[Message] = []
        self.switches = OpenFlowSwitches()
        self.datapaths = {"s0": FakeDatapath(1), "s1": FakeDatapath(2)}
        for name, datapath in self.datapaths.items():
            self.switches.add(name, datapath)
        self.telemetry = Telemetry(
            TOPOLOGY, ADDRESSING, self.switches, self.told.append, frozenset, lambda: self.now_s
        )

    def tick(self, switch: str, number: int) -> list[str]:
        """What the switch was asked."""
        datapath = self.datapaths[switch]
        datapath.sent.clear()
        self.telemetry.tick(switch, number)
        self.now_s += 0.25
        return [self._name(sent) for sent in datapath.sent]

    def _name(self, sent: Any) -> str:
        if sent.kind == ofproto.OFPT_MULTIPART_REQUEST:
            return MULTIPART[int.from_bytes(sent.data[8:10], "big")]
        return {ofproto.OFPT_ECHO_REQUEST: "echo", ofproto.OFPT_PACKET_OUT: "probe"}[sent.kind]

    def answer(self, switch: str, asked: list[str]) -> None:
        """Answer at once, with nothing in it."""
        answers = {
            "port-stats": lambda: self.telemetry.port_stats(switch, []),
            "od-stats": lambda: self.telemetry.flow_stats(switch, []),
            "group-stats": lambda: self.telemetry.group_stats(switch, []),
            "meter-stats": lambda: self.telemetry.meter_stats(switch, []),
            "echo": lambda: self._echo(switch),
        }
        for name in asked:
            if name in answers:
                answers[name]()

    def _echo(self, switch: str) -> None:
        request = next(
            s for s in self.datapaths[switch].sent if s.kind == ofproto.OFPT_ECHO_REQUEST
        )
        self.telemetry.echo(switch, request.data[8:])


def test_each_kind_is_asked_for_at_its_own_pace() -> None:
    lab = Lab()
    asked: list[str] = []
    for number in range(40):
        names = lab.tick("s0", number)
        asked += names
        lab.answer("s0", names)
    counts = {name: asked.count(name) for name in asked if name != "probe"}
    # Ten seconds; of groups and meters there are none.
    assert counts == {
        "port-stats": 40,
        "od-stats": 20,
        "echo": 10,
        "group-stats": 2,
        "meter-stats": 2,
    }
    kinds = {type(message) for message in lab.told}
    assert kinds - {LinkDelays, LinkSilence} == {
        PortStats,
        OdStats,
        GroupStats,
        MeterStats,
        SwitchHealth,
    }


def test_a_switch_that_does_not_answer_leaves_gaps_and_is_left_in_peace() -> None:
    lab = Lab()
    asked: list[str] = []
    for number in range(40):
        asked += [name for name in lab.tick("s0", number) if name != "probe"]
    assert sorted(asked) == ["echo", "group-stats", "meter-stats", "od-stats", "port-stats"]
    gaps = [message for message in lab.told if isinstance(message, Gap)]
    assert {gap.missing for gap in gaps} == {
        *("port-stats", "od-stats", "group-stats", "meter-stats", "switch-health"),
    }
    assert len(gaps) == 5
    assert {gap.answered_s for gap in gaps} == {None}
    lab.telemetry.lost("s0")
    assert lab.tick("s0", 40) == ["port-stats", "od-stats"]


def test_nothing_is_told_of_a_switch_that_is_not_connected() -> None:
    lab = Lab()
    for number in range(8):
        lab.telemetry.tick("s2", number)
    assert lab.told == []


def test_a_switch_that_was_away_is_not_called_silent_when_it_is_back() -> None:
    lab = Lab()
    lab.tick("s0", 1)
    lab.tick("s1", 1)
    lab.switches.forget("s1", lab.datapaths["s1"])
    lab.telemetry.lost("s1")
    for number in range(2, 21):
        assert lab.tick("s1", number) == []
    lab.switches.add("s1", lab.datapaths["s1"])
    assert "probe" in lab.tick("s1", 21)
    assert not [message for message in lab.told if isinstance(message, LinkSilence)]


def test_health_tells_the_round_trip_and_what_is_owed() -> None:
    lab = Lab()
    for number in range(4):
        asked = lab.tick("s0", number)
    lab.answer("s0", [name for name in asked if name == "echo"])
    (health,) = [message for message in lab.told if isinstance(message, SwitchHealth)]
    assert health.echo_ms == pytest.approx(250.0)
    assert health.outstanding == 4
    assert health.slowdown == 2  # its ports have been missing


def test_only_links_whose_ends_answer_are_probed() -> None:
    lab = Lab()
    asked = lab.tick("s0", 1)
    assert asked.count("probe") == 1  # to s1: s3 is not connected
    assert not [message for message in lab.told if isinstance(message, LinkDelays)]


def test_counters_of_groups_and_meters_are_those_of_the_switch() -> None:
    lab = Lab()
    bucket = parser.OFPBucketCounter(5, 500)
    group = parser.OFPGroupStats(group_id=3, packet_count=7, byte_count=700, bucket_stats=[bucket])
    lab.telemetry.group_stats("s0", [group])
    band = parser.OFPMeterBandStats(2, 200)
    meter = SimpleNamespace(meter_id=9, packet_in_count=7, byte_in_count=700, band_stats=[band])
    lab.telemetry.meter_stats("s0", [meter])
    groups, meters = lab.told
    assert isinstance(groups, GroupStats)
    assert isinstance(meters, MeterStats)
    assert groups.groups[0].bucket_packets == (5,)
    assert (meters.meters[0].packets, meters.meters[0].dropped_packets) == (7, 2)
