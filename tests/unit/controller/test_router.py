from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import pytest
from fake_network import FakeNetwork, make_topology, needed_entries, ring

from controller.flow_entries import route_entries
from controller.flow_table import FlowTables, put
from controller.forwarding import LostError
from controller.messages import (
    Allow,
    Drop,
    DropDone,
    Message,
    Ready,
    Reroute,
    RerouteDone,
    Route,
    Routes,
)
from controller.router import PATIENCE_S, WAIT_TO_RESTORE_S, Router
from controller.standing_entries import standing_entries
from topologies.model import Topology
from topologies.paths import shortest_paths
from topologies.splits import paths_of

M = TypeVar("M", bound=Message)
DRAINED_S = 10.0


class Lab:
    """A router on fake switches."""

    def __init__(self, topology: Topology | None = None) -> None:
        self.topology = topology or ring(5)
        self.network = FakeNetwork(self.topology)
        self.messages: list[Message] = []
        self.router = Router(
            self.topology,
            "delay",
            self.network,
            self.messages.append,
            self.network.defer,
            self.network.clock,
        )

    def connect_all(self) -> Lab:
        for switch in self.topology.switches:
            self.router.switch_connected(switch.name)
        self.router.work()
        return self

    def link(self, a: str, b: str, up: bool) -> None:
        (self.network.dead.discard if up else self.network.dead.add)(frozenset((a, b)))
        for ends in ((a, b), (b, a)):
            self.router.set_port(*ends, up=up)
            self.router.work()

    def lose(self, switch: str) -> None:
        self.network.connected.remove(switch)
        self.router.switch_lost()
        self.router.work()

    def regain(self, switch: str) -> None:
        self.network.connected.add(switch)
        self.router.switch_connected(switch)
        self.router.work()

    def settle(self) -> None:
        self.network.pass_time(WAIT_TO_RESTORE_S)
        while self.router.work() == 0.0:
            pass
        self.network.pass_time(DRAINED_S)

    def rest(self) -> None:
        """Have it do all that it wants to do by itself."""
        while (wait_s := self.router.work()) is not None:
            self.network.pass_time(wait_s)
        self.network.pass_time(DRAINED_S)

    def is_ready(self) -> bool:
        return any(isinstance(message, Ready) for message in self.messages)

    def reroute(self, *moves: Route) -> RerouteDone:
        self.router.request(Reroute("r", moves))
        self.router.work()
        self.network.pass_time(DRAINED_S)
        return self.last(RerouteDone)

    def last(self, kind: type[M]) -> M:
        return [message for message in self.messages if isinstance(message, kind)][-1]

    def causes(self) -> list[str]:
        return [message.cause for message in self.messages if isinstance(message, Routes)]

    def needed_entries(self) -> int:
        return needed_entries(self.router.installation)

    def path(self, source: str, target: str) -> str:
        return " ".join(self.network.walk((source, target)))


DETOUR = Route("h0", "h1", ("s0", "s4", "s3", "s2", "s1"))


def test_the_baseline_puts_every_pair_on_its_shortest_path() -> None:
    lab = Lab().connect_all()
    for pair, path in shortest_paths(lab.topology).items():
        assert lab.network.walk(pair) == path
    assert isinstance(lab.messages[0], Routes)
    assert {(r.src, r.dst): r.path for r in lab.messages[0].routes} == shortest_paths(lab.topology)
    assert lab.causes() == ["baseline"]
    ready = lab.last(Ready)
    assert (ready.datapaths, ready.routes) == (5, 20)
    assert lab.router.snapshot().routes == lab.messages[0].routes


def test_nothing_is_ready_before_every_switch_has_connected() -> None:
    lab = Lab()
    lab.network.connected.remove("s3")
    lab.connect_all()
    assert lab.messages == []
    assert lab.router.work() == pytest.approx(PATIENCE_S)
    lab.regain("s3")
    assert lab.last(Ready).routes == 20


