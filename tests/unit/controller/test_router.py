"""Routes, failures, the return to shortest paths, and when the controller is ready."""

from __future__ import annotations

import pytest
from fake_network import make_topology
from router_lab import DETOUR, RouterLab

from controller.forwarding import LostError
from controller.messages import Ready, Routes
from controller.router import PATIENCE_S, WAIT_TO_RESTORE_S
from topologies.paths import shortest_paths
from topologies.splits import paths_of


def test_the_baseline_puts_every_pair_on_its_shortest_path() -> None:
    lab = RouterLab().connect_all()
    for pair, path in shortest_paths(lab.topology).items():
        assert lab.network.walk(pair) == path
    assert isinstance(lab.messages[0], Routes)
    assert {(r.src, r.dst): r.path for r in lab.messages[0].routes} == shortest_paths(lab.topology)
    assert lab.causes() == ["baseline"]
    ready = lab.last(Ready)
    assert (ready.datapaths, ready.routes) == (5, 20)
    assert lab.router.snapshot().routes == lab.messages[0].routes


def test_nothing_is_ready_before_every_switch_has_connected() -> None:
    lab = RouterLab()
    lab.network.connected.remove("s3")
    lab.connect_all()
    assert lab.messages == []
    assert lab.router.work() == pytest.approx(PATIENCE_S)
    lab.regain("s3")
    assert lab.last(Ready).routes == 20


def test_a_switch_that_does_not_come_keeps_nobody_else_waiting() -> None:
    lab = RouterLab()
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
    lab = RouterLab().connect_all()
    before = {pair: route.way for pair, route in lab.router.installation.routes.items()}
    lab.link("s0", "s1", up=False)
    assert lab.path("h0", "h1") == "s0 s4 s3 s2 s1"
    assert lab.causes() == ["baseline", "restoration"]  # once, though both ends reported
    moved = {(route.src, route.dst) for route in lab.last(Routes).routes}
    crossing = {p for p, way in before.items() if {"s0", "s1"} <= {*paths_of(way)[0]}}
    assert moved == crossing
    lab.walk_all()


def test_pairs_return_once_the_network_has_been_quiet() -> None:
    lab = RouterLab().connect_all()
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


def test_news_of_a_port_to_a_host_does_not_put_off_the_return() -> None:
    lab = RouterLab().connect_all()
    lab.link("s0", "s1", up=False)
    lab.link("s0", "s1", up=True)
    lab.network.pass_time(WAIT_TO_RESTORE_S / 2)
    assert lab.router.set_port("s0", "h0", up=False)
    assert lab.router.work() == pytest.approx(WAIT_TO_RESTORE_S / 2)


def test_work_says_when_it_wants_to_be_called_again() -> None:
    lab = RouterLab().connect_all()
    assert lab.router.work() == pytest.approx(WAIT_TO_RESTORE_S)
    lab.settle()
    assert lab.router.work() is None


def test_a_pair_without_any_path_is_left_and_connected_again() -> None:
    lab = RouterLab(make_topology([("s1", "s2")], {"a": "s1", "b": "s2"})).connect_all()
    lab.link("s1", "s2", up=False)
    with pytest.raises(LostError):
        lab.network.walk(("a", "b"))
    lab.link("s1", "s2", up=True)
    assert lab.path("a", "b") == "s1 s2"


def test_a_pair_that_never_had_a_path_gets_one() -> None:
    lab = RouterLab(make_topology([("s1", "s2")], {"a": "s1", "b": "s2"}))
    lab.link("s1", "s2", up=False)
    lab.connect_all()
    assert not lab.is_ready()
    lab.network.pass_time(WAIT_TO_RESTORE_S)  # BFD might yet have brought it up
    while lab.router.work() == 0.0:
        pass
    assert lab.last(Ready).routes == 0
    lab.link("s1", "s2", up=True)
    assert lab.path("a", "b") == "s1 s2"


def test_what_breaks_avoids_links_that_have_just_come_up_where_it_can() -> None:
    edges = [("a", "b"), ("b", "d"), ("a", "c"), ("c", "d"), ("a", "e"), ("e", "d"), ("a", "d")]
    lab = RouterLab(make_topology(edges, {"h": "a", "k": "d"})).connect_all()
    for up in (False, True):
        lab.link("a", "b", up=up)
    lab.link("a", "d", up=False)
    assert lab.path("h", "k") == "a c d"
    lab.link("a", "e", up=False)
    lab.link("a", "c", up=False)
    assert lab.path("h", "k") == "a b d"  # there is no other


def test_a_failure_does_not_wait_for_the_cleaning_of_every_switch() -> None:
    lab = RouterLab().connect_all()
    lab.network.pass_time(WAIT_TO_RESTORE_S)
    assert lab.router.work() == 0.0  # one switch is cleaned, four are not
    lab.link("s0", "s1", up=False)
    assert lab.path("h0", "h1") == "s0 s4 s3 s2 s1"
