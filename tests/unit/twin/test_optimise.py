from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import demand, matrix, network, square, wheel

from topologies.loads import max_link_utilisation
from topologies.model import OdPair, Path, Split, Topology
from topologies.optimum import min_max_utilisation
from topologies.paths import shortest_paths
from twin.candidates import CandidatePaths
from twin.indexing import FloatArray, Indexing
from twin.optimise import Plan, optimise


def plan(
    topology: Topology,
    od_bps: FloatArray,
    routing: dict[OdPair, Path] | None = None,
    down: frozenset[tuple[str, str]] = frozenset(),
    pinned: tuple[OdPair, ...] = (),
    comfortable: float = 0.0,
) -> Plan:
    indexing = Indexing(topology)
    candidates = CandidatePaths(indexing).available(
        routing or shortest_paths(topology), down, pinned
    )
    return optimise(indexing, candidates, od_bps, budget_s=0.2, comfortable=comfortable)


def test_it_is_near_the_optimum_of_split_traffic_on_many_matrices() -> None:
    topology = wheel()
    routing = shortest_paths(topology)
    random = np.random.default_rng(1)
    ratios = []
    for _ in range(10):
        od_bps = random.lognormal(0, 1, len(topology.od_pairs))
        od_bps *= 1.3 / max_link_utilisation(topology, routing, matrix(topology, od_bps))
        found = plan(topology, od_bps)
        after = {**routing, **found.moves}
        reached = max_link_utilisation(topology, after, matrix(topology, od_bps))
        assert found.max_utilisation == pytest.approx(reached)
        assert found.max_utilisation_before == pytest.approx(1.3)
        # A pair is not split: its own rate bounds the maximum from below, too.
        bound = max(min_max_utilisation(topology, matrix(topology, od_bps)), od_bps.max() / 10e6)
        ratios.append(reached / bound)
    assert np.median(ratios) < 1.1
    assert max(ratios) < 1.25


def test_paths_are_loop_free_and_exist() -> None:
    topology = wheel()
    found = plan(topology, np.random.default_rng(2).lognormal(13, 1, len(topology.od_pairs)))
    assert found.moves
    for (source, target), path in found.moves.items():
        assert path[0] == topology.switch_of[source]
        assert path[-1] == topology.switch_of[target]
        assert len(set(path)) == len(path)
        assert all(hop in topology.link_between for hop in pairwise(path))


def test_a_comfortable_network_is_left_alone() -> None:
    topology = square()
    assert not plan(topology, demand(topology, h1_h3=5, h2_h3=0.5), comfortable=0.6).moves


def test_as_few_pairs_are_moved_as_it_takes() -> None:
    topology = square()
    od_bps = demand(topology, h1_h3=5, h1_h2=3, h2_h3=4, h4_h5=0.2, h5_h1=0.3, h3_h1=0.1)
    found = plan(topology, od_bps, comfortable=0.6)
    assert dict(found.moves) == {("h1", "h3"): ("s1", "s4", "s3")}


def test_links_that_are_down_are_avoided() -> None:
    topology = square()
    down = frozenset({("s1", "s4"), ("s4", "s1")})
    found = plan(topology, demand(topology, h1_h3=9, h2_h3=4), down=down)
    assert found.moves["h1", "h3"] == ("s1", "s5", "s3")


def test_a_pair_whose_route_is_down_is_taken_for_restored() -> None:
    topology = square()
    down = frozenset({("s1", "s2"), ("s2", "s1")})
    found = plan(topology, demand(topology, h1_h3=5), down=down)
    assert not found.moves
    assert found.max_utilisation_before == pytest.approx(0.5)


def test_pinned_pairs_stay() -> None:
    topology = square()
    od_bps = demand(topology, h1_h3=6, h1_h2=6)
    found = plan(topology, od_bps, pinned=(("h1", "h3"),))
    assert ("h1", "h3") not in found.moves


def test_moves_suit_all_matrices() -> None:
    topology = square()
    now = demand(topology, h1_h3=8, h2_h3=8)
    soon = demand(topology, h1_h3=8, h4_h3=8)
    found = plan(topology, np.array([now, soon]))
    assert found.moves["h1", "h3"] == ("s1", "s5", "s3")
    assert found.max_utilisation == pytest.approx(0.8)


def test_behind_a_cut_that_nobody_can_relieve_the_rest_is_still_relieved() -> None:
    # h6 hangs on one link, overloaded whatever is done.
    topology = network(
        [(1, 2, 2.0), (2, 3, 2.0), (1, 4, 4.0), (4, 3, 4.0), (3, 5, 1.0), (5, 6, 1.0)], 6
    )
    od_bps = demand(topology, h5_h6=14, h1_h3=7, h2_h3=6)
    found = plan(topology, od_bps)
    assert found.max_utilisation == pytest.approx(1.4)
    assert found.moves["h1", "h3"] == ("s1", "s4", "s3")


def test_a_network_without_traffic_needs_nothing() -> None:
    topology = square()
    assert not plan(topology, np.zeros(len(topology.od_pairs))).moves


def test_a_pair_that_no_single_path_suits_is_split_if_that_may_be() -> None:
    topology = square()
    indexing = Indexing(topology)
    od_bps = demand(topology, h1_h3=9)
    candidates = CandidatePaths(indexing).available(shortest_paths(topology))
    whole = optimise(indexing, candidates, od_bps, comfortable=0.3)
    assert not any(isinstance(way, Split) for way in whole.moves.values())
    assert whole.max_utilisation == pytest.approx(0.9)
    found = optimise(indexing, candidates, od_bps, comfortable=0.3, splits=1)
    way = found.moves["h1", "h3"]
    assert isinstance(way, Split)
    assert sum(weight for _, weight in way.branches) <= 8
    routing = {**shortest_paths(topology), **found.moves}
    reached = max_link_utilisation(topology, routing, matrix(topology, od_bps))
    assert found.max_utilisation == pytest.approx(reached)
    assert reached == pytest.approx(0.9 * 3 / 8), "of eight parts on three paths"


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32), st.integers(0, 3))
def test_splits_are_few_and_nearer_to_the_linear_program(seed: int, most: int) -> None:
    topology = square()
    indexing = Indexing(topology)
    od_bps = np.random.default_rng(seed).lognormal(13, 1.5, len(indexing.pairs))
    routing = shortest_paths(topology)
    candidates = CandidatePaths(indexing).available(routing)
    whole, found = (
        optimise(indexing, candidates, od_bps, budget_s=1.0, comfortable=0.0, splits=splits)
        for splits in (0, most)
    )
    assert sum(isinstance(way, Split) for way in found.moves.values()) <= most
    assert found.max_utilisation <= whole.max_utilisation + 1e-9
    after = {**routing, **found.moves}
    reached = max_link_utilisation(topology, after, matrix(topology, od_bps))
    assert found.max_utilisation == pytest.approx(reached)
    assert reached >= min_max_utilisation(topology, matrix(topology, od_bps)) - 1e-6
