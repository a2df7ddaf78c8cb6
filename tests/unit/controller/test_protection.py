"""Detours as entries and groups, and packets walked through them in every single failure."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from fake_network import make_topology, ring
from hypothesis import given
from hypothesis import strategies as st
from router_lab import RouterLab

from controller.flow_entries import FlowEntry, route_entries
from controller.forwarding import Failure, Forwarding, LostError
from controller.groups import Bucket, Group, missing, surplus
from controller.labels import Labels
from controller.protection import Protection
from controller.router import WAIT_TO_RESTORE_S
from controller.standing_entries import standing_entries
from controller.verification import verify
from topologies.addressing import address
from topologies.catalogue import load_topology
from topologies.detours import detours
from topologies.model import OdPair, Path, Topology
from topologies.paths import k_shortest_paths, shortest_paths


def tables(
    topology: Topology, routing: dict[OdPair, Path], protected: bool = True
) -> tuple[list[FlowEntry], tuple[Group, ...]]:
    addressing, labels = address(topology), Labels()
    protection = Protection(addressing, detours(topology) if protected else {})
    entries = [*standing_entries(topology, addressing), *protection.entries()]
    for pair, path in routing.items():
        route = route_entries(addressing, pair, path, labels.fresh(), protection.group_id)
        entries += [route.ingress, *route.behind]
    return entries, protection.groups()


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    """Connected networks of up to seven switches: a tree and more links, a host at each."""
    size = draw(st.integers(2, 7))
    names = [f"s{i}" for i in range(size)]
    edges = {(names[draw(st.integers(0, i - 1))], names[i]) for i in range(1, size)}
    rest = sorted({*combinations(names, 2)} - edges)
    if rest:
        edges |= set(draw(st.lists(st.sampled_from(rest), max_size=8)))
    return make_topology(sorted(edges), {f"h{i}": name for i, name in enumerate(names)})


@given(topologies(), st.data())
def test_whatever_single_failure_and_routes_every_pair_that_can_be_is_connected(
    topology: Topology, data: st.DataObject
) -> None:
    routing: dict[OdPair, Path] = {}
    for pair in topology.od_pairs:
        ends = topology.switch_of[pair[0]], topology.switch_of[pair[1]]
        routing[pair] = data.draw(st.sampled_from(k_shortest_paths(topology, *ends, 3)))
    verified = verify(topology, *tables(topology, routing))
    assert verified.breaches == ()
    assert verified.states == 1 + len(topology.core_links) + len(topology.switches)


@pytest.mark.parametrize(
    "name", ["topohub:sndlib/abilene", "leaf-spine", "topohub:sndlib/janos-us"]
)
def test_real_networks_survive_every_single_failure(name: str) -> None:
    topology = load_topology(name)
    assert verify(topology, *tables(topology, shortest_paths(topology))).breaches == ()


def test_without_protection_the_checker_finds_the_black_holes() -> None:
    topology = ring(4)
    verified = verify(topology, *tables(topology, shortest_paths(topology), protected=False))
    assert verified.breaches
    assert {breach.state for breach in verified.breaches} >= {"link s0-s1 down", "switch s1 dead"}
    assert not [breach for breach in verified.breaches if breach.state == "as it was"]


def test_the_checker_finds_loops() -> None:
    topology = ring(3)
    addressing = address(topology)
    found = route_entries(addressing, ("h0", "h1"), ("s0", "s1"), 1).ingress
    entries = [
        replace(found, switch=here, output=addressing.port[here, there], table=0, match=frozenset())
        for here, there in (("s0", "s2"), ("s2", "s1"), ("s1", "s0"))
    ]
    with pytest.raises(LostError, match=r"it loops: s0 s2 s1 s0 s2$"):
        Forwarding(topology, entries).walk(("h0", "h1"))


def test_a_detour_may_lead_back_the_way_the_packet_came() -> None:
    # s0 - s1 - s2, and s0 - s2: where s1-s2 is dead, s1 sends back to s0.
    topology = make_topology(
        [("s0", "s1"), ("s1", "s2"), ("s0", "s2")], {"h0": "s0", "h1": "s1", "h2": "s2"}
    )
    routing = {("h0", "h2"): ("s0", "s1", "s2")}
    forwarding = Forwarding(topology, *tables(topology, routing))
    dead = Failure(links=frozenset({("s1", "s2"), ("s2", "s1")}))
    assert forwarding.walk(("h0", "h2"), dead) == ("s0", "s1", "s0", "s2")
    with pytest.raises(LostError, match="drops"):
        forwarding.walk(("h1", "h2"))


def test_a_link_that_is_avoided_is_not_used_though_its_port_is_alive() -> None:
    lab = RouterLab(ring(4), protected=True).connect_all()
    groups, port = lab.network.groups["s0"], lab.network.addressing.port["s0", "s1"]
    straight = [g for g in groups.values() if g.buckets[0].output == port]
    assert straight
    assert all(len(group.buckets) == 2 for group in straight)
    lab.report("s1", "s0", up=False)  # s0 itself sees nothing
    for group in straight:
        assert groups[group.group_id].buckets == group.buckets[::-1]
    lab.report("s1", "s0", up=True)
    avoided = groups[straight[0].group_id]
    assert avoided.buckets[0].output != port  # not back at once
    lab.network.pass_time(5.0)
    lab.router.work()
    assert groups[straight[0].group_id] == straight[0]


def test_what_an_earlier_controller_avoids_stays_avoided_until_the_last_switch_is_there() -> None:
    lab = RouterLab(ring(4), protected=True).connect_all()
    network, groups = lab.network, lab.network.groups["s0"]
    lab.report("s1", "s0", up=False)  # s0 itself sees nothing
    avoiding = dict(groups)
    lab.start()
    network.connected.remove("s1")
    lab.connect_all()
    network.pass_time(2 * WAIT_TO_RESTORE_S)
    while lab.router.work() == 0.0:
        pass
    assert groups == avoiding
    lab.router.set_port("s1", "s0", up=False)
    lab.regain("s1")
    assert groups == avoiding
    lab.report("s1", "s0", up=True)
    network.pass_time(2 * WAIT_TO_RESTORE_S)
    while lab.router.work() == 0.0:
        pass
    assert groups != avoiding


def test_groups_are_brought_up_to_date_by_as_little_as_needed() -> None:
    one, two = Group("s", 1, (Bucket(1), Bucket(2, push=7))), Group("s", 2, (Bucket(3),))
    other = Group("s", 1, (Bucket(2),))
    assert missing([one, two], [one, two]) == []
    assert [(c.group, c.command) for c in missing([one, two], [other])] == [
        (one, "modify"),
        (two, "add"),
    ]
    assert [(c.group, c.command) for c in surplus([two], [one, two])] == [(one, "delete")]
