"""The baseline, ARP, counters and drops, on packets."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from controller_lab import control, reaches, wait_for

from controller.messages import Allow, Drop, DropDone, OdStats, PortStats
from testbed.network import Network

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.topology("topohub:sndlib/abilene"),
    pytest.mark.usefixtures("runtime"),
]


def arrived(lines: OdStats, source: str, target: str) -> int:
    return next((p.packets for p in lines.pairs if (p.src, p.dst) == (source, target)), 0)


def test_every_pair_is_connected_and_counted(network: Network, tmp_path: Path) -> None:
    with control(network, tmp_path) as lab:
        waiting = {
            (source, target): network.hosts.start(
                source, ["ping", "-q", "-c", "1", "-W", "2", network.addressing.ipv4[target]]
            )
            for source, target in network.topology.od_pairs
        }
        silent = [pair for pair, ping in waiting.items() if ping.wait() != 0]
        assert silent == []
        # A ping and its answer are one packet each way, and each pair has pinged.
        lab.await_message(OdStats, lambda m: m.datapath == "s1" and arrived(m, "h1", "h2") >= 2)
        ports = lab.await_message(PortStats, lambda m: m.datapath == "s1").ports
        own = next(port for port in ports if port.neighbour == "h1")
        assert own.rx_packets >= 2 * 11
        flows = subprocess.run(
            ["ovs-ofctl", "-OOpenFlow13", "dump-flows", "s1"], capture_output=True, text=True
        ).stdout
        assert "FLOOD" not in flows
        assert "priority=0 actions=drop" in flows


def test_a_host_that_asks_for_an_address_is_answered(network: Network, tmp_path: Path) -> None:
    with control(network, tmp_path):
        of_h2 = [network.addressing.ipv4["h2"], "dev", "h1-eth0"]
        assert network.hosts.run("h1", ["ip", "neigh", "del", *of_h2]).returncode == 0
        assert reaches(network, "h1", "h2")
        known = network.hosts.run("h1", ["ip", "neigh", "show", *of_h2]).stdout.decode()
        assert network.addressing.mac["h2"] in known
        assert "PERMANENT" not in known


def test_a_pair_is_dropped_at_its_ingress_and_allowed_again(
    network: Network, tmp_path: Path
) -> None:
    with control(network, tmp_path) as lab:
        assert reaches(network, "h1", "h5")
        done = lab.ask(Drop("1", "h1", "h5"), DropDone)
        assert done.reason == ""
        assert done.received_s <= done.applied_s
        # The cache of the datapath follows the tables some milliseconds after the barrier.
        wait_for(lambda: not reaches(network, "h1", "h5"))
        assert reaches(network, "h1", "h6")
        assert lab.ask(Allow("2", "h1", "h5"), DropDone).reason == ""
        wait_for(lambda: reaches(network, "h1", "h5"))


def test_telemetry_comes_at_its_pace(network: Network, tmp_path: Path) -> None:
    with control(network, tmp_path) as lab:
        start_s = time.monotonic()
        times: list[float] = []
        flows = 0
        while time.monotonic() < start_s + 4.0:
            message = lab.client.receive(1.0)
            if isinstance(message, PortStats) and message.datapath == "s3":
                times.append(message.t_s)
            elif isinstance(message, OdStats) and message.datapath == "s3":
                flows += 1
        elapsed_s = time.monotonic() - start_s
        assert len(times) == pytest.approx(elapsed_s / 0.25, abs=2)
        assert flows == pytest.approx(elapsed_s / 0.5, abs=2)
