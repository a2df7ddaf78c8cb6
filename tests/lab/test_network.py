"""The emulated network on packets, with static flow entries: no controller takes part."""

from __future__ import annotations

import re
import subprocess

import pytest
from static_routes import install_shortest_paths

from testbed.faults import LinkDown
from testbed.network import Network

pytestmark = pytest.mark.sandbox


def ping(network: Network, source: str, target: str, count: int) -> str:
    address = network.addressing.ipv4[target]
    done = network.hosts.run(source, ["ping", "-q", "-c", str(count), "-i", "0.02", address])
    return done.stdout.decode()


def test_every_pair_is_reachable_at_the_configured_delay(network: Network) -> None:
    install_shortest_paths(network)
    for source, target in network.topology.od_pairs:
        assert " 0% packet loss" in ping(network, source, target, 2)
    output = ping(network, "h1", "h2", 50)
    # The least of many: on a busy machine single frames are late.
    found = re.search(r"= ([\d.]+)/", output)
    assert found, output
    direct = network.topology.link_between["s1", "s2"].shape.delay_ms
    assert 2 * direct - 0.1 <= float(found[1]) < 2 * direct + 1.5


def test_carrier_down_is_seen_by_both_switches_and_comes_back(network: Network) -> None:
    def link_state(switch: str, peer: str) -> str:
        interface = network.addressing.interface(switch, peer)
        shown = ["ovs-vsctl", "get", "Interface", interface, "link_state"]
        return subprocess.run(shown, capture_output=True, text=True, check=True).stdout.strip()

    def await_state(state: str) -> None:
        for ends in (("s1", "s2"), ("s2", "s1")):
            interface = network.addressing.interface(*ends)
            wait = ["ovs-vsctl", "--timeout=5", "wait-until", "Interface", interface]
            subprocess.run([*wait, f"link_state={state}"], check=True)
            assert link_state(*ends) == state

    install_shortest_paths(network)
    await_state("up")
    network.set_faults([LinkDown(("s1", "s2"))])
    await_state("down")
    assert " 100% packet loss" in ping(network, "h1", "h2", 2)
    network.set_faults([])
    await_state("up")
    assert " 0% packet loss" in ping(network, "h1", "h2", 2)
