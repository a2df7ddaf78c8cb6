"""The moves that the optimiser may choose from, before and after failures."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import square, wheel

from topologies.model import DirectedLink, Split
from topologies.paths import propagation_delay_ms, shortest_paths
from topologies.random_networks import random_network
from twin.candidates import CandidatePaths
from twin.indexing import Indexing
from twin.waypoints import WaypointPaths


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.integers(4, 10), st.integers(0, 3), st.integers(1, 12))
def test_candidates_avoid_what_is_down_and_reach_whoever_can_be_reached(
    seed: int, switches: int, failures: int, k: int
) -> None:
    topology = random_network(switches, switches + 2, seed)
    indexing = Indexing(topology)
    random = np.random.default_rng(seed)
    failed = random.choice(len(topology.core_links), failures, replace=False)
    down = frozenset(hop for link in failed for hop in topology.core_links[int(link)].directions)
    routing = shortest_paths(topology)
    found = CandidatePaths(indexing, k).available(routing, down)
    reachable = shortest_paths(topology, down=down)
    assert (np.diff(found.pair) >= 0).all()
    assert len(set(zip(found.pair.tolist(), found.way, strict=True))) == len(found.way)
    for pair, way, crosses in zip(found.pair, found.way, found.crosses, strict=True):
        hops = list(pairwise(way))
        ends = [topology.switch_of[host] for host in indexing.pairs[pair]]
        assert [way[0], way[-1]] == ends
        assert len(set(way)) == len(way)
        assert not down & set(hops)
        assert sorted(indexing.link[hop] for hop in hops) == np.flatnonzero(crosses).tolist()
    for index, pair in enumerate(indexing.pairs):
        row = found.current[index]
        assert (row >= 0) == (pair in reachable)
        if row >= 0:
            way = found.way[row]
            if not down & set(pairwise(routing[pair])):
                assert way == routing[pair]
            else:
                shortest_ms = propagation_delay_ms(topology, pair, reachable[pair])
                assert propagation_delay_ms(topology, pair, way) == pytest.approx(shortest_ms)


def test_a_way_in_use_is_always_among_them() -> None:
    topology = square()
    indexing = Indexing(topology)
    split = Split(((("s1", "s2", "s3"), 1), (("s1", "s5", "s3"), 3)))
    routing = {**shortest_paths(topology), ("h1", "h3"): split}
    found = CandidatePaths(indexing).available(routing)
    row = found.current[indexing.pair["h1", "h3"]]
    assert found.way[row] == split
    assert found.crosses[row, indexing.link["s1", "s5"]] == pytest.approx(0.75)


def test_a_pinned_pair_has_no_choice() -> None:
    topology = wheel()
    indexing = Indexing(topology)
    pair = ("h2", "h6")
    found = CandidatePaths(indexing).available(shortest_paths(topology), pinned=(pair,))
    (row,) = np.flatnonzero(found.pair == indexing.pair[pair])
    assert found.way[row] == shortest_paths(topology)[pair]
    assert found.current[indexing.pair[pair]] == row


def test_a_failure_calls_for_other_paths_at_once() -> None:
    topology = wheel()
    few = CandidatePaths(Indexing(topology), k=2)
    hub = frozenset(hop for hop in topology.core_directions if "s1" in hop)
    found = few.available(shortest_paths(topology), hub)
    connected = [pair for pair in topology.od_pairs if "h1" not in pair]
    assert {topology.od_pairs[pair] for pair in found.pair} == set(connected), "round the rim"


def test_what_is_kept_of_failures_is_that_of_the_last_one() -> None:
    topology = wheel()
    candidates = CandidatePaths(Indexing(topology), k=2)
    routing = shortest_paths(topology)
    kept = []
    for link in topology.core_links:
        candidates.available(routing, frozenset(link.directions))
        kept.append(candidates._last)
    assert len({id(one) for one in kept}) > 1
    assert all(len(one[1]._legs) <= len(topology.switches) ** 2 for one in kept if one)


def test_waypoints_lead_to_the_shortest_path_first() -> None:
    topology = wheel()
    waypoints = WaypointPaths(topology, frozenset())
    paths = waypoints.between("s2", "s6", 6)
    assert paths[0] == ("s2", "s1", "s6")
    assert len(set(paths)) == len(paths) == 6
    assert WaypointPaths(square(), frozenset({("s1", "s2")})).between("s1", "s2", 3)[0] == (
        "s1",
        "s4",
        "s3",
        "s2",
    )


def test_two_threads_with_different_failures_get_their_own_paths() -> None:
    """One asks while the other is being answered: what-ifs run beside the policy."""
    topology = wheel()
    candidates = CandidatePaths(Indexing(topology), k=2)
    first, second = (frozenset(link.directions) for link in topology.core_links[:2])

    class Overtaken(frozenset[DirectedLink]):
        def __ne__(self, other: object) -> bool:
            candidates._without(second)
            return set(self) != other

    mine = candidates._without(first)
    assert candidates._without(Overtaken(first)) is mine
    assert candidates._without(second) is not mine
