"""Probes on a ring that passes them on: delays, silence, cabling, forgery."""

from __future__ import annotations

import pytest
from fake_network import ring

from controller.link_probes import SILENCE_S, LinkProbes
from controller.lldp import probe_frame
from controller.messages import Discovery, LinkDelays, LinkSilence, Message
from topologies.addressing import address
from topologies.model import DirectedLink

TOPOLOGY = ring(4)
ADDRESSING = address(TOPOLOGY)
SWITCHES = [switch.name for switch in TOPOLOGY.switches]
DELAY_S, CHANNEL_S = 0.005, 0.001
"""Of every link, and of an echo round trip."""


class Wires:
    """Every port leads where the topology says, unless it is cut or put elsewhere."""

    def __init__(self) -> None:
        self.told: list[Message] = []
        self.probes = LinkProbes(TOPOLOGY, ADDRESSING, self.tell, lambda _: CHANNEL_S)
        self.cut: set[DirectedLink] = set()
        self.unusable: set[DirectedLink] = set()
        self.elsewhere: dict[DirectedLink, DirectedLink] = {}
        self.now_s = 100.0
        self.sent = 0

    def tell(self, message: Message) -> None:
        self.told.append(message)

    def second(self) -> None:
        """Let every switch have its turn."""
        for switch in SWITCHES:
            frames = self.probes.turn(switch, lambda d: d not in self.unusable, self.now_s)
            self.sent += len(frames)
            for port, frame in frames:
                direction = (switch, ADDRESSING.neighbour[switch, port])
                arrives = self.elsewhere.get(direction, direction[::-1])
                if direction not in self.cut:
                    now_s = self.now_s + DELAY_S + CHANNEL_S
                    self.probes.arrived(arrives[0], ADDRESSING.port[arrives], frame, now_s)
        self.now_s += 1.0

    def take(self, kind: type[Message]) -> list[Message]:
        """What was told of one kind since the last time."""
        found = [message for message in self.told if isinstance(message, kind)]
        self.told = [message for message in self.told if not isinstance(message, kind)]
        return found


def test_a_delay_is_what_the_control_channels_leave_of_it() -> None:
    wires = Wires()
    wires.second()
    assert wires.take(LinkDelays) == []
    wires.second()
    told = wires.take(LinkDelays)
    assert [message.datapath for message in told] == SWITCHES
    measured = [link for message in told for link in message.links]
    assert len(measured) == len(TOPOLOGY.core_directions)
    for link in measured:
        assert link.delay_ms == pytest.approx(DELAY_S * 1e3)
        assert link.error_ms == pytest.approx(CHANNEL_S * 1e3)


def test_a_probe_that_does_not_come_is_a_gap_and_after_a_while_a_suspicion() -> None:
    wires = Wires()
    for _ in range(3):
        wires.second()
    wires.take(LinkDelays)
    wires.cut = {("s0", "s1")}
    wires.second()
    wires.second()
    gaps = [
        (message.datapath, link.neighbour)
        for message in wires.take(LinkDelays)
        for link in message.links
        if link.delay_ms is None
    ]
    assert gaps == [("s0", "s1")]
    assert wires.take(LinkSilence) == []
    for _ in range(int(SILENCE_S)):
        wires.second()
    (told,) = wires.take(LinkSilence)
    assert (told.datapath, told.neighbour, told.silent) == ("s0", "s1", True)
    assert told in [m for m in wires.probes.snapshot(told.t_s) if isinstance(m, LinkSilence)]
    wires.cut = set()
    wires.second()
    (told,) = wires.take(LinkSilence)
    assert not told.silent


def test_a_link_that_carries_packets_is_not_silent() -> None:
    wires = Wires()
    wires.second()
    wires.cut = {("s0", "s1")}
    for packets in range(20):
        wires.probes.counted("s1", "s0", packets, wires.now_s)
        wires.second()
    assert wires.take(LinkSilence) == []


def test_a_link_that_is_known_to_be_down_is_neither_probed_nor_suspected() -> None:
    wires = Wires()
    wires.second()
    wires.unusable = {("s0", "s1"), ("s1", "s0")}
    wires.second()
    wires.take(LinkDelays)
    sent = wires.sent
    for _ in range(10):
        wires.second()
    assert wires.sent - sent == 10 * (len(TOPOLOGY.core_directions) - 2)
    assert wires.take(LinkSilence) == []
    of_s0 = [m for m in wires.take(LinkDelays) if m.datapath == "s0"]
    assert [link.neighbour for link in of_s0[-1].links] == ["s3"]


def test_right_cabling_is_told_once() -> None:
    wires = Wires()
    for _ in range(5):
        wires.second()
    (told,) = wires.take(Discovery)
    assert (told.links, told.as_configured, told.miscabled) == (8, 8, ())


def test_wrong_cabling_is_told_and_its_mending_too() -> None:
    wires = Wires()
    # The cable of s0-s1 and that of s2-s3 have their second ends exchanged.
    wires.elsewhere = {
        ("s0", "s1"): ("s3", "s2"),
        ("s3", "s2"): ("s0", "s1"),
        ("s2", "s3"): ("s1", "s0"),
        ("s1", "s0"): ("s2", "s3"),
    }
    for _ in range(3):
        wires.second()
    last = wires.take(Discovery)[-1]
    assert (last.links, last.as_configured) == (8, 4)
    found = {((w.datapath, w.neighbour), (w.far_datapath, w.far_neighbour)) for w in last.miscabled}
    assert found == set(wires.elsewhere.items())
    wires.elsewhere = {}
    wires.second()
    last = wires.take(Discovery)[-1]
    assert (last.as_configured, last.miscabled) == (8, ())


def test_a_forged_or_repeated_frame_changes_nothing() -> None:
    wires = Wires()
    (port, frame), *_ = wires.probes.turn("s0", lambda _: True, 100.0)
    neighbour = ADDRESSING.neighbour["s0", port]
    far = ADDRESSING.port[neighbour, "s0"]
    forged = probe_frame(ADDRESSING.datapath_id["s0"], port, b"guessing")
    for arriving in (forged, frame[:-20], b""):
        wires.probes.arrived("s2", far, arriving, 100.1)
    assert wires.told == []
    wires.probes.arrived(neighbour, far, frame, 100.1)
    wires.probes.arrived("s2", 1, frame, 100.2)
    assert wires.take(Discovery) == []
    assert wires.probes.discovery is None
