import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from random_networks import loaded_networks

from topologies.catalogue import load_topology, with_core_shape
from topologies.loads import FloatArray, max_link_utilisation
from topologies.model import Host, Link, LinkShape, Switch, Topology
from topologies.optimum import max_deliverable_bps, min_max_utilisation
from topologies.paths import shortest_paths

DATA = Path(__file__).parents[4] / "shared" / "data"


@given(loaded_networks())
def test_the_optimum_is_no_worse_than_shortest_paths(
    network: tuple[Topology, FloatArray],
) -> None:
    topology, matrix = network
    shortest = max_link_utilisation(topology, shortest_paths(topology), matrix)
    assert min_max_utilisation(topology, matrix) <= shortest * (1 + 1e-6)


@given(loaded_networks())
def test_the_optimum_grows_with_the_matrix(network: tuple[Topology, FloatArray]) -> None:
    topology, matrix = network
    once, twice = (min_max_utilisation(topology, matrix * factor) for factor in (1, 2))
    assert twice == pytest.approx(2 * once, rel=1e-6)


@given(loaded_networks())
def test_everything_is_deliverable_exactly_when_no_link_must_be_overloaded(
    network: tuple[Topology, FloatArray],
) -> None:
    topology, matrix = network
    total, deliverable = matrix.sum(), max_deliverable_bps(topology, matrix)
    optimum = min_max_utilisation(topology, matrix)
    assert deliverable <= total * (1 + 1e-9)
    if optimum <= 1:
        assert deliverable == pytest.approx(total, rel=1e-6)
    elif optimum > 1 + 1e-6:
        assert deliverable < total
        assert deliverable >= total / optimum * (1 - 1e-6)


def test_traffic_splits_over_both_ways_round_a_triangle() -> None:
    triangle = load_topology("triangle")
    matrix = np.zeros((3, 3))
    matrix[0, 1] = 16e6
    assert min_max_utilisation(triangle, matrix) == pytest.approx(0.8)
    assert max_deliverable_bps(triangle, matrix * 2) == pytest.approx(20e6)
    down = frozenset({("s1", "s3")})
    assert min_max_utilisation(triangle, matrix, down) == pytest.approx(1.6)
    assert max_deliverable_bps(triangle, matrix, down) == pytest.approx(10e6)


def test_what_cannot_be_reached_is_left_out() -> None:
    triangle = load_topology("triangle")
    matrix = np.zeros((3, 3))
    matrix[0, 1] = matrix[1, 2] = 4e6
    down = frozenset({("s1", "s2"), ("s1", "s3")})
    assert min_max_utilisation(triangle, matrix, down) == pytest.approx(0.4)
    assert max_deliverable_bps(triangle, matrix, down) == pytest.approx(4e6)


def test_access_links_bound_what_is_deliverable() -> None:
    fabric = load_topology("leaf-spine")
    matrix = np.zeros((8, 8))
    matrix[0, 1] = 300e6  # on one switch: only the access links, 100 Mbit/s, are in the way
    assert max_deliverable_bps(fabric, matrix) == pytest.approx(100e6)
    assert min_max_utilisation(fabric, matrix) == 0.0
    assert max_deliverable_bps(fabric, matrix, frozenset({("leaf1", "h2")})) == 0.0


def test_no_traffic() -> None:
    ring = load_topology("ring")
    assert min_max_utilisation(ring, np.zeros((6, 6))) == 0.0
    assert max_deliverable_bps(ring, np.zeros((6, 6))) == 0.0


def test_a_single_switch() -> None:
    hosts = (Host("h1", "h1", "s1"), Host("h2", "h2", "s1"))
    access = tuple(Link(host.name, "s1", LinkShape(1e6, 0.0)) for host in hosts)
    topology = Topology("one", (Switch("s1", "s1"),), hosts, access)
    matrix = np.array([[0.0, 3e6], [0.0, 0.0]])
    assert min_max_utilisation(topology, matrix) == 0.0
    assert max_deliverable_bps(topology, matrix) == pytest.approx(1e6)


def test_rates_scale_the_optimum() -> None:
    abilene = load_topology("topohub:sndlib/abilene")
    matrix = np.full((12, 12), 1e5) - np.diag(np.full(12, 1e5))
    slow, fast = with_core_shape(abilene, 5e6), with_core_shape(abilene, 10e6)
    assert min_max_utilisation(slow, matrix) == pytest.approx(
        2 * min_max_utilisation(fast, matrix), rel=1e-6
    )


@pytest.mark.skipif(not DATA.is_dir(), reason="the measured Abilene matrices are not here")
def test_shortest_paths_on_the_real_abilene_against_the_optimum() -> None:
    """With the operator's weights, 1.49 times the optimum on average over two weeks."""
    abilene = real_abilene()
    routing = shortest_paths(abilene)
    ratios = [
        max_link_utilisation(abilene, routing, matrix) / min_max_utilisation(abilene, matrix)
        for matrix in real_matrices()[::100]
    ]
    assert min(ratios) >= 1 - 1e-6
    assert np.mean(ratios) == pytest.approx(1.49, abs=0.02)


def real_abilene() -> Topology:
    """With the operator's weights in place of delays."""
    names = [f"s{n}" for n in range(1, 13)]
    hosts = tuple(Host(f"h{n}", f"h{n}", name) for n, name in enumerate(names, start=1))
    with (DATA / "abilene_links.csv").open() as file:
        core = [
            Link(
                names[int(row["src"])],
                names[int(row["dst"])],
                LinkShape(float(row["capacity_kbps"]) * 1e3, float(row["igp_weight"])),
            )
            for row in csv.DictReader(file)
            if int(row["src"]) < int(row["dst"])
        ]
    access = [Link(host.name, host.switch, LinkShape(100e9, 0.0)) for host in hosts]
    switches = tuple(Switch(name, name) for name in names)
    return Topology("abilene", switches, hosts, (*core, *access))


def real_matrices() -> FloatArray:
    matrices = np.load(DATA / "abilene_tm_5min_20040301_14d.npz")["tm_kbps"].astype(float) * 1e3
    matrices[:, np.arange(12), np.arange(12)] = 0.0
    return matrices