def test_a_switch_that_does_not_come_keeps_nobody_else_waiting() -> None:
    lab = Lab()
    lab.network.connected.remove("s3")
    lab.connect_all()
    lab.rest()
    assert not lab.is_ready()
    assert lab.path("h2", "h4") == "s2 s1 s0 s4"
    assert lab.reroute(DETOUR).refused[0].reason == "s3 is not connected"
    link = ("s0", "s1")
    lab.link(*link, up=False)
    lab.link(*link, up=True)
    lab.rest()
    for pair in lab.topology.od_pairs:
        if "h3" not in pair:
            lab.network.walk(pair)
    lab.regain("s3")
    assert lab.last(Ready).routes == 20
    lab.rest()
    for pair, path in shortest_paths(lab.topology).items():
        assert lab.network.walk(pair) == path
    assert lab.network.entries() == lab.needed_entries()


def test_a_dead_link_moves_the_pairs_that_cross_it_and_no_others() -> None:
    lab = Lab().connect_all()
    before = {pair: route.way for pair, route in lab.router.installation.routes.items()}
    lab.link("s0", "s1", up=False)
    assert lab.path("h0", "h1") == "s0 s4 s3 s2 s1"
    assert lab.causes() == ["baseline", "restoration"]  # once, though both ends reported
    moved = {(route.src, route.dst) for route in lab.last(Routes).routes}
    crossing = {p for p, way in before.items() if {"s0", "s1"} <= {*paths_of(way)[0]}}
    assert moved == crossing
    for pair in lab.topology.od_pairs:
        lab.network.walk(pair)


def test_pairs_return_once_the_network_has_been_quiet() -> None:
    lab = Lab().connect_all()
    lab.link("s0", "s1", up=False)
    lab.link("s0", "s1", up=True)
    assert lab.path("h0", "h1") == "s0 s4 s3 s2 s1"
    lab.network.pass_time(WAIT_TO_RESTORE_S / 2)
    lab.link("s0", "s1", up=False)
    lab.link("s0", "s1", up=True)
    lab.network.pass_time(WAIT_TO_RESTORE_S / 2)
    lab.router.work()
    assert lab.path("h0", "h1") == "s0 s4 s3 s2 s1"
    lab.settle()
    assert lab.path("h0", "h1") == "s0 s1"
    assert lab.network.entries() == lab.needed_entries()
    assert lab.causes()[-1] == "restoration"


def test_work_says_when_it_wants_to_be_called_again() -> None:
    lab = Lab().connect_all()
    assert lab.router.work() == pytest.approx(WAIT_TO_RESTORE_S)
    lab.settle()
    assert lab.router.work() is None


def test_a_pair_without_any_path_is_left_and_connected_again() -> None:
    lab = Lab(make_topology([("s1", "s2")], {"a": "s1", "b": "s2"})).connect_all()
    lab.link("s1", "s2", up=False)
    with pytest.raises(LostError):
        lab.network.walk(("a", "b"))
    lab.link("s1", "s2", up=True)
    assert lab.path("a", "b") == "s1 s2"


def test_a_pair_that_never_had_a_path_gets_one() -> None:
    lab = Lab(make_topology([("s1", "s2")], {"a": "s1", "b": "s2"}))
    lab.link("s1", "s2", up=False)
    lab.connect_all()
    assert not [message for message in lab.messages if isinstance(message, Ready)]
    lab.network.pass_time(WAIT_TO_RESTORE_S)  # BFD might yet have brought it up
    while lab.router.work() == 0.0:
        pass
    assert lab.last(Ready).routes == 0
    lab.link("s1", "s2", up=True)
    assert lab.path("a", "b") == "s1 s2"


