"""Planned reroutes and installations without their labs: what is moved, counted and judged."""

from __future__ import annotations

import msgspec
import pytest

from benchmarks import planned_reroute, table_installation
from benchmarks.bare_switches import grid
from benchmarks.parts import CutShort, Part, Verdict, carry_out
from benchmarks.planned_reroute import Move, Moves, Phases, other_paths, phases_of, reordered
from benchmarks.report import this_machine
from benchmarks.table_installation import Installation, Installations, times_of
from controller.messages import DatapathState, Ready, RerouteDone
from playbooks.runner import Interrupted
from testbed.numbered_packets import Flight
from testbed.reference.errors import MeasurementError
from testbed.reference.targets import at_most
from topologies.catalogue import load_topology
from topologies.paths import shortest_paths

AB, CD = ("a", "b"), ("c", "d")


def test_every_pair_that_has_another_path_takes_it() -> None:
    abilene = load_topology("topohub:sndlib/abilene")
    routing = shortest_paths(abilene)
    other = other_paths(abilene, routing)
    assert all(other[pair] != routing[pair] for pair in other)
    # Nothing leads round the bridge between s1 and its only neighbour.
    assert {frozenset(pair) for pair in routing.keys() - other.keys()} == {frozenset(("h1", "h2"))}


def test_a_packet_is_reordered_when_a_later_one_of_its_pair_came_before_it() -> None:
    shots = [AB, CD, AB, CD, AB]
    sent_s = [0.0, 1.0, 2.0, 3.0, 4.0]
    in_order = Flight(sent_s, [9.0, 1.0, 8.0, None, 7.5])
    assert reordered(shots, in_order) == {AB: 0, CD: 0}
    overtaken = Flight(sent_s, [9.0, 1.0, 5.0, 1.0, 1.0])
    assert reordered(shots, overtaken) == {AB: 2, CD: 0}


def moved(lost: int, total_ms: float) -> Move:
    return Move(
        pairs=2,
        sent=9,
        lost=lost,
        reordered=3,
        reordered_on_equal_delay=0,
        total_ms=total_ms,
        phases=Phases(1.0, 2.0, 3.0, total_ms - 6.0),
    )


def test_moves_are_judged_together_and_deleting_first_stands_beside_them() -> None:
    moves = Moves(1, (moved(0, 20), moved(0, 90)), (moved(7, 30), moved(5, 40)))
    verdict = planned_reroute.judge("x", moves)
    assert [target.measured for target in verdict.targets] == [0, 0, 90]
    assert all(target.met for target in verdict.targets)
    assert list(verdict.beside["delete then add"].values()) == [12, 0, 40]
    assert [t.name for t in verdict.targets] == list(verdict.beside["delete then add"])
    phases = [
        verdict.beside[column][verdict.targets[-1].name] for column in list(verdict.beside)[:4]
    ]
    assert phases == [1.0, 2.0, 3.0, 84.0]  # of the longest move
    without = planned_reroute.judge("x", None)
    assert not any(target.met for target in without.targets)


def test_the_phases_of_a_move_add_up_to_all_of_it_but_the_drain() -> None:
    done = RerouteDone(
        t_s=10.9,
        request_id="1",
        received_s=10.01,
        installed_s=10.04,
        switched_s=10.06,
        removed_s=10.9,
        applied=(),
        refused=(),
    )
    phases = phases_of(done, asked_s=10.0, drained_s=0.8)
    assert msgspec.structs.astuple(phases) == pytest.approx((10, 30, 20, 40))
    assert phases.total_ms == pytest.approx(100)


def test_an_installation_ends_when_the_controller_is_ready() -> None:
    def connected(at_s: float) -> DatapathState:
        return DatapathState(t_s=at_s, datapath="s1", connected=True)

    ready = Ready(t_s=13.5, datapaths=2, routes=2)
    messages = [connected(10.0), connected(11.5), ready, connected(20.0)]
    assert times_of(messages) == Installation(from_first_s=3.5, from_last_s=2.0)


def test_the_median_installation_is_judged() -> None:
    taken = tuple(Installation(9.0, last_s) for last_s in (1.0, 1.4, 5.0))
    verdict = table_installation.judge("all", 1.5, Installations(2, 2, 4, taken, 7.0))
    assert [(target.measured, target.met) for target in verdict.targets] == [(1.4, True)]
    assert verdict.beside == {"barrier after each": {"all": 7.0}}


def test_a_grid_has_the_links_of_a_grid() -> None:
    topology = grid(3)
    assert len(topology.core_links) == 12
    degrees = sorted(
        sum(switch.name == here for here, _ in topology.core_directions)
        for switch in topology.switches
    )
    assert degrees == [2] * 4 + [3] * 4 + [4]
    assert len(shortest_paths(topology)) == 72


def test_a_part_that_fails_leaves_its_targets_unmet_and_the_others_be() -> None:
    def fail() -> object:
        raise MeasurementError("no lab")

    def judge(figures: object) -> Verdict:
        return Verdict([at_most("figure", 2.0, 1.0 if figures else None)])

    parts = [Part("broken", fail, judge), Part("whole", lambda: {"x": 1}, judge)]
    report = carry_out("test", this_machine(), parts, lambda *_: None)
    assert [target.met for target in report.targets] == [False, True]
    assert report.rows == [
        {"what": "broken", "failed": "no lab"},
        {"what": "whole", "figures": {"x": 1}},
    ]


@pytest.mark.parametrize("ends", [KeyboardInterrupt, Interrupted])
def test_an_interrupted_benchmark_keeps_the_parts_that_are_done(ends: type[Exception]) -> None:
    def interrupt() -> object:
        raise ends

    parts = [
        Part("whole", lambda: {"x": 1}, lambda _: Verdict([at_most("figure", 2.0, 1.0)])),
        Part("half", interrupt, lambda _: Verdict()),
    ]
    with pytest.raises(CutShort) as caught:
        carry_out("test", this_machine(), parts, lambda *_: None)
    report = caught.value.report
    assert report.rows == [{"what": "whole", "figures": {"x": 1}}]
    assert [target.met for target in report.targets] == [True]
    assert not report.passed


@pytest.mark.parametrize("moves", [None, Moves(0, (moved(1, 101),), ())])
def test_what_was_lost_or_slow_is_unmet(moves: Moves | None) -> None:
    targets = planned_reroute.judge("x", moves).targets
    assert [target.met for target in targets] == [False, False]
