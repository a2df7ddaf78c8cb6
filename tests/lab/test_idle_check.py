"""The idle check on a real network, with static flow entries unless a test says otherwise."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest
from controller_lab import control
from static_routes import install_shortest_paths

from testbed.idle_check import FRAMES, check_links, check_paths
from testbed.links.backend import LinkCondition
from testbed.network import Network
from topologies.paths import path_directions, shortest_paths

pytestmark = pytest.mark.sandbox


def test_every_link_and_path_delays_as_configured(network: Network) -> None:
    install_shortest_paths(network)
    lab = (network.topology, network.addressing, network.hosts)
    links = list(check_links(*lab))
    assert [(one.src, one.dst) for one in links] == [
        direction for link in network.topology.links for direction in link.directions
    ]
    for link in links:
        assert (link.sent, link.arrived) == (FRAMES, FRAMES), link
        assert link.measured_ms is not None
        assert -0.5 < link.measured_ms - link.configured_ms < 10.0, link
    routing = shortest_paths(network.topology)
    paths = list(check_paths(*lab, routing))
    assert [(one.src, one.dst) for one in paths] == list(routing)
    for path in paths:
        assert path.arrived
        assert path.measured_ms is not None
        assert -1.0 < path.measured_ms - path.configured_ms < 50.0, path


def packets(switch: str) -> int:
    """What the only flow entry of a switch has counted."""
    dump = ["ovs-ofctl", "-OOpenFlow13", "dump-flows", switch]
    shown = subprocess.run(dump, capture_output=True, text=True, check=True).stdout
    found = re.search(r"n_packets=(\d+)", shown)
    assert found, shown
    return int(found[1])


def test_nobody_else_gets_the_frames_of_the_check(network: Network) -> None:
    entry = ["ovs-ofctl", "-OOpenFlow13", "add-flow", "s1", "dl_type=0x88b5,actions=drop"]
    subprocess.run(entry, check=True)
    links = list(check_links(network.topology, network.addressing, network.hosts))
    assert all(link.arrived == link.sent for link in links)
    # s1 gets those of two neighbours and a host, and each once: nobody passes them on. Counters
    # follow within a second.
    deadline_s = time.monotonic() + 10
    while (counted := packets("s1")) < 3 * FRAMES and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert counted == 3 * FRAMES


def test_what_is_dead_is_found_and_nothing_else(network: Network) -> None:
    install_shortest_paths(network)
    lab = (network.topology, network.addressing, network.hosts)
    link = network.topology.link_between["s1", "s2"]
    network.links.set_condition({link: LinkCondition(passes=(False, True))})
    silent = link.directions[0]
    dead = [(one.src, one.dst) for one in check_links(*lab) if not one.arrived]
    assert dead == [silent]
    routing = shortest_paths(network.topology)
    across = [pair for pair, path in routing.items() if silent in path_directions(path)]
    unreached = [(p.src, p.dst) for p in check_paths(*lab, routing) if not p.arrived]
    assert unreached == across != []


@pytest.mark.topology("topohub:sndlib/germany50")
def test_a_network_of_more_neighbours_than_the_kernel_learns_is_whole(
    network: Network, tmp_path: Path
) -> None:
    pairs = set(network.topology.od_pairs)
    with control(network, tmp_path):
        lab = (network.topology, network.addressing, network.hosts)
        paths = check_paths(*lab, shortest_paths(network.topology))
        assert {(path.src, path.dst) for path in paths if path.arrived} == pairs
