"""What clients request: reroutes, drops, and that a pair is allowed again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from router_lab import DETOUR, DRAINED_S, RouterLab

from controller.forwarding import LostError
from controller.messages import Allow, Drop, DropDone, Reroute, Route, Routes


def test_a_requested_reroute_answers_with_ordered_times_and_leaves_nothing_behind() -> None:
    lab = RouterLab().connect_all()
    done = lab.reroute(DETOUR)
    assert lab.path("h0", "h1") == "s0 s4 s3 s2 s1"
    assert done.applied == (DETOUR,)
    assert done.refused == ()
    assert done.received_s <= done.installed_s <= done.switched_s < done.removed_s
    assert lab.last(Routes).cause == "request"
    assert lab.last(Routes).routes == (DETOUR,)
    assert lab.network.entries() == lab.needed_entries()


def test_the_path_is_there_before_the_ingress_is_switched_and_kept_until_drained() -> None:
    lab = RouterLab().connect_all()
    lab.network.commits.clear()
    lab.ask(Reroute("r", (DETOUR,)))
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
    lab = RouterLab().connect_all()
    twice = Route("h0", "h1", ("s0", "s1"))
    unknown = Route("h0", "h9", ("s0",))
    done = lab.reroute(DETOUR, twice, unknown)
    assert done.applied == (DETOUR,)
    assert [(r.dst, r.reason) for r in done.refused] == [
        ("h1", "the pair is moved twice in one request"),
        ("h9", "there is no OD pair h0 -> h9"),
    ]


def test_a_request_before_ready_is_refused() -> None:
    lab = RouterLab()
    lab.network.connected.remove("s3")
    lab.connect_all()
    assert lab.reroute(DETOUR).refused[0].reason == "the controller is not ready"


def test_a_pair_that_is_there_already_is_pinned_by_its_cookie_alone() -> None:
    lab = RouterLab().connect_all()
    before = lab.router.installation.routes["h0", "h1"].entries
    lab.network.commits.clear()
    done = lab.reroute(Route("h0", "h1", ("s0", "s1")))
    assert done.applied == (Route("h0", "h1", ("s0", "s1")),)
    assert done.refused == ()
    (change,) = [change for commit in lab.network.commits for change in commit]
    assert replace(change.entry, cookie=before.ingress.cookie) == before.ingress
    assert change.entry.requested
    assert lab.router.installation.routes["h0", "h1"].requested


def test_requested_paths_stay_until_they_die() -> None:
    lab = RouterLab().connect_all()
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
    lab = RouterLab().connect_all()

    def die() -> None:
        lab.network.dead.add(frozenset(("s3", "s4")))
        lab.router.set_port("s3", "s4", up=False)

    lab.network.on_change = die
    done = lab.reroute(DETOUR)
    assert [refusal.reason for refusal in done.refused] == ["the link s4-s3 is down"]
    lab.router.work()
    lab.walk_all()


def test_a_pair_is_dropped_and_allowed_again() -> None:
    lab = RouterLab().connect_all()
    lab.ask(Drop("d", "h0", "h1"))
    assert lab.last(DropDone).reason == ""
    with pytest.raises(LostError):
        lab.network.walk(("h0", "h1"))
    lab.network.walk(("h1", "h0"))
    lab.reroute(DETOUR)
    with pytest.raises(LostError):
        lab.network.walk(("h0", "h1"))
    lab.ask(Allow("a", "h0", "h1"))
    assert lab.last(DropDone).request_id == "a"
    assert lab.path("h0", "h1") == "s0 s4 s3 s2 s1"


def test_a_drop_that_cannot_be_installed_follows_when_the_switch_is_back() -> None:
    lab = RouterLab().connect_all()
    lab.lose("s0")
    lab.ask(Drop("d", "h0", "h1"))
    expected = "s0 is not connected: it follows when the switch is back"
    assert lab.last(DropDone).reason == expected
    lab.regain("s0")
    with pytest.raises(LostError):
        lab.network.walk(("h0", "h1"))


def test_an_unknown_pair_is_not_dropped() -> None:
    lab = RouterLab().connect_all()
    lab.ask(Drop("d", "h0", "h9"))
    assert lab.last(DropDone).reason == "there is no OD pair h0 -> h9"
