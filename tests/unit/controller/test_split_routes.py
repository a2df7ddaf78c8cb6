"""Pairs split over several paths, flows with a path of their own, and equal-cost multipath."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import TypeVar

import msgspec
import pytest
from fake_network import FakeNetwork, make_topology
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.flow_entries import FlowEntry, Kind
from controller.flow_table import Change
from controller.forwarding import Packet
from controller.messages import (
    FlowRoute,
    Message,
    Ready,
    Reroute,
    RerouteDone,
    Route,
    Routes,
    WeightedPath,
    route_of,
)
from controller.router import WAIT_TO_RESTORE_S, Router
from controller.verification import verify
from topologies.catalogue import load_topology
from topologies.detours import detours
from topologies.model import OdPair, Path, Split, Topology, Way
from topologies.paths import k_shortest_paths, shortest_paths
from topologies.splits import paths_of

M = TypeVar("M", bound=Message)
DRAINED_S = 10.0

# a - b - d and a - c - d, and a - d: three disjoint paths from h to k.
DIAMOND = make_topology(
    [("a", "b"), ("b", "d"), ("a", "c"), ("c", "d"), ("a", "d")], {"h": "a", "k": "d"}
)
BY_B, BY_C, STRAIGHT = ("a", "b", "d"), ("a", "c", "d"), ("a", "d")


class Lab:
    """A router on fake switches, all of which have connected."""

    def __init__(
        self, topology: Topology = DIAMOND, protected: bool = False, equal_cost: bool = False
    ) -> None:
        self.network = FakeNetwork(topology)
        self.messages: list[Message] = []
        self._detours = detours(topology) if protected else {}
        self._equal_cost = equal_cost
        self.start()

    def start(self) -> None:
        """Kill the controller, if there is one, and start the next."""
        self.network.kill_controller()
        self.router = Router(
            self.network.topology,
            "delay",
            self.network,
            self.messages.append,
            self.network.defer,
            self.network.clock,
            detours=self._detours,
            equal_cost=self._equal_cost,
        )
        for switch in self.network.topology.switches:
            self.router.switch_connected(switch.name)
        self.router.work()

    def ask(self, *moves: Route, flows: tuple[FlowRoute, ...] = ()) -> RerouteDone:
        self.router.request(Reroute("r", moves, flows))
        self.router.work()
        self.network.pass_time(DRAINED_S)
        return self.last(RerouteDone)

    def link(self, a: str, b: str, up: bool) -> None:
        (self.network.dead.discard if up else self.network.dead.add)(frozenset((a, b)))
        for ends in ((a, b), (b, a)):
            self.router.set_port(*ends, up=up)
            self.router.work()

    def settle(self) -> None:
        self.network.pass_time(WAIT_TO_RESTORE_S)
        while self.router.work() == 0.0:
            pass
        self.network.pass_time(DRAINED_S)

    def last(self, kind: type[M]) -> M:
        return [message for message in self.messages if isinstance(message, kind)][-1]

    def splits(self) -> Counter[int]:
        """The labels of all splits that there are entries of, and the sum of their weights."""
        return Counter(entry.label for entry in self.entries() if entry.kind is Kind.BRANCH)

    def entries(self) -> list[FlowEntry]:
        return [e for name, table in self.network.tables.items() for e in table.of(name)]

    def walks(self) -> set[Path]:
        return set(self.network.walks(("h", "k")))


def split(first: Path, second: Path, weights: tuple[int, int] = (3, 1)) -> Route:
    return Route("h", "k", first, weights[0], (WeightedPath(second, weights[1]),))


def test_a_split_pair_takes_all_its_paths_and_leaves_nothing_behind() -> None:
    lab = Lab()
    plain = lab.network.entries()
    wanted = split(BY_B, BY_C)
    done = lab.ask(wanted)
    assert (done.applied, done.refused) == ((wanted,), ())
    assert lab.last(Routes).routes == (wanted,)
    assert wanted in lab.router.snapshot().routes
    assert lab.walks() == {BY_B, BY_C}
    assert Counter(lab.network.walks(("h", "k"))) == {BY_B: 3, BY_C: 1}
    (label,) = lab.splits()
    lab.ask(split(BY_C, STRAIGHT))
    assert lab.walks() == {BY_C, STRAIGHT}
    assert label not in lab.splits()
    assert len(lab.splits()) == 1
    lab.ask(Route("h", "k", STRAIGHT))
    assert lab.walks() == {STRAIGHT}
    assert not lab.splits()
    assert lab.network.entries() == plain


def test_the_branches_are_kept_until_drained() -> None:
    lab = Lab()
    lab.ask(split(BY_B, BY_C))
    lab.router.request(Reroute("r", (Route("h", "k", STRAIGHT),)))
    lab.router.work()
    assert lab.walks() == {STRAIGHT}
    lab.network.pass_time(0.05)
    assert len(lab.splits()) == 1
    lab.network.pass_time(DRAINED_S)
    assert not lab.splits()


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
    lab = Lab()
    assert [refusal.reason for refusal in lab.ask(route).refused] == [reason]
    assert lab.walks() == {STRAIGHT}


def test_a_split_that_loses_a_path_is_the_controllers_again() -> None:
    lab = Lab()
    lab.ask(split(BY_B, BY_C))
    lab.link("c", "d", up=False)
    assert lab.walks() == {STRAIGHT}
    lab.link("c", "d", up=True)
    lab.settle()
    assert lab.walks() == {STRAIGHT}
    assert not lab.splits()


def test_an_ingress_that_was_away_keeps_its_split_until_it_is_back() -> None:
    lab = Lab()
    lab.ask(split(BY_B, BY_C))
    lab.network.refusing["a"] = "was lost"
    refused = lab.ask(split(BY_C, STRAIGHT)).refused
    assert [refusal.reason for refusal in refused] == ["a was lost"]
    assert lab.walks() == {BY_B, BY_C}
    lab.network.refusing.clear()
    lab.network.connected.remove("a")
    lab.router.switch_lost()
    lab.network.connected.add("a")
    lab.router.switch_connected("a")
    lab.router.work()
    lab.settle()
    assert lab.walks() == {BY_B, BY_C}
    assert len(lab.splits()) == 1


def test_a_flow_goes_its_own_way_until_it_is_released() -> None:
    lab = Lab()
    flow = FlowRoute("h", "k", "udp", BY_B, dst_port=5001)
    done = lab.ask(flows=(flow,))
    assert (done.applied, done.applied_flows, done.refused) == ((), (flow,), ())
    assert (lab.last(Routes).routes, lab.last(Routes).flows) == ((), (flow,))
    assert lab.router.snapshot().flows == (flow,)
    assert sorted(lab.network.walks(("h", "k"))) == [BY_B, STRAIGHT]
    lab.ask(split(BY_C, STRAIGHT, (1, 1)))
    assert sorted(lab.network.walks(("h", "k"))) == [BY_B, BY_C, STRAIGHT]
    gone = FlowRoute("h", "k", "udp", dst_port=5001)
    assert lab.ask(flows=(gone,)).applied_flows == (gone,)
    assert lab.last(Routes).flows == (gone,)
    assert sorted(lab.network.walks(("h", "k"))) == [BY_C, STRAIGHT]
    assert lab.ask(flows=(gone,)).refused[0].reason == "the flow has no path of its own"
    lab.ask(Route("h", "k", STRAIGHT))
    assert lab.network.entries() == Lab().network.entries()


def test_a_flow_of_both_ports_goes_before_one_of_either() -> None:
    lab = Lab()
    both = FlowRoute("h", "k", "tcp", BY_B, src_port=4000, dst_port=80)
    target = FlowRoute("h", "k", "tcp", BY_C, dst_port=80)
    source = FlowRoute("h", "k", "tcp", BY_B, src_port=4000)
    assert not lab.ask(flows=(source, both, target)).refused
    flows = {e.match: e.priority for e in lab.entries() if ("ip_proto", 6) in e.match}
    assert len(set(flows.values())) == 3
    assert max(flows, key=lambda match: flows[match]) >= {("tcp_src", 4000), ("tcp_dst", 80)}


@pytest.mark.parametrize("port", [None, -1, 65536])
def test_a_flow_needs_a_port(port: int | None) -> None:
    done = Lab().ask(flows=(FlowRoute("h", "k", "udp", BY_B, dst_port=port),))
    assert done.refused[0].reason == "a flow has a source or a destination port of 0 to 65535"


def test_a_flow_whose_path_dies_goes_as_its_pair() -> None:
    lab = Lab()
    lab.ask(flows=(FlowRoute("h", "k", "udp", BY_B, dst_port=5001),))
    lab.link("b", "d", up=False)
    assert lab.walks() == {STRAIGHT}
    told = [m for m in lab.messages if isinstance(m, Routes) and m.cause == "restoration"]
    assert [flow.path for message in told for flow in message.flows] == [()]


def test_a_flow_is_not_released_behind_the_back_of_its_switch() -> None:
    lab = Lab()
    lab.ask(flows=(FlowRoute("h", "k", "udp", BY_B, dst_port=5001),))
    lab.network.refusing["a"] = "did not answer"
    gone = FlowRoute("h", "k", "udp", dst_port=5001)
    assert lab.ask(flows=(gone,)).refused[0].reason == "a did not answer"
    assert lab.walks() == {STRAIGHT, BY_B}


@pytest.mark.parametrize("protected", [False, True])
def test_the_next_controller_adopts_splits_and_flows_as_they_are(protected: bool) -> None:
    lab = Lab(protected=protected)
    lab.ask(
        split(BY_C, BY_B),
        flows=(
            FlowRoute("h", "k", "udp", BY_B, dst_port=5001),
            FlowRoute("k", "h", "tcp", ("d", "a"), src_port=80, dst_port=4000),
        ),
    )
    lab.settle()
    held, routes = set(lab.entries()), lab.router.installation.routes
    lab.start()
    lab.settle()
    assert lab.router.installation.routes == routes
    assert set(lab.entries()) == held
    assert lab.last(Ready).routes == len(DIAMOND.od_pairs)


def test_a_split_that_lacks_a_branch_is_made_anew() -> None:
    lab = Lab()
    lab.ask(split(BY_B, BY_C))
    branch = next(entry for entry in lab.entries() if entry.kind is Kind.BRANCH)
    lab.network.tables["a"].apply([Change(branch, remove=True)])
    lab.start()
    lab.settle()
    assert lab.walks() == {STRAIGHT}
    assert not lab.splits()


def test_equal_cost_routes_are_split_and_restored() -> None:
    lab = Lab(load_topology("leaf-spine"), equal_cost=True)
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
    assert len(lab.splits()) == len(across) == 8 * 6


def test_protected_splits_survive_every_single_failure() -> None:
    lab = Lab(load_topology("leaf-spine"), protected=True, equal_cost=True)
    groups = [g for by_id in lab.network.groups.values() for g in by_id.values()]
    topology = lab.network.topology
    assert verify(topology, lab.entries(), groups).breaches == ()
    without = [g for g in groups if g.switch != "spine2"]
    breaches = verify(topology, lab.entries(), without).breaches
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
    lab = Lab(topology, protected)
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
        lab.router.request(Reroute("r", tuple(moves), tuple(flows)))
        lab.router.work()
        while slow:  # the drain outlasts them
            move_on()
        network.pass_time(20.0)
        slow.clear()
    routes = lab.router.installation.routes
    assert len(lab.splits()) == sum(isinstance(route.way, Split) for route in routes.values())
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
