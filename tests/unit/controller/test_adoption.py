"""A controller that is killed at any point, and the next one over the same tables."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import suppress

import pytest
from fake_network import FakeNetwork, ring
from hypothesis import given, settings
from hypothesis import strategies as st
from test_router_properties import some_moves, topologies

from controller.flow_entries import FlowEntry, drop_entry
from controller.flow_table import Change
from controller.flows import pair_of
from controller.forwarding import LostError, Packet
from controller.installation import UNPROTECTED
from controller.labels import Labels
from controller.messages import Allow, Drop, Message, Ready, Reroute, Route, Routes
from controller.protection import Protection
from controller.router import Router
from controller.standing_entries import standing_entries
from topologies.detours import Detour, Hop, detours
from topologies.model import Topology

LONG_S = 60.0
"""Longer than any drain."""


class KilledError(Exception):
    """The controller is no more."""


class Run:
    """One controller after the other over the same switches."""

    def __init__(self, topology: Topology, protected: bool = False, seed: int = 0) -> None:
        self.network = FakeNetwork(topology, seed)
        self.messages: list[Message] = []
        self._detours: Mapping[Hop, Detour] = detours(topology) if protected else UNPROTECTED
        addressing = self.network.addressing
        detoured = Protection(addressing, self._detours).entries()
        self.base = {*standing_entries(topology, addressing), *detoured}
        """What the switches hold besides routes."""
        self.start()

    def start(self) -> None:
        """Kill the controller, if there is one, and start the next."""
        network = self.network
        network.kill_controller()
        self.messages.clear()
        self.router = Router(
            network.topology,
            "delay",
            network,
            self.messages.append,
            network.defer,
            network.clock,
            self._detours,
        )

    def connect_all(self) -> None:
        for switch in self.network.topology.switches:
            self.router.switch_connected(switch.name)
        self.router.work()

    def settle(self) -> None:
        while (wait_s := self.router.work()) is not None:
            self.network.pass_time(wait_s)
        self.network.pass_time(LONG_S)

    def reroute(self, *moves: Route) -> None:
        self.router.request(Reroute("r", moves))
        self.router.work()
        self.network.pass_time(LONG_S)

    def held(self) -> set[FlowEntry]:
        """Every entry of every switch."""
        return {entry for name, table in self.network.tables.items() for entry in table.of(name)}


@settings(max_examples=80)
@given(topologies(), st.booleans(), st.integers(0, 2**32), st.integers(0, 120))
def test_killed_anywhere_in_a_reroute_every_pair_ends_on_its_old_or_its_new_path(
    topology: Topology, protected: bool, seed: int, survives: int
) -> None:
    """New packets walk from start to end whenever an entry changes; slow ones move on by one
    switch per change, and are gone before the next controller is so far as to clean up."""
    choose = random.Random(seed)
    run = Run(topology, protected, seed)
    network = run.network
    run.connect_all()
    run.reroute(*some_moves(topology, choose))
    run.settle()
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
        for pair in topology.od_pairs:
            network.walk(pair)
        changes += 1
        if changes > survives:
            raise KilledError

    network.on_change = watch
    with suppress(KilledError):
        run.router.request(Reroute("r", moves))
        run.router.work()
        deliver_slow()  # the drain outlasts them
        network.pass_time(LONG_S)
    run.start()
    survives = 10**9
    run.connect_all()
    deliver_slow()
    run.settle()
    ended = {pair: network.walk(pair) for pair in topology.od_pairs}
    assert all(path in (old[pair], new[pair]) for pair, path in ended.items())
    routes = run.router.installation.routes
    assert ended == {pair: route.way for pair, route in routes.items()}
    assert run.held() == run.base | {
        entry for r in routes.values() for entry in (r.entries.ingress, *r.entries.behind)
    }


@settings(max_examples=40)
@given(topologies(), st.booleans(), st.integers(0, 2**32))
def test_no_packet_is_lost_while_a_switch_stays_away_or_when_it_comes(
    topology: Topology, protected: bool, seed: int
) -> None:
    """It forwards all the time, as its last controller has told it."""
    choose = random.Random(seed)
    run = Run(topology, protected, seed)
    network = run.network
    run.connect_all()
    run.reroute(*some_moves(topology, choose))
    run.settle()
    network.on_change = walk_all_but(run, set())
    late = choose.choice(topology.switches).name
    network.connected.remove(late)
    run.start()
    run.connect_all()
    run.settle()
    run.reroute(*some_moves(topology, choose))
    network.connected.add(late)
    run.router.switch_connected(late)
    run.settle()
    assert any(isinstance(message, Ready) for message in run.messages)
    routes = run.router.installation.routes
    assert routes.keys() == set(topology.od_pairs)
    assert all(network.walk(pair) == routes[pair].way for pair in topology.od_pairs)
    assert run.held() == run.base | {
        entry for r in routes.values() for entry in (r.entries.ingress, *r.entries.behind)
    }


@pytest.mark.parametrize("protected", [False, True])
def test_over_a_whole_network_nothing_is_changed(protected: bool) -> None:
    run = Run(ring(5), protected)
    run.connect_all()
    run.reroute(Route("h0", "h1", ("s0", "s4", "s3", "s2", "s1")))
    run.router.request(Drop("d", "h2", "h3"))
    run.settle()
    before, routes = run.held(), dict(run.router.installation.routes)
    run.start()
    run.network.on_change = lambda: pytest.fail("an entry or a group was changed")
    run.connect_all()
    run.settle()
    assert run.held() == before
    assert run.router.installation.routes == routes
    assert routes["h0", "h1"].requested
    assert [m.cause for m in run.messages if isinstance(m, Routes)] == ["adoption"]
    with pytest.raises(LostError):
        run.network.walk(("h2", "h3"))


def test_a_route_that_is_not_whole_is_restored_under_another_label(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("controller.labels._epoch_now", lambda: 7)
    run = Run(ring(5))
    run.connect_all()
    run.settle()
    routes = dict(run.router.installation.routes)
    (egress,) = routes["h0", "h1"].entries.behind
    run.network.tables["s1"].apply([Change(egress, remove=True)])
    run.start()
    run.connect_all()
    after = run.router.installation.routes
    assert run.network.walk(("h0", "h1")) == ("s0", "s1")
    labels = {route.entries.ingress.label for route in routes.values()}
    assert after["h0", "h1"].entries.ingress.label not in labels
    others = {routed: r for routed, r in routes.items() if pair_of(routed)[1] != "h1"}
    assert others.items() <= after.items()


def test_a_route_over_a_link_that_has_died_meanwhile_moves() -> None:
    run = Run(ring(5))
    run.connect_all()
    run.start()
    for ends in (("s0", "s1"), ("s1", "s0")):
        run.router.set_port(*ends, up=False)
    run.connect_all()
    assert run.network.walk(("h0", "h1")) == ("s0", "s4", "s3", "s2", "s1")


def test_nothing_is_adopted_before_every_switch_has_been_read() -> None:
    run = Run(ring(5))
    run.connect_all()
    run.start()
    run.network.connected.remove("s3")
    run.connect_all()
    assert run.messages == []
    run.network.connected.add("s3")
    run.router.switch_connected("s3")
    run.router.work()
    assert len(run.router.snapshot().routes) == 20


def test_switches_that_are_there_are_taken_over_without_one_that_is_not() -> None:
    """And what the late one holds when it comes: its pairs, wishes of clients, drops."""
    run = Run(ring(5))
    run.connect_all()
    run.reroute(Route("h3", "h4", ("s3", "s2", "s1", "s0", "s4")))
    run.reroute(Route("h0", "h1", ("s0", "s4", "s3", "s2", "s1")))
    for dropped in (("h3", "h2"), ("h0", "h2")):
        run.router.request(Drop("d", *dropped))
    run.settle()
    before = dict(run.router.installation.routes)
    run.start()
    run.network.connected.remove("s3")
    run.network.on_change = walk_all_but(run, {("h3", "h2"), ("h0", "h2")})
    run.connect_all()
    run.settle()
    routes = run.router.installation.routes
    assert routes["h1", "h0"] == before["h1", "h0"]
    assert run.network.walk(("h0", "h1")) == ("s0", "s1")  # s3 is as good as dead
    assert run.network.walk(("h3", "h4")) == ("s3", "s2", "s1", "s0", "s4")
    run.network.connected.add("s3")
    run.router.switch_connected("s3")
    run.settle()
    assert routes["h3", "h4"] == before["h3", "h4"]
    for dropped in (("h3", "h2"), ("h0", "h2")):
        with pytest.raises(LostError):
            run.network.walk(dropped)
    assert run.held() == run.base | {
        *(
            drop_entry(run.network.addressing, p, f"s{p[0][1]}")
            for p in (("h3", "h2"), ("h0", "h2"))
        ),
        *(e for r in routes.values() for e in (r.entries.ingress, *r.entries.behind)),
    }


def walk_all_but(run: Run, dropped: set[tuple[str, str]]) -> Callable[[], None]:
    """Fails if a packet of another pair would be lost just now."""

    def walk() -> None:
        for pair in run.network.topology.od_pairs:
            if pair not in dropped:
                run.network.walk(pair)

    return walk


def test_what_was_allowed_meanwhile_is_not_dropped_when_the_last_switch_comes() -> None:
    run = Run(ring(5))
    run.connect_all()
    run.router.request(Drop("d", "h0", "h2"))
    run.settle()
    run.start()
    run.network.connected.remove("s3")
    run.connect_all()
    run.settle()
    run.router.request(Allow("a", "h0", "h2"))
    run.settle()
    run.network.connected.add("s3")
    run.router.switch_connected("s3")
    run.settle()
    run.network.walk(("h0", "h2"))


def test_an_end_that_does_not_confirm_is_told_again_to_lead_round_a_dead_link() -> None:
    run = Run(ring(5), protected=True)
    run.connect_all()
    run.settle()
    before = dict(run.network.groups["s0"])
    run.network.refusing["s0"] = "refused an entry (X)"
    run.router.set_port("s1", "s0", up=False)
    run.router.work()
    assert run.network.groups["s0"] == before
    run.network.refusing.clear()
    run.router.work()
    assert run.network.groups["s0"] != before


def test_a_link_that_was_led_round_stays_so_until_the_network_has_been_quiet() -> None:
    run = Run(ring(5), protected=True)
    run.connect_all()
    run.router.set_port("s1", "s0", up=False)  # s0 itself sees nothing
    run.router.work()
    before = dict(run.network.groups["s0"])
    run.start()
    run.connect_all()  # and the link has come up
    assert run.network.groups["s0"] == before
    run.settle()
    assert run.network.groups["s0"] != before
    assert not run.router.installation.avoided


def test_labels_in_use_are_not_handed_out() -> None:
    labels = Labels(epoch=3)
    first, second = labels.fresh(), labels.fresh()
    again = Labels(epoch=3, taken={first})
    assert again.fresh() == second