def test_a_requested_reroute_answers_with_ordered_times_and_leaves_nothing_behind() -> None:
    lab = Lab().connect_all()
    done = lab.reroute(DETOUR)
    assert lab.path("h0", "h1") == "s0 s4 s3 s2 s1"
    assert done.applied == (DETOUR,)
    assert done.refused == ()
    assert done.received_s <= done.installed_s <= done.switched_s < done.removed_s
    assert lab.last(Routes).cause == "request"
    assert lab.last(Routes).routes == (DETOUR,)
    assert lab.network.entries() == lab.needed_entries()


def test_the_path_is_there_before_the_ingress_is_switched_and_kept_until_drained() -> None:
    lab = Lab().connect_all()
    lab.network.commits.clear()
    lab.router.request(Reroute("r", (DETOUR,)))
    lab.router.work()
    install, switch = lab.network.commits
    assert [change.entry.switch for change in install] == ["s1", "s2", "s3", "s4"]
    assert [change.entry.switch for change in switch] == ["s0"]
    assert not any(change.remove for change in install + switch)
    lab.network.pass_time(0.05)
    assert len(lab.network.commits) == 2
    lab.network.pass_time(DRAINED_S)
    assert lab.network.commits[2:] == [[]]  # other pairs share what it has left
    lab.reroute(Route("h0", "h1", ("s0", "s1")))
    removal = [(change.entry.switch, change.remove) for change in lab.network.commits[-1]]
    assert removal == [("s1", True), ("s2", True), ("s3", True), ("s4", True)]


def test_moves_are_refused_one_by_one() -> None:
    lab = Lab().connect_all()
    twice = Route("h0", "h1", ("s0", "s1"))
    unknown = Route("h0", "h9", ("s0",))
    done = lab.reroute(DETOUR, twice, unknown)
    assert done.applied == (DETOUR,)
    assert [(r.dst, r.reason) for r in done.refused] == [
        ("h1", "the pair is moved twice in one request"),
        ("h9", "there is no OD pair h0 -> h9"),
    ]


def test_a_request_before_ready_is_refused() -> None:
    lab = Lab()
    lab.network.connected.remove("s3")
    lab.connect_all()
    assert lab.reroute(DETOUR).refused[0].reason == "the controller is not ready"


def test_a_pair_that_is_there_already_is_pinned_by_its_cookie_alone() -> None:
    lab = Lab().connect_all()
    before = lab.router.installation.routes["h0", "h1"].entries
    lab.network.commits.clear()
    done = lab.reroute(Route("h0", "h1", ("s0", "s1")))
    assert done.applied == (Route("h0", "h1", ("s0", "s1")),)
    assert done.refused == ()
    (change,) = [change for commit in lab.network.commits for change in commit]
    assert replace(change.entry, cookie=before.ingress.cookie) == before.ingress
    assert change.entry.requested
    assert lab.router.installation.routes["h0", "h1"].requested


def test_what_a_switch_refuses_once_it_is_given_again(caplog: pytest.LogCaptureFixture) -> None:
    lab = Lab()
    lab.network.refusing["s3"] = "refused an entry (X)"
    lab.connect_all()
    assert not lab.is_ready()
    assert "s3 refused an entry (X)" in caplog.text
    lab.network.refusing.clear()
    lab.router.work()
    assert lab.last(Ready).routes == 20
    for pair in lab.topology.od_pairs:
        lab.network.walk(pair)


