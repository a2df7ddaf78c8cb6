"""Pairs split over several paths, and flows with a path of their own, on packets."""

from __future__ import annotations

import socket
import struct
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from controller_lab import PATIENCE_S, ControllerLab, control, reaches, streaming

from controller.dumped_tables import entries_of, groups_of
from controller.flow_entries import FlowEntry
from controller.messages import (
    FlowRoute,
    OdStats,
    Reroute,
    RerouteDone,
    Route,
    Routes,
    WeightedPath,
)
from controller.verification import verify
from testbed import switch_tables
from testbed.faults import LinkDown
from testbed.namespaces import network_namespace
from testbed.network import Network

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.topology("leaf-spine"),
]

FLOWS, ROUNDS = 200, 5
LOST_S = 3.0
"""Without any packet for so long, no more will come."""
FIRST_PORT, TARGET_PORT = 20000, 7000
_ETH_P_IP = 0x0800
_UDP_OF_FRAME = 14 + 20  # Ethernet and IPv4 headers come before it
SPINES = ("spine1", "spine2")


@dataclass
class Seen:
    """What became of a round of packets of every flow, by source port."""

    spines: defaultdict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    arrived: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    @property
    def shares(self) -> Counter[str]:
        """How many flows each spine carries."""
        return Counter(spine for spines in self.spines.values() for spine in spines)


class ManyFlows:
    """UDP flows from h1 to h3 that differ in their source port, watched where they leave leaf1."""

    def __init__(self, network: Network, open_sockets: ExitStack) -> None:
        self._address = network.addressing.ipv4["h3"]
        with network_namespace(network.hosts.pid("h1")):
            self._senders = [
                open_sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                for _ in range(FLOWS)
            ]
        for number, sender in enumerate(self._senders):
            sender.bind(("", FIRST_PORT + number))
        with network_namespace(network.hosts.pid("h3")):
            self._receiver = open_sockets.enter_context(
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            )
        self._receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._receiver.bind(("", TARGET_PORT))
        self._watching: dict[str, socket.socket] = {}
        for spine in SPINES:
            watch = open_sockets.enter_context(
                socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            )
            watch.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
            watch.bind((network.addressing.interface("leaf1", spine), 3))
            self._watching[spine] = watch

    def send(self) -> Seen:
        """Packets of all flows in turn, so that a flow's are far apart; what became of them."""
        seen = Seen()
        for number in range(ROUNDS):
            for sender in self._senders:
                sender.sendto(struct.pack("!I", number), (self._address, TARGET_PORT))
                time.sleep(0.0005)
        self._receiver.settimeout(LOST_S)
        with suppress(TimeoutError):
            for _ in range(FLOWS * ROUNDS):
                data, (_, port) = self._receiver.recvfrom(64)
                seen.arrived[port].append(struct.unpack("!I", data)[0])
        for spine, watch in self._watching.items():
            for port in _udp_source_ports(watch):
                seen.spines[port].add(spine)
        return seen

    def await_spines(self, *spines: str) -> None:
        """Wait until all arrive by these: after a failure the datapath of a switch follows its
        tables, which may have confirmed the new route already, by a moment."""
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            seen = self.send()
            if set(seen.shares) == set(spines) and _whole(seen):
                return
            assert time.monotonic() < deadline_s, seen.shares


def _udp_source_ports(watch: socket.socket) -> Iterator[int]:
    """Of the frames to our port that a packet socket has seen."""
    watch.setblocking(False)
    while True:
        try:
            frame, (_, protocol, *_) = watch.recvfrom(2048)
        except BlockingIOError:
            return
        if protocol == _ETH_P_IP and len(frame) > _UDP_OF_FRAME + 4:
            source, target = struct.unpack_from("!HH", frame, _UDP_OF_FRAME)
            if target == TARGET_PORT:
                yield source


@contextmanager
def many_flows(network: Network) -> Iterator[ManyFlows]:
    with ExitStack() as open_sockets:
        yield ManyFlows(network, open_sockets)


def split(first: int, second: int) -> Route:
    one, other = (("leaf1", spine, "leaf2") for spine in SPINES)
    return Route("h1", "h3", one, first, (WeightedPath(other, second),))


def check(seen: Seen) -> None:
    """Nothing is lost, and every flow keeps to its path and its order."""
    assert _whole(seen)
    assert len(seen.spines) == FLOWS
    assert all(len(spines) == 1 for spines in seen.spines.values())


def _whole(seen: Seen) -> bool:
    in_order = all(numbers == list(range(ROUNDS)) for numbers in seen.arrived.values())
    return in_order and len(seen.arrived) == FLOWS


