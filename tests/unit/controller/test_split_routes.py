"""Pairs split over several paths, flows with a path of their own, and equal-cost multipath."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import msgspec
import pytest
from fake_network import make_topology
from hypothesis import given, settings
from hypothesis import strategies as st
from router_lab import DRAINED_S, RouterLab

from controller.flow_entries import Kind
from controller.flow_table import Change
from controller.forwarding import Packet
from controller.messages import (
    FlowRoute,
    Ready,
    Reroute,
    Route,
    Routes,
    WeightedPath,
    route_of,
)
from controller.verification import verify
from topologies.catalogue import load_topology
from topologies.model import OdPair, Path, Split, Topology, Way
from topologies.paths import k_shortest_paths, shortest_paths
from topologies.splits import paths_of

# a - b - d and a - c - d, and a - d: three disjoint paths from h to k.
DIAMOND = make_topology(
    [("a", "b"), ("b", "d"), ("a", "c"), ("c", "d"), ("a", "d")], {"h": "a", "k": "d"}
)
BY_B, BY_C, STRAIGHT = ("a", "b", "d"), ("a", "c", "d"), ("a", "d")


def diamond(protected: bool = False) -> RouterLab:
    return RouterLab(DIAMOND, protected).connect_all()


def walks(lab: RouterLab) -> set[Path]:
    return set(lab.network.walks(("h", "k")))


def splits(lab: RouterLab) -> set[int]:
    """The labels of all splits that there are entries of."""
    return {entry.label for entry in lab.held() if entry.kind is Kind.BRANCH}


def split(first: Path, second: Path, weights: tuple[int, int] = (3, 1)) -> Route:
    return Route("h", "k", first, weights[0], (WeightedPath(second, weights[1]),))


def test_a_split_pair_takes_all_its_paths_and_leaves_nothing_behind() -> None:
    lab = diamond()
    plain = lab.network.entries()
    wanted = split(BY_B, BY_C)
    done = lab.reroute(wanted)
    assert (done.applied, done.refused) == ((wanted,), ())
    assert lab.last(Routes).routes == (wanted,)
    assert wanted in lab.router.snapshot().routes
    assert walks(lab) == {BY_B, BY_C}
    assert Counter(lab.network.walks(("h", "k"))) == {BY_B: 3, BY_C: 1}
    (label,) = splits(lab)
    lab.reroute(split(BY_C, STRAIGHT))
    assert walks(lab) == {BY_C, STRAIGHT}
    assert label not in splits(lab)
    assert len(splits(lab)) == 1
    lab.reroute(Route("h", "k", STRAIGHT))
    assert walks(lab) == {STRAIGHT}
    assert not splits(lab)
    assert lab.network.entries() == plain


def test_the_branches_are_kept_until_drained() -> None:
    lab = diamond()
    lab.reroute(split(BY_B, BY_C))
    lab.ask(Reroute("r", (Route("h", "k", STRAIGHT),)))
    assert walks(lab) == {STRAIGHT}
    lab.network.pass_time(0.05)
    assert len(splits(lab)) == 1
    lab.network.pass_time(DRAINED_S)
    assert not splits(lab)


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        (split(BY_B, BY_B), "the pair is split over one path twice"),
        (split(BY_B, BY_C, (1, 0)), "weights are from 1 and add up to at most 64"),
        (split(BY_B, BY_C, (40, 25)), "weights are from 1 and add up to at most 64"),
        (split(BY_B, ("a", "d", "c")), "the path must lead from a to d"),
    ],
)
def test_an_impossible_split_is_refused(route: Route, reason: str) -> None:
    lab = diamond()
    assert [refusal.reason for refusal in lab.reroute(route).refused] == [reason]
    assert walks(lab) == {STRAIGHT}


def test_a_split_that_loses_a_path_is_the_controllers_again() -> None:
    lab = diamond()
    lab.reroute(split(BY_B, BY_C))
    lab.link("c", "d", up=False)
    assert walks(lab) == {STRAIGHT}
    lab.link("c", "d", up=True)
    lab.settle()
    assert walks(lab) == {STRAIGHT}
    assert not splits(lab)


def test_an_ingress_that_was_away_keeps_its_split_until_it_is_back() -> None:
    lab = diamond()
    lab.reroute(split(BY_B, BY_C))
    lab.network.refusing["a"] = "was lost"
    refused = lab.reroute(split(BY_C, STRAIGHT)).refused
    assert [refusal.reason for refusal in refused] == ["a was lost"]
    assert walks(lab) == {BY_B, BY_C}
    lab.network.refusing.clear()
    lab.network.connected.remove("a")
    lab.router.switch_lost()
    lab.regain("a")
    lab.settle()
    assert walks(lab) == {BY_B, BY_C}
    assert len(splits(lab)) == 1


def test_a_flow_goes_its_own_way_until_it_is_released() -> None:
    lab = diamond()
    flow = FlowRoute("h", "k", "udp", BY_B, dst_port=5001)
    done = lab.reroute(flows=(flow,))
    assert (done.applied, done.applied_flows, done.refused) == ((), (flow,), ())
    assert (lab.last(Routes).routes, lab.last(Routes).flows) == ((), (flow,))
    assert lab.router.snapshot().flows == (flow,)
    assert sorted(lab.network.walks(("h", "k"))) == [BY_B, STRAIGHT]
    lab.reroute(split(BY_C, STRAIGHT, (1, 1)))
    assert sorted(lab.network.walks(("h", "k"))) == [BY_B, BY_C, STRAIGHT]
    gone = FlowRoute("h", "k", "udp", dst_port=5001)
    assert lab.reroute(flows=(gone,)).applied_flows == (gone,)
    assert lab.last(Routes).flows == (gone,)
    assert sorted(lab.network.walks(("h", "k"))) == [BY_C, STRAIGHT]
    assert lab.reroute(flows=(gone,)).refused[0].reason == "the flow has no path of its own"
    lab.reroute(Route("h", "k", STRAIGHT))
    assert lab.network.entries() == diamond().network.entries()


def test_a_flow_of_both_ports_goes_before_one_of_either() -> None:
    lab = diamond()
    both = FlowRoute("h", "k", "tcp", BY_B, src_port=4000, dst_port=80)
    target = FlowRoute("h", "k", "tcp", BY_C, dst_port=80)
    source = FlowRoute("h", "k", "tcp", BY_B, src_port=4000)
    assert not lab.reroute(flows=(source, both, target)).refused
    flows = {e.match: e.priority for e in lab.held() if ("ip_proto", 6) in e.match}
    assert len(set(flows.values())) == 3
    assert max(flows, key=lambda match: flows[match]) >= {("tcp_src", 4000), ("tcp_dst", 80)}


@pytest.mark.parametrize("port", [None, -1, 65536])
def test_a_flow_needs_a_port(port: int | None) -> None:
    done = diamond().reroute(flows=(FlowRoute("h", "k", "udp", BY_B, dst_port=port),))
    assert done.refused[0].reason == "a flow has a source or a destination port of 0 to 65535"


def test_a_flow_whose_path_dies_goes_as_its_pair() -> None:
    lab = diamond()
    lab.reroute(flows=(FlowRoute("h", "k", "udp", BY_B, dst_port=5001),))
    lab.link("b", "d", up=False)
    assert walks(lab) == {STRAIGHT}
    told = [m for m in lab.messages if isinstance(m, Routes) and m.cause == "restoration"]
    assert [flow.path for message in told for flow in message.flows] == [()]


def test_a_flow_is_not_released_behind_the_back_of_its_switch() -> None:
    lab = diamond()
    lab.reroute(flows=(FlowRoute("h", "k", "udp", BY_B, dst_port=5001),))
    lab.network.refusing["a"] = "did not answer"
    gone = FlowRoute("h", "k", "udp", dst_port=5001)
    assert lab.reroute(flows=(gone,)).refused[0].reason == "a did not answer"
    assert walks(lab) == {STRAIGHT, BY_B}


@pytest.mark.parametrize("protected", [False, True])
def test_the_next_controller_adopts_splits_and_flows_as_they_are(protected: bool) -> None:
    lab = diamond(protected)
    lab.reroute(
        split(BY_C, BY_B),
        flows=(
            FlowRoute("h", "k", "udp", BY_B, dst_port=5001),
            FlowRoute("k", "h", "tcp", ("d", "a"), src_port=80, dst_port=4000),
        ),
    )
    lab.settle()
    held, routes = lab.held(), lab.router.installation.routes
    lab.start()
    lab.connect_all()
    lab.settle()
    assert lab.router.installation.routes == routes
    assert lab.held() == held
    assert lab.last(Ready).routes == len(DIAMOND.od_pairs)


def test_a_split_that_lacks_a_branch_is_made_anew() -> None:
    lab = diamond()
    lab.reroute(split(BY_B, BY_C))
    table = lab.network.tables["a"]
    branch = next(entry for entry in table.of("a") if entry.kind is Kind.BRANCH)
    table.apply([Change(branch, remove=True)])
    lab.start()
    lab.connect_all()
    lab.settle()
    assert walks(lab) == {STRAIGHT}
    assert not splits(lab)


def test_equal_cost_routes_are_split_and_restored() -> None:
    lab = RouterLab(load_topology("leaf-spine"), equal_cost=True).connect_all()
    pair = ("h1", "h3")
    both = {("leaf1", spine, "leaf2") for spine in ("spine1", "spine2")}
    assert set(lab.network.walks(pair)) == both
    assert {len(paths_of(r.way)) for r in lab.last(Routes).routes} == {1, 2}
    lab.link("leaf2", "spine2", up=False)
    assert set(lab.network.walks(pair)) == {("leaf1", "spine1", "leaf2")}
    assert Route("h1", "h3", ("leaf1", "spine1", "leaf2")) in lab.last(Routes).routes
    lab.link("leaf2", "spine2", up=True)
    lab.settle()
    assert set(lab.network.walks(pair)) == both
    across = [p for p, way in lab.router.installation.confirmed().items() if isinstance(way, Split)]
    assert len(splits(lab)) == len(across) == 8 * 6


def test_protected_splits_survive_every_single_failure() -> None:
    topology = load_topology("leaf-spine")
    lab = RouterLab(topology, protected=True, equal_cost=True).connect_all()
    groups = [g for by_id in lab.network.groups.values() for g in by_id.values()]
    assert verify(topology, lab.held(), groups).breaches == ()
    without = [g for g in groups if g.switch != "spine2"]
    breaches = verify(topology, lab.held(), without).breaches
    assert {breach.state for breach in breaches} >= {"as it was"}


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    """Connected networks with links to spare, with a host on most switches."""
    size = draw(st.integers(3, 6))
    names = [f"s{i}" for i in range(size)]
    edges = {(names[draw(st.integers(0, i - 1))], names[i]) for i in range(1, size)}
    spare = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    edges |= set(draw(st.lists(st.sampled_from(spare), min_size=2, max_size=2 * size)))
    return make_topology(sorted(edges), {f"h{i}": names[i] for i in range(min(4, size))})


def some_way(topology: Topology, pair: OdPair, choose: random.Random) -> Way:
    """One path, or a split over up to three."""
    ends = topology.switch_of[pair[0]], topology.switch_of[pair[1]]
    paths = k_shortest_paths(topology, *ends, k=4)
    taken = choose.sample(paths, choose.randint(1, min(3, len(paths))))
    if len(taken) == 1:
        return taken[0]
    return Split(tuple((path, choose.randint(1, 5)) for path in taken))


@settings(max_examples=40)
@given(topologies(), st.booleans(), st.integers(0, 2**32))
def test_between_any_two_ways_every_packet_sees_one_whole_path(
    topology: Topology, protected: bool, seed: int
) -> None:
    """Packets of all flows walk while single entries change: new ones from start to end, and slow
    ones that move on by one switch per change. Each takes a path that its pair, or its flow, was
    given."""
    choose = random.Random(seed)
    lab = RouterLab(topology, protected).connect_all()
    network = lab.network
    allowed = {pair: {path} for pair, path in shortest_paths(topology).items()}
    slow: list[tuple[Packet, Path]] = []

    def move_on() -> None:
        for packet, trail in [slow.pop(0) for _ in range(len(slow))]:
            if ahead := network.forward(packet):
                slow.append((ahead, (*trail, ahead.at)))
            else:
                assert trail in allowed[packet.pair]

    def watch() -> None:
        packet = replace(network.send(choose.choice(topology.od_pairs)), hash=choose.randrange(60))
        slow.append((packet, (packet.at,)))
        move_on()
        for pair in topology.od_pairs:
            assert set(network.walks(pair)) <= allowed[pair]

    network.on_change = watch
    for _ in range(4):
        moves, flows = [], []
        for pair in choose.sample(topology.od_pairs, choose.randint(1, len(topology.od_pairs))):
            way = some_way(topology, pair, choose)
            allowed[pair] |= set(paths_of(way))
            if choose.random() < 0.3:
                path = choose.choice([paths_of(way)[0], ()])
                flows.append(FlowRoute(*pair, "udp", path, dst_port=choose.randint(1, 2)))
            else:
                moves.append(route_of(pair, way))
        lab.ask(Reroute("r", tuple(moves), tuple(flows)))
        while slow:  # the drain outlasts them
            move_on()
        network.pass_time(DRAINED_S)
        slow.clear()
    routes = lab.router.installation.routes
    assert len(splits(lab)) == sum(isinstance(route.way, Split) for route in routes.values())
    network.on_change = lambda: None
    lab.settle()
    for traffic, route in routes.items():
        if traffic in topology.od_pairs:
            assert set(paths_of(route.way)) <= set(network.walks(traffic))


def test_a_single_path_is_told_as_before_there_were_splits() -> None:
    route = Route("h", "k", STRAIGHT)
    assert msgspec.json.encode(route) == b'{"src":"h","dst":"k","path":["a","d"]}'
    assert route.way == STRAIGHT
    assert route_of(("h", "k"), STRAIGHT) == route


def test_a_split_is_told_and_understood() -> None:
    way = Split(((BY_B, 3), (BY_C, 1)))
    told = msgspec.json.encode(route_of(("h", "k"), way))
    assert msgspec.json.decode(told, type=Route).way == way
    assert msgspec.json.decode(told)["path"] == list(BY_B)
