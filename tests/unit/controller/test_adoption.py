"""A controller that is killed at any point, and the next one over the same tables."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress

import pytest
from fake_network import make_topology
from hypothesis import given, settings
from hypothesis import strategies as st
from router_lab import DETOUR, DRAINED_S, RouterLab
from test_router_properties import some_moves, topologies

from controller.flow_entries import FlowEntry, drop_entry
from controller.flow_table import Change
from controller.flows import pair_of
from controller.forwarding import LostError, Packet
from controller.labels import Labels
from controller.messages import Allow, Drop, DroppedPair, FlowRoute, Reroute, Route, Routes
from controller.protection import Protection
from controller.standing_entries import standing_entries
from topologies.model import Topology


class KilledError(Exception):
    """The controller is no more."""


def base(lab: RouterLab) -> set[FlowEntry]:
    """What the switches hold besides routes."""
    addressing = lab.network.addressing
    detoured = Protection(addressing, lab.detours).entries()
    return {*standing_entries(lab.topology, addressing), *detoured}


@settings(max_examples=80)
@given(topologies(), st.booleans(), st.integers(0, 2**32), st.integers(0, 120))
def test_killed_anywhere_in_a_reroute_every_pair_ends_on_its_old_or_its_new_path(
    topology: Topology, protected: bool, seed: int, survives: int
) -> None:
    """New packets walk from start to end whenever an entry changes; slow ones move on by one
    switch per change, and are gone before the next controller is so far as to clean up."""
    choose = random.Random(seed)
    lab = RouterLab(topology, protected, seed=seed).connect_all()
    network = lab.network
    lab.reroute(*some_moves(topology, choose))
    lab.rest()
    old = {pair: network.walk(pair) for pair in topology.od_pairs}
    moves = some_moves(topology, choose)
    new = old | {(move.src, move.dst): move.path for move in moves}
    slow: list[Packet] = []
    changes = 0

    def deliver_slow() -> None:
        while slow:
            slow[:] = [ahead for packet in slow if (ahead := network.forward(packet))]

    def watch() -> None:
        nonlocal changes
        slow.append(network.send(choose.choice(topology.od_pairs)))
        slow[:] = [ahead for packet in slow if (ahead := network.forward(packet))]
        lab.walk_all()
        changes += 1
        if changes > survives:
            raise KilledError

    network.on_change = watch
    with suppress(KilledError):
        lab.ask(Reroute("r", moves))
        deliver_slow()  # the drain outlasts them
        network.pass_time(DRAINED_S)
    lab.start()
    survives = 10**9
    lab.connect_all()
    deliver_slow()
    lab.rest()
    ended = {pair: network.walk(pair) for pair in topology.od_pairs}
    assert all(path in (old[pair], new[pair]) for pair, path in ended.items())
    routes = lab.router.installation.routes
    assert ended == {pair: route.way for pair, route in routes.items()}
    assert lab.held() == base(lab) | lab.route_entries()


@settings(max_examples=40)
@given(topologies(), st.booleans(), st.integers(0, 2**32))
def test_no_packet_is_lost_while_a_switch_stays_away_or_when_it_comes(
    topology: Topology, protected: bool, seed: int
) -> None:
    """It forwards all the time, as its last controller has told it."""
    choose = random.Random(seed)
    lab = RouterLab(topology, protected, seed=seed).connect_all()
    network = lab.network
    lab.reroute(*some_moves(topology, choose))
    lab.rest()
    network.on_change = lab.walk_all
    late = choose.choice(topology.switches).name
    network.connected.remove(late)
    lab.start()
    lab.connect_all()
    lab.rest()
    lab.reroute(*some_moves(topology, choose))
    lab.regain(late)
    lab.rest()
    assert lab.is_ready()
    routes = lab.router.installation.routes
    assert routes.keys() == set(topology.od_pairs)
    assert all(network.walk(pair) == routes[pair].way for pair in topology.od_pairs)
    assert lab.held() == base(lab) | lab.route_entries()


@pytest.mark.parametrize("protected", [False, True])
def test_over_a_whole_network_nothing_is_changed(protected: bool) -> None:
    lab = RouterLab(protected=protected).connect_all()
    lab.reroute(DETOUR)
    lab.router.request(Drop("d", "h2", "h3"))
    lab.rest()
    before, routes = lab.held(), dict(lab.router.installation.routes)
    lab.start()
    lab.network.on_change = lambda: pytest.fail("an entry or a group was changed")
    lab.connect_all()
    lab.rest()
    assert lab.held() == before
    assert lab.router.installation.routes == routes
    assert routes["h0", "h1"].requested
    assert lab.causes() == ["adoption"]
    with pytest.raises(LostError):
        lab.network.walk(("h2", "h3"))


def test_a_route_that_is_not_whole_is_restored_under_another_label(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("controller.labels._epoch_now", lambda: 7)
    lab = RouterLab().connect_all()
    lab.rest()
    routes = dict(lab.router.installation.routes)
    (egress,) = routes["h0", "h1"].entries.behind
    lab.network.tables["s1"].apply([Change(egress, remove=True)])
    lab.start()
    lab.connect_all()
    after = lab.router.installation.routes
    assert lab.network.walk(("h0", "h1")) == ("s0", "s1")
    labels = {route.entries.ingress.label for route in routes.values()}
    assert after["h0", "h1"].entries.ingress.label not in labels
    others = {routed: r for routed, r in routes.items() if pair_of(routed)[1] != "h1"}
    assert others.items() <= after.items()


def test_a_route_over_a_link_that_has_died_meanwhile_moves() -> None:
    lab = RouterLab().connect_all()
    lab.start()
    for ends in (("s0", "s1"), ("s1", "s0")):
        lab.router.set_port(*ends, up=False)
    lab.connect_all()
    assert lab.network.walk(("h0", "h1")) == DETOUR.path


def test_nothing_is_adopted_before_every_switch_has_been_read() -> None:
    lab = RouterLab().connect_all()
    lab.start()
    lab.network.connected.remove("s3")
    lab.connect_all()
    assert lab.messages == []
    lab.regain("s3")
    assert len(lab.router.snapshot().routes) == 20


def test_switches_that_are_there_are_taken_over_without_one_that_is_not() -> None:
    """And what the late one holds when it comes: its pairs, wishes of clients, drops."""
    lab = RouterLab().connect_all()
    lab.reroute(Route("h3", "h4", ("s3", "s2", "s1", "s0", "s4")))
    lab.reroute(DETOUR)
    for dropped in (("h3", "h2"), ("h0", "h2")):
        lab.router.request(Drop("d", *dropped))
    lab.rest()
    before = dict(lab.router.installation.routes)
    lab.start()
    lab.network.connected.remove("s3")
    lab.network.on_change = walk_all_but(lab, {("h3", "h2"), ("h0", "h2")})
    lab.connect_all()
    lab.rest()
    routes = lab.router.installation.routes
    assert routes["h1", "h0"] == before["h1", "h0"]
    assert lab.network.walk(("h0", "h1")) == ("s0", "s1")  # s3 is as good as dead
    assert lab.network.walk(("h3", "h4")) == ("s3", "s2", "s1", "s0", "s4")
    lab.regain("s3")
    lab.rest()
    assert routes["h3", "h4"] == before["h3", "h4"]
    for dropped in (("h3", "h2"), ("h0", "h2")):
        with pytest.raises(LostError):
            lab.network.walk(dropped)
    drops = {
        drop_entry(lab.network.addressing, p, f"s{p[0][1]}") for p in (("h3", "h2"), ("h0", "h2"))
    }
    assert lab.held() == base(lab) | drops | lab.route_entries()


def walk_all_but(lab: RouterLab, dropped: set[tuple[str, str]]) -> Callable[[], None]:
    """Fails if a packet of another pair would be lost just now."""

    def walk() -> None:
        for pair in lab.topology.od_pairs:
            if pair not in dropped:
                lab.network.walk(pair)

    return walk


@pytest.mark.parametrize("pair", [("h0", "h2"), ("h3", "h2")])
def test_a_drop_that_was_lifted_while_a_switch_was_away_stays_lifted(pair: tuple[str, str]) -> None:
    """Be it a drop at that switch, or at another."""
    lab = RouterLab().connect_all()
    lab.ask(Drop("d", *pair))
    lab.rest()
    lab.start()
    lab.network.connected.remove("s3")
    lab.connect_all()
    lab.rest()
    lab.ask(Allow("a", *pair))
    lab.rest()
    lab.regain("s3")
    lab.rest()
    lab.network.walk(pair)


def test_what_an_earlier_controller_drops_is_told_to_those_who_are_connected_already() -> None:
    lab = RouterLab().connect_all()
    lab.ask(Drop("d", "h3", "h2"))
    lab.rest()
    lab.start()
    assert lab.router.snapshot().dropped == ()
    lab.connect_all()
    (adopted,) = [m for m in lab.messages if isinstance(m, Routes)]
    assert (adopted.cause, adopted.dropped) == ("adoption", (DroppedPair("h3", "h2"),))


def test_a_lifted_drop_goes_at_once_though_another_switch_stays_away() -> None:
    lab = RouterLab().connect_all()
    lab.ask(Drop("d", "h3", "h2"))
    lab.rest()
    lab.start()
    lab.network.connected -= {"s3", "s4"}
    lab.connect_all()
    lab.rest()
    lab.ask(Allow("a", "h3", "h2"))
    lab.regain("s3")
    assert not lab.is_ready()
    assert lab.network.walk(("h3", "h2")) == ("s3", "s2")


def test_a_flow_whose_path_cannot_be_followed_goes_as_its_pair() -> None:
    """Its entry comes first, and leads into a switch that may be dead."""
    lab = RouterLab().connect_all()
    flow = FlowRoute("h0", "h1", "udp", DETOUR.path, dst_port=5001)
    lab.router.request(Reroute("r", (), (flow,)))
    lab.rest()
    flow_entries = {e for e in lab.held() if e.is_ingress and dict(e.match).get("udp_dst") == 5001}
    assert flow_entries
    lab.start()
    lab.network.connected.remove("s3")
    lab.connect_all()
    lab.rest()
    assert not flow_entries & lab.held()
    assert lab.network.walk(("h0", "h1")) == ("s0", "s1")


def test_reroutes_leave_nothing_behind_though_a_switch_was_never_read() -> None:
    """And another one came late, whose tables were read with the others'."""
    edges = [("a", "b"), ("b", "d"), ("a", "c"), ("c", "d"), ("d", "e"), ("d", "f")]
    lab = RouterLab(make_topology(edges, {"h": "a", "k": "d", "x": "e"}))
    lab.network.connected -= {"e", "f"}
    lab.connect_all()
    lab.rest()
    lab.regain("f")
    lab.rest()
    before = len(lab.held())
    for middle in "cbcb":
        lab.reroute(Route("h", "k", ("a", middle, "d")))
        assert lab.network.walk(("h", "k")) == ("a", middle, "d")
        assert len(lab.held()) == before


def test_an_end_that_does_not_confirm_is_told_again_to_lead_round_a_dead_link() -> None:
    lab = RouterLab(protected=True).connect_all()
    lab.rest()
    before = dict(lab.network.groups["s0"])
    lab.network.refusing["s0"] = "refused an entry (X)"
    lab.report("s1", "s0", up=False)
    assert lab.network.groups["s0"] == before
    lab.network.refusing.clear()
    lab.router.work()
    assert lab.network.groups["s0"] != before


def test_a_link_that_was_led_round_stays_so_until_the_network_has_been_quiet() -> None:
    lab = RouterLab(protected=True).connect_all()
    lab.report("s1", "s0", up=False)  # s0 itself sees nothing
    before = dict(lab.network.groups["s0"])
    lab.start()
    lab.connect_all()  # and the link has come up
    assert lab.network.groups["s0"] == before
    lab.rest()
    assert lab.network.groups["s0"] != before
    assert not lab.router.installation.avoided


def test_labels_in_use_are_not_handed_out() -> None:
    labels = Labels(epoch=3)
    first, second = labels.fresh(), labels.fresh()
    again = Labels(epoch=3, taken={first})
    assert again.fresh() == second
