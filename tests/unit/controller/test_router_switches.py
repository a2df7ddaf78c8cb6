"""Switches that are lost, come back, refuse what they are told, and are cleaned."""

from __future__ import annotations

import pytest
from fake_network import make_topology
from router_lab import DETOUR, DRAINED_S, RouterLab

from controller.flow_entries import route_entries
from controller.flow_table import FlowTables, put
from controller.messages import Ready, Reroute, RerouteDone, Route, Routes
from controller.standing_entries import standing_entries


def test_what_a_switch_refuses_once_it_is_given_again(caplog: pytest.LogCaptureFixture) -> None:
    lab = RouterLab()
    lab.network.refusing["s3"] = "refused an entry (X)"
    lab.connect_all()
    assert not lab.is_ready()
    assert "s3 refused an entry (X)" in caplog.text
    lab.network.refusing.clear()
    lab.router.work()
    assert lab.last(Ready).routes == 20
    lab.walk_all()


def test_what_a_switch_refuses_for_good_is_told_and_nothing_is_ready(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lab = RouterLab()
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


def test_a_switch_that_does_not_confirm_gives_the_move_up() -> None:
    lab = RouterLab().connect_all()
    entries = lab.network.entries()
    lab.network.refusing["s3"] = "did not answer"
    done = lab.reroute(DETOUR)
    assert [refusal.reason for refusal in done.refused] == ["s3 did not answer"]
    assert lab.path("h0", "h1") == "s0 s1"
    assert lab.network.entries() == entries


def test_an_ingress_entry_that_is_refused_follows_though_the_switch_stays() -> None:
    lab = RouterLab().connect_all()
    lab.network.refusing["s0"] = "refused an entry (X)"
    assert lab.reroute(DETOUR).refused
    lab.network.refusing.clear()
    lab.rest()
    assert lab.path("h0", "h1") == "s0 s4 s3 s2 s1"
    assert ("h0", "h1") in {(r.src, r.dst) for r in lab.router.snapshot().routes}


def test_an_ingress_that_does_not_confirm_keeps_both_paths_until_it_is_back() -> None:
    lab = RouterLab().connect_all()
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
    lab = RouterLab(square).connect_all()
    lab.lose("b")
    assert lab.path("h", "k") == "a d"
    lab.link("a", "d", up=False)
    assert lab.path("h", "k") == "a c d"
    assert lab.reroute(Route("h", "k", ("a", "b", "d"))).refused[0].reason == "b is not connected"


def test_a_switch_that_comes_back_as_it_was_sees_no_change() -> None:
    lab = RouterLab().connect_all()
    lab.settle()
    lab.lose("s2")
    before = lab.network.tables["s2"].of("s2")
    lab.regain("s2")
    lab.settle()
    assert lab.network.tables["s2"].of("s2") == before


def test_a_move_over_a_switch_that_comes_back_emptied_meanwhile_is_given_up() -> None:
    lab = RouterLab().connect_all()
    lab.lose("s4")
    lab.network.tables["s4"] = FlowTables()
    lab.network.connected.add("s4")
    lab.router.request(Reroute("r", (DETOUR,)))

    def come_back() -> None:
        lab.network.on_change = lambda: None
        lab.network.tables["s4"] = FlowTables()
        lab.router.switch_connected("s4")

    lab.network.on_change = come_back
    lab.router.work()
    assert lab.last(RerouteDone).refused[0].reason == "s4 is not connected"
    assert lab.path("h0", "h1") == "s0 s1"


def test_an_emptied_switch_is_refilled() -> None:
    lab = RouterLab().connect_all()
    lab.lose("s2")
    lab.network.tables["s2"] = FlowTables()
    lab.regain("s2")
    lab.walk_all()


def test_what_a_switch_missed_while_away_is_made_up_for() -> None:
    lab = RouterLab().connect_all()
    lab.lose("s1")
    lab.link("s2", "s3", up=False)
    lab.network.pass_time(DRAINED_S)
    lab.regain("s1")
    lab.settle()
    lab.walk_all()
    assert lab.network.entries() == lab.needed_entries()


def test_old_entries_that_were_not_removed_are_cleaned_away() -> None:
    lab = RouterLab().connect_all()
    lab.rest()
    lab.reroute(DETOUR)
    lab.ask(Reroute("r", (Route("h0", "h1", ("s0", "s1")),)))
    lab.network.refusing["s4"] = "did not answer"
    lab.network.pass_time(DRAINED_S)
    assert lab.network.entries() > lab.needed_entries()
    lab.network.refusing.clear()
    lab.rest()
    assert lab.network.entries() == lab.needed_entries()


def test_entries_of_an_earlier_controller_go_away_without_a_gap() -> None:
    lab = RouterLab()
    old = route_entries(lab.network.addressing, ("h0", "h1"), ("s0", "s4", "s3", "s2", "s1"), 77)
    lab.network.commit(put(standing_entries(lab.topology, lab.network.addressing)))
    lab.network.commit(put([old.ingress, *old.behind]))
    lab.network.on_change = lambda: lab.network.walk(("h0", "h1"))
    lab.connect_all()
    lab.settle()
    assert lab.network.entries() == lab.needed_entries()