def test_what_a_switch_refuses_for_good_is_told_and_nothing_is_ready(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lab = Lab()
    lab.network.refusing["s3"] = "refused an entry (X)"
    lab.connect_all()
    lab.rest()
    assert not lab.is_ready()
    assert "s3 refused an entry (X), again" in caplog.text
    lab.network.refusing.clear()
    lab.lose("s3")
    lab.regain("s3")
    lab.rest()
    assert lab.last(Ready).routes == 20


def test_an_ingress_entry_that_is_refused_follows_though_the_switch_stays() -> None:
    lab = Lab().connect_all()
    lab.network.refusing["s0"] = "refused an entry (X)"
    assert lab.reroute(DETOUR).refused
    lab.network.refusing.clear()
    lab.rest()
    assert lab.path("h0", "h1") == "s0 s4 s3 s2 s1"
    assert ("h0", "h1") in {(r.src, r.dst) for r in lab.router.snapshot().routes}


def test_old_entries_that_were_not_removed_are_cleaned_away() -> None:
    lab = Lab().connect_all()
    lab.rest()
    lab.reroute(DETOUR)
    lab.router.request(Reroute("r", (Route("h0", "h1", ("s0", "s1")),)))
    lab.router.work()
    lab.network.refusing["s4"] = "did not answer"
    lab.network.pass_time(DRAINED_S)
    assert lab.network.entries() > lab.needed_entries()
    lab.network.refusing.clear()
    lab.rest()
    assert lab.network.entries() == lab.needed_entries()


def test_news_of_a_port_to_a_host_does_not_put_off_the_return() -> None:
    lab = Lab().connect_all()
    lab.link("s0", "s1", up=False)
    lab.link("s0", "s1", up=True)
    lab.network.pass_time(WAIT_TO_RESTORE_S / 2)
    assert lab.router.set_port("s0", "h0", up=False)
    assert lab.router.work() == pytest.approx(WAIT_TO_RESTORE_S / 2)


def test_requested_paths_stay_until_they_die() -> None:
    lab = Lab().connect_all()
    lab.reroute(DETOUR)
    lab.link("s0", "s1", up=False)
    lab.link("s0", "s1", up=True)
    lab.settle()
    assert lab.path("h0", "h1") == "s0 s4 s3 s2 s1"
    lab.link("s3", "s4", up=False)
    assert lab.path("h0", "h1") == "s0 s1"
    lab.link("s3", "s4", up=True)
    lab.settle()
    assert lab.path("h0", "h1") == "s0 s1"


def test_a_link_that_dies_during_a_reroute_gives_the_move_up() -> None:
    lab = Lab().connect_all()

    def die() -> None:
        lab.network.dead.add(frozenset(("s3", "s4")))
        lab.router.set_port("s3", "s4", up=False)

    lab.network.on_change = die
    done = lab.reroute(DETOUR)
    assert [refusal.reason for refusal in done.refused] == ["the link s4-s3 is down"]
    lab.router.work()
    for pair in lab.topology.od_pairs:
        lab.network.walk(pair)


def test_a_switch_that_does_not_confirm_gives_the_move_up() -> None:
    lab = Lab().connect_all()
    entries = lab.network.entries()
    lab.network.refusing["s3"] = "did not answer"
    done = lab.reroute(DETOUR)
    assert [refusal.reason for refusal in done.refused] == ["s3 did not answer"]
    assert lab.path("h0", "h1") == "s0 s1"
    assert lab.network.entries() == entries


def test_an_ingress_that_does_not_confirm_keeps_both_paths_until_it_is_back() -> None:
    lab = Lab().connect_all()
    lab.network.refusing["s0"] = "was lost"
    done = lab.reroute(DETOUR)
    assert done.refused[0].reason == "s0 was lost: it follows when the switch is back"
    assert lab.path("h0", "h1") == "s0 s1"  # the old path is still there
    assert ("h0", "h1") not in {(r.src, r.dst) for r in lab.router.snapshot().routes}
    lab.network.refusing.clear()
    lab.lose("s0")
    lab.regain("s0")
    assert lab.path("h0", "h1") == "s0 s4 s3 s2 s1"
    assert lab.last(Routes).routes == (DETOUR,)
    lab.network.pass_time(DRAINED_S)
    assert lab.network.entries() == lab.needed_entries()
    lab.network.walk(("h0", "h1"))


def test_paths_avoid_a_switch_that_is_not_connected_and_leave_healthy_ones_alone() -> None:
    square = make_topology(
        [("a", "b"), ("b", "d"), ("a", "c"), ("c", "d"), ("a", "d")], {"h": "a", "k": "d"}
    )
    lab = Lab(square).connect_all()
    lab.lose("b")
    assert lab.path("h", "k") == "a d"
    lab.link("a", "d", up=False)
    assert lab.path("h", "k") == "a c d"
    assert lab.reroute(Route("h", "k", ("a", "b", "d"))).refused[0].reason == "b is not connected"


def test_a_switch_that_comes_back_as_it_was_sees_no_change() -> None:
    lab = Lab().connect_all()
    lab.settle()
    lab.lose("s2")
    before = lab.network.tables["s2"].of("s2")
    lab.regain("s2")
    lab.settle()
    assert lab.network.tables["s2"].of("s2") == before


def test_an_emptied_switch_is_refilled() -> None:
    lab = Lab().connect_all()
    lab.lose("s2")
    lab.network.tables["s2"] = FlowTables()
    lab.regain("s2")
    for pair in lab.topology.od_pairs:
        lab.network.walk(pair)


def test_what_a_switch_missed_while_away_is_made_up_for() -> None:
    lab = Lab().connect_all()
    lab.lose("s1")
    lab.link("s2", "s3", up=False)
    lab.network.pass_time(DRAINED_S)
    lab.regain("s1")
    lab.settle()
    for pair in lab.topology.od_pairs:
        lab.network.walk(pair)
    assert lab.network.entries() == lab.needed_entries()


def test_entries_of_an_earlier_controller_go_away_without_a_gap() -> None:
    lab = Lab()
    old = route_entries(lab.network.addressing, ("h0", "h1"), ("s0", "s4", "s3", "s2", "s1"), 77)
    lab.network.commit(put(standing_entries(lab.topology, lab.network.addressing)))
    lab.network.commit(put([old.ingress, *old.behind]))
    lab.network.on_change = lambda: lab.network.walk(("h0", "h1"))
    lab.connect_all()
    lab.settle()
    assert lab.network.entries() == lab.needed_entries()


def test_a_failure_does_not_wait_for_the_cleaning_of_every_switch() -> None:
    lab = Lab().connect_all()
    lab.network.pass_time(WAIT_TO_RESTORE_S)
    assert lab.router.work() == 0.0  # one switch is cleaned, four are not
    lab.link("s0", "s1", up=False)
    assert lab.path("h0", "h1") == "s0 s4 s3 s2 s1"


def test_a_pair_is_dropped_and_allowed_again() -> None:
    lab = Lab().connect_all()
    lab.router.request(Drop("d", "h0", "h1"))
    lab.router.work()
    assert lab.last(DropDone).reason == ""
    with pytest.raises(LostError):
        lab.network.walk(("h0", "h1"))
    lab.network.walk(("h1", "h0"))
    lab.reroute(DETOUR)
    with pytest.raises(LostError):
        lab.network.walk(("h0", "h1"))
    lab.router.request(Allow("a", "h0", "h1"))
    lab.router.work()
    assert lab.last(DropDone).request_id == "a"
    assert lab.path("h0", "h1") == "s0 s4 s3 s2 s1"


def test_a_drop_that_cannot_be_installed_follows_when_the_switch_is_back() -> None:
    lab = Lab().connect_all()
    lab.lose("s0")
    lab.router.request(Drop("d", "h0", "h1"))
    lab.router.work()
    expected = "s0 is not connected: it follows when the switch is back"
    assert lab.last(DropDone).reason == expected
    lab.regain("s0")
    with pytest.raises(LostError):
        lab.network.walk(("h0", "h1"))


def test_an_unknown_pair_is_not_dropped() -> None:
    lab = Lab().connect_all()
    lab.router.request(Drop("d", "h0", "h9"))
    lab.router.work()
    assert lab.last(DropDone).reason == "there is no OD pair h0 -> h9"
