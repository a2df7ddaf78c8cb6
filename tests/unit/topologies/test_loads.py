import numpy as np
import pytest
from hypothesis import given
from random_networks import loaded_networks

from topologies.catalogue import load_topology
from topologies.loads import FloatArray, link_loads_bps, link_rates_bps, max_link_utilisation
from topologies.model import Topology
from topologies.paths import path_directions, shortest_paths


def test_loads_of_a_triangle() -> None:
    triangle = load_topology("triangle")
    matrix = np.array([[0.0, 4e6, 2e6], [0.0, 0.0, 0.0], [0.0, 1e6, 0.0]])
    routing = {**shortest_paths(triangle), ("h1", "h3"): ("s1", "s2", "s3")}
    loads = dict(
        zip(triangle.core_directions, link_loads_bps(triangle, routing, matrix), strict=True)
    )
    assert loads["s1", "s2"] == 6e6
    assert loads["s2", "s3"] == 2e6
    assert loads["s3", "s2"] == 1e6
    assert sum(loads.values()) == 9e6
    assert max_link_utilisation(triangle, routing, matrix) == pytest.approx(0.6)


def test_pairs_without_a_route_carry_nothing() -> None:
    triangle = load_topology("triangle")
    assert max_link_utilisation(triangle, {}, np.full((3, 3), 1e6)) == 0.0


def test_rates_follow_the_directions() -> None:
    metro = load_topology("metro-6g")
    rates = dict(zip(metro.core_directions, link_rates_bps(metro), strict=True))
    assert rates["ran1", "edge1"] == rates["edge1", "ran1"] == 10e6
    assert rates["core1", "core2"] == 40e6


@given(loaded_networks())
def test_every_bit_is_counted_once_a_hop(network: tuple[Topology, FloatArray]) -> None:
    topology, matrix = network
    routing = shortest_paths(topology)
    host = {host.name: index for index, host in enumerate(topology.hosts)}
    hops = sum(
        matrix[host[source], host[target]] * len(path_directions(path))
        for (source, target), path in routing.items()
    )
    assert link_loads_bps(topology, routing, matrix).sum() == pytest.approx(hops)
