import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_networks import networks

from topologies.catalogue import load_topology
from topologies.model import Host, Link, LinkShape, Path, Switch, Topology
from topologies.paths import (
    Weight,
    k_shortest_paths,
    path_directions,
    propagation_delay_ms,
    shortest_paths,
)

WEIGHTS = st.sampled_from(["delay", "hops"])


def graph_of(topology: Topology, weight: str) -> nx.Graph:
    graph = nx.Graph()
    graph.add_nodes_from(switch.name for switch in topology.switches)
    for link in topology.core_links:
        graph.add_edge(link.a, link.b, cost=1 if weight == "hops" else link.shape.delay_ms)
    return graph


def cost(graph: nx.Graph, path: Path) -> float:
    return nx.path_weight(graph, path, "cost")


@given(networks(), WEIGHTS)
def test_shortest_paths_are_as_short_as_those_of_networkx(
    topology: Topology, weight: Weight
) -> None:
    graph = graph_of(topology, weight)
    paths = shortest_paths(topology, weight)
    assert tuple(paths) == topology.od_pairs
    for (source, target), path in paths.items():
        ends = topology.switch_of[source], topology.switch_of[target]
        assert (path[0], path[-1]) == ends
        assert cost(graph, path) == pytest.approx(nx.dijkstra_path_length(graph, *ends, "cost"))


@given(networks(max_switches=6), WEIGHTS, st.integers(1, 8))
def test_k_shortest_paths_are_the_first_of_all_simple_paths(
    topology: Topology, weight: Weight, k: int
) -> None:
    graph = graph_of(topology, weight)
    every = sorted(cost(graph, tuple(p)) for p in nx.all_simple_paths(graph, "s1", "s2"))
    found = k_shortest_paths(topology, "s1", "s2", k, weight)
    assert [cost(graph, path) for path in found] == pytest.approx(every[:k])
    assert len(set(found)) == len(found)
    assert all(len(set(path)) == len(path) for path in found)


@given(networks(), WEIGHTS)
def test_the_first_of_the_k_shortest_is_the_shortest(topology: Topology, weight: Weight) -> None:
    for (source, target), path in shortest_paths(topology, weight).items():
        ends = topology.switch_of[source], topology.switch_of[target]
        assert k_shortest_paths(topology, *ends, 2, weight)[0] == path


def test_paths_avoid_what_is_down_in_that_direction_only() -> None:
    triangle = load_topology("triangle")
    paths = shortest_paths(triangle, down=frozenset({("s1", "s2")}))
    assert paths["h1", "h2"] == ("s1", "s3", "s2")
    assert paths["h2", "h1"] == ("s2", "s1")


def test_pairs_that_cannot_be_connected_are_absent() -> None:
    triangle = load_topology("triangle")
    cut_off = frozenset({("s1", "s2"), ("s1", "s3")})
    paths = shortest_paths(triangle, down=cut_off)
    assert ("h1", "h2") not in paths
    assert ("h2", "h1") in paths
    assert k_shortest_paths(triangle, "s1", "s2", 3, down=cut_off) == []


def test_hosts_on_one_switch_have_a_path_of_that_switch() -> None:
    assert shortest_paths(load_topology("leaf-spine"))["h1", "h2"] == ("leaf1",)


def test_ties_go_to_fewer_hops_and_then_to_the_first_names() -> None:
    ring = load_topology("ring")
    assert shortest_paths(ring)["h1", "h4"] == ("s1", "s2", "s3", "s4")
    names = ("s1", "s2", "s3")
    shape = {("s1", "s2"): 1.0, ("s2", "s3"): 1.0, ("s1", "s3"): 2.0}
    tie = Topology(
        "tie",
        tuple(Switch(name, name) for name in names),
        (Host("h1", "h1", "s1"), Host("h3", "h3", "s3")),
        tuple(Link(a, b, LinkShape(1e6, ms)) for (a, b), ms in shape.items()),
    )
    assert shortest_paths(tie)["h1", "h3"] == ("s1", "s3")


def test_path_directions() -> None:
    assert path_directions(("s1", "s2", "s3")) == (("s1", "s2"), ("s2", "s3"))
    assert path_directions(("s1",)) == ()


def test_propagation_delay_counts_access_links() -> None:
    fabric = load_topology("leaf-spine")
    path = ("leaf1", "spine1", "leaf2")
    assert propagation_delay_ms(fabric, ("h1", "h3"), path) == pytest.approx(0.05 + 0.2 + 0.05)
