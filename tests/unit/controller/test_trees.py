"""Labels that routes share: one way on from every switch, and no entry too few or too many."""

from __future__ import annotations

import random
from itertools import count, pairwise

from fake_network import ring
from hypothesis import given, settings
from hypothesis import strategies as st
from router_lab import RouterLab
from test_router_properties import topologies

from controller.flow_entries import route_entries
from controller.messages import Reroute, Route
from controller.reroute import drain_s
from controller.trees import References, Trees
from topologies.addressing import address
from topologies.model import Path, Split, Topology
from topologies.paths import k_shortest_paths, shortest_paths


def new_trees() -> Trees:
    return Trees(count(1).__next__)


@settings(max_examples=60)
@given(topologies())
def test_shortest_paths_have_a_label_for_each_host(topology: Topology) -> None:
    trees = new_trees()
    label = {pair: trees.label(pair[1], path) for pair, path in shortest_paths(topology).items()}
    assert len(set(label.values())) == len({target for _, target in label})


@settings(max_examples=60)
@given(topologies(), st.integers(0, 2**32))
def test_a_label_leads_on_in_one_way_and_to_its_end(topology: Topology, seed: int) -> None:
    choose, trees = random.Random(seed), new_trees()
    onward: dict[tuple[int, str], str] = {}
    for source, target in topology.od_pairs:
        ends = topology.switch_of[source], topology.switch_of[target]
        path = choose.choice(k_shortest_paths(topology, *ends, k=4))
        label = trees.label(target, path)
        for here, there in pairwise((*path, target)):
            assert onward.setdefault((label, here), there) == there


def test_paths_that_part_again_and_splits_have_labels_of_their_own() -> None:
    trees = new_trees()
    long, short = ("s0", "s1", "s2", "s3"), ("s1", "s0", "s4", "s3")
    assert [trees.label("h3", path) for path in (long, long[1:], short, short[1:])] == [1, 1, 2, 2]
    assert trees.label("x3", long) == 3
    assert trees.label("h3", Split(((long, 1), (short, 1)))) == 4


def test_an_entry_is_put_for_the_first_route_and_removed_after_the_last() -> None:
    addressing = address(ring(5))
    far, near = (
        route_entries(addressing, pair, path, 1).behind
        for pair, path in ((("h0", "h2"), ("s0", "s1", "s2")), (("h1", "h2"), ("s1", "s2")))
    )
    references = References()
    assert references.take((*far, *near)) == list(far)
    assert references.give_up(far) == [far[1]]
    assert references.take(far) == [far[1]]
    assert references.give_up((*near, *far)) == list(far)


def test_a_shared_entry_outlasts_the_packets_of_all_that_have_left_it() -> None:
    """h0 leaves the tree of h3 before h2 and h4 do, but what it has sent has farther to go."""
    lab = RouterLab().connect_all()
    network = lab.network

    def reroute(*paths: Path) -> None:
        moves = (Route(f"h{path[0][1]}", "h3", path) for path in paths)
        lab.ask(Reroute("r", tuple(moves)))

    under_way = network.forward(network.send(("h0", "h3")))
    reroute(("s0", "s1", "s2", "s3"), ("s1", "s0", "s4", "s3"))
    reroute(("s2", "s1", "s0", "s4", "s3"), ("s4", "s0", "s1", "s2", "s3"))
    network.pass_time(drain_s(network.topology, ("h4", "h3"), ("s4", "s3")) + 0.01)
    assert under_way is not None
    at_the_egress = network.forward(under_way)
    assert at_the_egress is not None
    assert network.forward(at_the_egress) is None
    network.pass_time(drain_s(network.topology, ("h0", "h3"), ("s0", "s4", "s3")))
    assert network.entries() == lab.needed_entries()
