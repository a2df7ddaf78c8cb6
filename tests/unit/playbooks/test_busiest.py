"""What "busiest" means, on networks where it can be seen at a glance."""

from __future__ import annotations

import numpy as np
import pytest

from playbooks.busiest import (
    busiest_host,
    busiest_link,
    busiest_switch,
    pairs_by_rate,
)
from topologies.catalogue import load_topology
from topologies.model import Host, Link, LinkShape, Switch, Topology
from topologies.paths import shortest_paths

TRIANGLE = load_topology("triangle")
MATRIX_BPS = np.array([[0.0, 5.0, 1.0], [2.0, 0.0, 9.0], [1.0, 1.0, 0.0]])
SHAPE = LinkShape(rate_bps=1e6, delay_ms=1.0)


def test_the_busiest_of_each_kind() -> None:
    routing = shortest_paths(TRIANGLE)
    assert busiest_link(TRIANGLE, routing, MATRIX_BPS) == ("s2", "s3")
    assert busiest_switch(TRIANGLE, MATRIX_BPS) == "s2"
    assert busiest_host(TRIANGLE, MATRIX_BPS) == "h3"
    assert pairs_by_rate(TRIANGLE, MATRIX_BPS)[:2] == [("h2", "h3"), ("h1", "h2")]


def test_a_bridge_is_never_chosen() -> None:
    switches = tuple(Switch(name, name) for name in ("s1", "s2", "s3", "s4"))
    hosts = tuple(Host(f"h{n}", f"h{n}", f"s{n}") for n in range(1, 5))
    core = [("s1", "s2"), ("s2", "s3"), ("s1", "s3"), ("s3", "s4")]
    access = [(host.name, host.switch) for host in hosts]
    links = tuple(Link(a, b, SHAPE) for a, b in core + access)
    topology = Topology("lollipop", switches, hosts, links)
    matrix_bps = np.zeros((4, 4))
    matrix_bps[2, 3] = 100.0  # all on the bridge s3-s4
    matrix_bps[0, 1] = 1.0
    assert busiest_link(topology, shortest_paths(topology), matrix_bps) == ("s1", "s2")


def test_in_a_tree_every_link_is_a_bridge() -> None:
    switches = (Switch("s1", "s1"), Switch("s2", "s2"))
    hosts = (Host("h1", "h1", "s1"), Host("h2", "h2", "s2"))
    links = tuple(Link(a, b, SHAPE) for a, b in (("s1", "s2"), ("h1", "s1"), ("h2", "s2")))
    topology = Topology("line", switches, hosts, links)
    with pytest.raises(ValueError, match="disconnects"):
        busiest_link(topology, shortest_paths(topology), np.ones((2, 2)))