@pytest.mark.parametrize("protected", [(), ("--protected",)], ids=["plain", "protected"])
@pytest.mark.usefixtures("runtime")
def test_flows_are_spread_as_the_weights_and_keep_to_their_paths(
    network: Network, tmp_path: Path, protected: tuple[str, ...]
) -> None:
    with control(network, tmp_path, *protected) as lab, many_flows(network) as flows:
        for weights, least, most in (((1, 1), 0.3, 0.7), ((3, 1), 0.6, 0.9)):
            wanted = split(*weights)
            done = lab.ask(Reroute(str(weights), (wanted,)), RerouteDone)
            assert (done.applied, done.refused) == ((wanted,), ())
            seen = flows.send()
            check(seen)
            assert least * FLOWS < seen.shares["spine1"] < most * FLOWS
        assert not _breaches(network, failing=bool(protected))
        lab.ask(Reroute("back", (Route("h1", "h3", ("leaf1", "spine2", "leaf2")),)), RerouteDone)
        seen = flows.send()
        check(seen)
        assert seen.shares == {"spine2": FLOWS}
        assert "multipath" not in switch_tables.dump(["leaf1"])["leaf1"].flows


def test_moves_between_splits_lose_nothing(network: Network, tmp_path: Path) -> None:
    with control(network, tmp_path) as lab:
        assert reaches(network, "h1", "h3")
        with streaming(network, "h1", "h3", spacing_ms=5, duration_s=6) as stream:
            for number in range(10):
                wanted = split(1 + number % 3, 1 + number % 2)
                done = lab.ask(Reroute(str(number), (wanted,)), RerouteDone)
                assert not done.refused
        assert stream.lost == 0


def test_splits_outlive_the_controller(network: Network, tmp_path: Path) -> None:
    wanted = split(2, 1)
    with control(network, tmp_path) as lab:
        lab.ask(Reroute("split", (wanted,)), RerouteDone)
        assert reaches(network, "h1", "h3")
        before = _held(network)
        with streaming(network, "h1", "h3", spacing_ms=5, duration_s=8) as stream:
            lab.process.kill()
            lab.process.wait(PATIENCE_S)
            with control(network, tmp_path):
                assert _held(network) == before
    assert stream.lost == 0


@pytest.mark.usefixtures("runtime")
def test_a_flow_has_a_path_of_its_own_and_is_counted_with_its_pair(
    network: Network, tmp_path: Path
) -> None:
    one, other = (("leaf1", spine, "leaf2") for spine in SPINES)
    flow = FlowRoute("h1", "h3", "udp", other, src_port=FIRST_PORT + 7)

    def counted(lab: ControllerLab, least: int) -> int:
        def of_pair(message: OdStats) -> int:
            pairs = message.pairs if message.datapath == "leaf1" else ()
            return sum(pair.packets for pair in pairs if pair.dst == "h3" and pair.src == "h1")

        return of_pair(lab.await_message(OdStats, lambda m: of_pair(m) >= least))

    with control(network, tmp_path) as lab, many_flows(network) as flows:
        lab.ask(Reroute("pair", (Route("h1", "h3", one),)), RerouteDone)
        done = lab.ask(Reroute("flow", flows=(flow,)), RerouteDone)
        assert done.applied_flows == (flow,)
        seen = flows.send()
        check(seen)
        assert [port for port, spines in seen.spines.items() if spines == {"spine2"}] == [
            flow.src_port
        ]
        before = counted(lab, FLOWS * ROUNDS)
        gone = FlowRoute("h1", "h3", "udp", src_port=flow.src_port)
        assert lab.ask(Reroute("gone", flows=(gone,)), RerouteDone).applied_flows == (gone,)
        seen = flows.send()
        check(seen)
        assert seen.shares == {"spine1": FLOWS}
        assert counted(lab, before + FLOWS * ROUNDS) == before + FLOWS * ROUNDS


def test_equal_cost_routes_use_both_spines_and_one_when_the_other_is_cut_off(
    network: Network, tmp_path: Path
) -> None:
    with control(network, tmp_path, "--ecmp") as lab, many_flows(network) as flows:
        seen = flows.send()
        check(seen)
        assert set(seen.shares) == set(SPINES)
        assert not _breaches(network, failing=False)
        network.set_faults([LinkDown(("leaf2", "spine2"))])
        single = Route("h1", "h3", ("leaf1", "spine1", "leaf2"))
        lab.await_message(Routes, lambda m: single in m.routes)
        flows.await_spines("spine1")
        network.set_faults([])
        lab.await_message(Routes, lambda m: split(1, 1) in m.routes)
        flows.await_spines(*SPINES)
        check(flows.send())


def _held(network: Network) -> set[FlowEntry]:
    tables = switch_tables.dump(network.switches)
    return {e for switch, one in tables.items() for e in entries_of(switch, one.flows)}


def _breaches(network: Network, failing: bool) -> tuple[object, ...]:
    tables = switch_tables.dump(network.switches)
    entries = [e for switch, one in tables.items() for e in entries_of(switch, one.flows)]
    groups = [g for switch, one in tables.items() for g in groups_of(switch, one.groups)]
    return verify(network.topology, entries, groups, failing=failing).breaches
