"""Addresses and routes of routers, without any."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.link_costs import link_costs
from testbed.links.backend import LinkError
from testbed.routers import (
    GATEWAY_MAC,
    RoutedNetwork,
    addresses,
    mac,
    next_hops,
    router_id,
    walk,
)
from topologies.addressing import address
from topologies.catalogue import load_topology
from topologies.model import OdPair
from topologies.paths import shortest_paths

ABILENE = load_topology("topohub:sndlib/abilene")
ADDRESSING = address(ABILENE)
ROUTING = shortest_paths(ABILENE)


def hops(routing: dict[OdPair, tuple[str, ...]]) -> dict[str, dict[str, str]]:
    """The next hop of every router to every host, where `routing` is consistent."""
    found: dict[str, dict[str, str]] = {switch.name: {} for switch in ABILENE.switches}
    for (_, target), path in routing.items():
        for here, there in zip(path, (*path[1:], target), strict=True):
            found[here][target] = there
    return found


def test_walking_the_next_hops_gives_the_paths_they_came_from() -> None:
    assert walk(ABILENE, hops(ROUTING)) == ROUTING


@given(st.data())
def test_a_missing_or_looping_hop_leaves_out_the_pairs_behind_it(data: st.DataObject) -> None:
    pair = data.draw(st.sampled_from([p for p, path in ROUTING.items() if len(path) > 1]))
    path, target = ROUTING[pair], pair[1]
    place = data.draw(st.integers(1, len(path) - 1))
    table = hops(ROUTING)
    if data.draw(st.booleans()):
        table[path[place]][target] = path[place - 1]
    else:
        del table[path[place]][target]
    walked = walk(ABILENE, table)
    assert pair not in walked
    assert all(walked[one] == ROUTING[one] for one in walked)
    behind = {one for one, other in ROUTING.items() if one[1] == target and path[place] in other}
    assert ROUTING.keys() - walked.keys() == behind


def test_every_router_knows_its_neighbours_and_hosts_by_their_own_addresses() -> None:
    for here, there in ABILENE.core_directions:
        its_mac, interface = mac(ADDRESSING, there, here), ADDRESSING.interface(here, there)
        entry = f"neigh replace {router_id(ADDRESSING, there)} lladdr {its_mac} dev {interface}"
        assert f"{entry} nud permanent" in list(addresses(ABILENE, ADDRESSING, here))
    for host, switch in ABILENE.switch_of.items():
        made = "\n".join(addresses(ABILENE, ADDRESSING, switch))
        assert f"{ADDRESSING.ipv4[host]} lladdr {ADDRESSING.mac[host]}" in made
        assert f"peer {ADDRESSING.ipv4[host]}/32" in made
        assert GATEWAY_MAC in made
    macs = [mac(ADDRESSING, *hop) for hop in ABILENE.core_directions]
    assert len(set(macs)) == len(macs)


def test_routes_of_the_kernel_name_the_next_node() -> None:
    dev = ADDRESSING.interface("s1", "s2")
    own = ADDRESSING.interface("s1", "h1")
    routes = [
        {"dst": "10.0.0.1", "dev": own, "protocol": "kernel", "flags": []},
        {"dst": "10.0.0.2", "gateway": "10.255.0.2", "dev": dev, "flags": ["onlink"]},
        {"dst": "10.255.0.2", "dev": dev, "flags": []},
        {"dst": "10.0.0.3", "dev": dev, "flags": ["linkdown"]},
    ]
    shown = json.dumps(routes).encode()
    assert next_hops(ADDRESSING, "s1", shown) == {"h1": "h1", "h2": "s2"}
    for strange in (b"", b'[{"dst": "10.0.0.1"}]'):
        with pytest.raises(LinkError, match="s1"):
            next_hops(ADDRESSING, "s1", strange)


def test_costs_follow_the_weight() -> None:
    by_delay, by_hops = link_costs(ABILENE, "delay"), link_costs(ABILENE, "hops")
    assert set(by_hops.values()) == {1}
    for link in ABILENE.core_links:
        for direction in link.directions:
            assert by_delay[direction] == pytest.approx(100 * link.shape.delay_ms, abs=0.5)


class Process:
    """A daemon that lives, and starts another while it is asked: so does the thread of a fault."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self._meanwhile = meanwhile

    def poll(self) -> None:
        self._meanwhile()


def test_daemons_may_be_started_while_somebody_looks_for_dead_ones(tmp_path: Path) -> None:
    network = object.__new__(RoutedNetwork)  # without its lab
    network._log_dir = tmp_path
    network.hosts = cast(Any, SimpleNamespace(start=lambda *_: Process()))
    first = Process(lambda: network._run("s2", "zebra"))
    network._daemons = cast(Any, {("s1", "zebra"): first})
    assert network.dead_processes() == []
    assert set(network._daemons) == {("s1", "zebra"), ("s2", "zebra")}
