"""Paths of fewest hops, all of them, and the shares of what they carry."""

from __future__ import annotations

import random

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_networks import networks

from topologies.catalogue import load_topology
from topologies.loads import link_loads_bps
from topologies.model import Split, Topology
from topologies.splits import MOST_EQUAL_COST_PATHS, equal_cost_ways, paths_of, shares_of


@given(networks(), st.integers(0, 2**32))
def test_all_paths_of_fewest_hops_are_found(topology: Topology, seed: int) -> None:
    links = topology.core_links
    choose = random.Random(seed)
    dead = choose.sample(links, choose.randint(0, min(2, len(links))))
    graph = nx.Graph([(link.a, link.b) for link in links if link not in dead])
    graph.add_nodes_from(switch.name for switch in topology.switches)
    down = frozenset(hop for link in dead for hop in link.directions)
    ways = equal_cost_ways(topology, down, most=1000)
    for pair in topology.od_pairs:
        ends = topology.switch_of[pair[0]], topology.switch_of[pair[1]]
        if nx.has_path(graph, *ends):
            assert sorted(map(tuple, nx.all_shortest_paths(graph, *ends))) == [
                *paths_of(ways[pair])
            ]
        else:
            assert pair not in ways


def test_a_way_of_one_path_is_that_path_and_no_way_has_more_than_may_be() -> None:
    topology = load_topology("leaf-spine")
    ways = equal_cost_ways(topology)
    assert ways["h1", "h2"] == ("leaf1",)
    both = tuple((("leaf1", spine, "leaf3"), 1) for spine in ("spine1", "spine2"))
    assert ways["h1", "h5"] == Split(both)
    assert equal_cost_ways(topology, most=1)["h1", "h5"] == both[0][0]
    assert MOST_EQUAL_COST_PATHS == 8


def test_a_split_loads_its_links_in_shares() -> None:
    topology = load_topology("leaf-spine")
    spines = [("leaf1", spine, "leaf2") for spine in ("spine1", "spine2")]
    way = Split(((spines[0], 3), (spines[1], 1)))
    assert shares_of(way) == ((spines[0], 0.75), (spines[1], 0.25))
    matrix = np.zeros((8, 8))
    matrix[0, 2] = 8e6
    loads = dict(
        zip(
            topology.core_directions,
            link_loads_bps(topology, {("h1", "h3"): way}, matrix),
            strict=True,
        )
    )
    assert loads["leaf1", "spine1"] == loads["spine1", "leaf2"] == pytest.approx(6e6)
    assert loads["leaf1", "spine2"] == loads["spine2", "leaf2"] == pytest.approx(2e6)
    assert sum(loads.values()) == pytest.approx(16e6)
