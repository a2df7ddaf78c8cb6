"""Policies, forged senders and IPv6, on packets."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from controller_lab import ControllerLab, control, reaches, restart
from udp import FAMILIES, address_of, exchange

from controller.dumped_tables import entries_of, groups_of, meters_of
from controller.messages import OdStats, Reroute, RerouteDone, Route, SpoofedArp
from controller.verification import Verified, verify
from testbed import ipv6, switch_tables
from testbed.namespaces import network_namespace
from testbed.network import Network

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.topology("tests/lab/zones.yaml"),
    pytest.mark.usefixtures("runtime"),
]

EXPEDITED = 46


def check_policies(network: Network) -> None:
    """Everything that tests/lab/zones.yaml says, but the limit."""
    for family in FAMILIES:
        # h3 may send to the office by UDP port 7000 only; the office to h3, and h3 to the lab, all.
        assert set(exchange(network, "h3", "h1", family, 9, 7000)) == {7000}
        assert set(exchange(network, "h1", "h3", family, 9, 7000)) == {9, 7000}
        assert set(exchange(network, "h3", "h2", family, 9, 7000)) == {9, 7000}
        assert exchange(network, "h1", "h2", family, 6000)[6000].dscp == EXPEDITED
        assert exchange(network, "h1", "h2", family, 6001)[6001].dscp == 0
        assert exchange(network, "h1", "h3", family, 6000)[6000].dscp == 0


def check_senders(network: Network) -> None:
    """h4 cannot send as h1, which is at the same switch."""
    for family in FAMILIES:
        address = address_of(network, "h1", family)
        with borrowed(network, "h4", address):
            came = exchange(network, "h4", "h2", family, 9, 7000, forging=address)
            assert set(came) == {7000}


@contextmanager
def borrowed(network: Network, host: str, address: str) -> Iterator[None]:
    """`host` has an address that is not its own."""
    whole = f"{address}/{128 if ':' in address else 32}"
    nodad = ["nodad"] if ":" in address else []
    change = ["dev", f"{host}-eth0", *nodad]
    done = network.hosts.run(host, ["ip", "address", "add", whole, *change])
    assert done.returncode == 0, done.stderr
    yield
    network.hosts.run(host, ["ip", "address", "del", whole, "dev", f"{host}-eth0"])


def reroute(lab: ControllerLab) -> None:
    """All pairs between switches go round by the third one."""
    switch_of = lab.network.topology.switch_of
    pairs = [
        pair for pair in lab.network.topology.od_pairs if len({*map(switch_of.get, pair)}) == 2
    ]
    moves = []
    for source, target in pairs:
        ends = switch_of[source], switch_of[target]
        (third,) = {"s1", "s2", "s3"} - {*ends}
        moves.append(Route(source, target, (ends[0], third, ends[1])))
    done = lab.ask(Reroute("round", tuple(moves)), RerouteDone)
    assert done.refused == ()


@pytest.mark.parametrize("protection", [[], ["--protected"]])
def test_policies_hold_whatever_happens_to_routes_and_switches(
    network: Network, tmp_path: Path, protection: list[str]
) -> None:
    with control(network, tmp_path, *protection) as lab:
        check_policies(network)
        check_senders(network)
        reroute(lab)
        check_policies(network)
        check_senders(network)
        restart(lab, "s1")
        check_policies(network)
        check_senders(network)
        verified = eventually_verified(network, failing=bool(protection))
    assert verified.breaches == ()
    assert verified.denied > 0


def eventually_verified(network: Network, failing: bool) -> Verified:
    """What the switches hold, once links that were dead lately are used again."""
    deadline_s = time.monotonic() + 15.0
    while True:
        tables = switch_tables.dump(network.switches)
        entries = [e for switch, one in tables.items() for e in entries_of(switch, one.flows)]
        groups = [g for switch, one in tables.items() for g in groups_of(switch, one.groups)]
        meters = [m for switch, one in tables.items() for m in meters_of(switch, one.meters)]
        verified = verify(network.topology, entries, groups, meters, failing=failing)
        if not verified.breaches or time.monotonic() > deadline_s:
            return verified


def test_forged_arp_is_not_answered_but_reported(network: Network, tmp_path: Path) -> None:
    addressing = network.addressing
    with control(network, tmp_path) as lab:
        with network_namespace(network.hosts.pid("h4")):
            wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
        with wire:
            wire.bind(("h4-eth0", 0x0806))
            wire.settimeout(10.0)
            wire.send(arp_request(addressing.mac["h4"], addressing.ipv4["h1"]))
            report = lab.await_message(SpoofedArp)
            assert (report.host, report.ipv4, report.refused) == ("h4", addressing.ipv4["h1"], 1)
            wire.send(arp_request(addressing.mac["h4"], addressing.ipv4["h4"]))
            answer = wire.recv(100)
            assert answer[38:42] == socket.inet_aton(addressing.ipv4["h4"])  # no other came first

            for _ in range(20_000):
                wire.send(arp_request(addressing.mac["h4"], addressing.ipv4["h1"]))
            of_h2 = [addressing.ipv4["h2"], "dev", "h1-eth0"]
            assert network.hosts.run("h1", ["ip", "neigh", "del", *of_h2]).returncode == 0
            assert reaches(network, "h1", "h2", count=3)  # h1 shares its switch with the flood
            assert lab.await_message(SpoofedArp, lambda m: m.refused > 1).refused < 10_000


def arp_request(mac: str, sender_ip: str) -> bytes:
    """Who has 10.0.0.2? Tell `sender_ip`, says `mac`."""
    eth = bytes.fromhex(mac.replace(":", ""))
    header = bytes.fromhex("08060001080006040001")
    target = bytes(6) + socket.inet_aton("10.0.0.2")
    return b"\xff" * 6 + eth + header + eth + socket.inet_aton(sender_ip) + target


@pytest.mark.skipif(not ipv6.available(), reason="this kernel has no IPv6")
def test_both_ip_versions_are_counted_together_and_nothing_comes_by_itself(
    network: Network, tmp_path: Path
) -> None:
    def sent(message: OdStats) -> int:
        return next(p.packets for p in message.pairs if (p.src, p.dst) == ("h1", "h3"))

    shown = network.hosts.run("h1", ["ip", "-6", "-o", "address", "show", "dev", "h1-eth0"]).stdout
    assert [line.split()[3] for line in shown.decode().splitlines()] == ["fd00::1/64"]
    with control(network, tmp_path) as lab:
        assert sent(lab.await_message(OdStats, lambda m: m.datapath == "s1")) == 0
        for family in FAMILIES:
            exchange(network, "h1", "h3", family, 7000)
        lab.await_message(OdStats, lambda m: m.datapath == "s1" and sent(m) >= 2)
