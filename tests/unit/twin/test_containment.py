"""Policies that fail do no harm."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fluid_network import FluidNetwork, drive
from small_networks import demand, square

from topologies.paths import shortest_paths
from twin.containment import ContainedPolicy
from twin.forecaster import PersistenceForecaster
from twin.imputation import Persistence
from twin.policy import Proposal
from twin.records import Decision, PolicyProblem
from twin.twin import Twin
from twin.view import TwinView

TOPOLOGY = square()
GOOD = Proposal({("h1", "h3"): ("s1", "s4", "s3")}, "because")


class Scripted:
    """Does what it is told."""

    name = "scripted"

    def __init__(self, decide: Callable[[TwinView], Any]) -> None:
        self._decide = decide

    def decide(self, view: TwinView) -> Any:
        return self._decide(view)


def view(down: frozenset[tuple[str, str]] = frozenset()) -> TwinView:
    routing = shortest_paths(TOPOLOGY)
    known = {"topology": TOPOLOGY, "routing": routing, "down": down, "drained": frozenset()}
    return cast(TwinView, SimpleNamespace(now_s=5.0, **known))


def raising(_: TwinView) -> None:
    raise ZeroDivisionError("by hand")


def test_a_good_proposal_passes() -> None:
    policy = ContainedPolicy(Scripted(lambda _: GOOD))
    assert policy.decide(view()) is GOOD
    assert policy.take_problems() == []


@pytest.mark.parametrize("decide", [raising, lambda _: sys.exit("enough")])
def test_what_it_raises_is_told_with_its_place_and_it_is_asked_again(
    decide: Callable[[TwinView], Any],
) -> None:
    policy = ContainedPolicy(Scripted(decide))
    for _ in range(2):
        assert policy.decide(view()) is None
        (problem,) = policy.take_problems()
        assert problem.kind == "raised"
        assert ".py:" in problem.detail


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Proposal({("h1", "h9"): ("s1",)}, ""), "there is no OD pair"),
        (Proposal({("h1", "h3"): ("s1", "s7", "s3")}, ""), "there is no switch s7"),
        (Proposal({("h1", "h3"): ("s1", "s3")}, ""), "there is no link s1-s3"),
        (Proposal({("h1", "h3"): ("s1", "s2", "s1", "s2", "s3")}, ""), "visits a switch twice"),
        (Proposal({("h1", "h3"): ("s1", "s2")}, ""), "must lead from s1 to s3"),
        (Proposal({("h1", "h3"): ()}, ""), "must lead from s1 to s3"),
        (Proposal({**GOOD.moves, ("h2", "h2"): ("s2",)}, ""), "there is no OD pair"),
        (Proposal(cast(Any, {"h1": 3}), ""), "a pair of host names"),
        (Proposal(cast(Any, [1]), ""), "neither a Proposal nor None"),
        ("s1 s2 s3", "neither a Proposal nor None"),
    ],
)
def test_nonsense_is_refused_as_a_whole(answer: object, why: str) -> None:
    policy = ContainedPolicy(Scripted(lambda _: answer))
    assert policy.decide(view()) is None
    (problem,) = policy.take_problems()
    assert problem.kind == "nonsense"
    assert why in problem.detail


def test_a_path_over_a_dead_link_is_nonsense() -> None:
    policy = ContainedPolicy(Scripted(lambda _: GOOD))
    assert policy.decide(view(frozenset({("s4", "s3"), ("s3", "s4")}))) is None
    assert "the link s4-s3 is down" in policy.take_problems()[0].detail


def test_one_that_hangs_is_left_alone_until_it_is_back_and_its_answer_is_stale() -> None:
    finish, calls = threading.Event(), []

    def decide(_: TwinView) -> Proposal:
        calls.append(1)
        if len(calls) == 1:
            finish.wait()
        return GOOD

    policy = ContainedPolicy(Scripted(decide), patience_s=0.05)
    assert policy.decide(view()) is None
    assert [one.kind for one in policy.take_problems()] == ["hung"]
    assert policy.decide(view()) is None, "still out"
    assert (policy.take_problems(), len(calls)) == ([], 1)
    finish.set()
    while policy.decide(view()) is not GOOD:
        pass
    assert len(calls) == 2, "the stale answer was thrown away"


def test_the_twin_goes_on_when_its_policy_fails() -> None:
    network = FluidNetwork(TOPOLOGY, lambda _: demand(TOPOLOGY, h1_h3=6, h2_h3=6))
    pairs = len(TOPOLOGY.od_pairs)
    twin = Twin(
        TOPOLOGY, Scripted(raising), PersistenceForecaster(), Persistence(pairs), interval_s=5.0
    )
    network.snapshot()
    records = drive(twin, network, 4.0)
    assert sum(isinstance(one, PolicyProblem) for one in records) > 5
    assert not any(isinstance(one, Decision) for one in records)
    assert network.routing == shortest_paths(TOPOLOGY)
    assert twin.mirror.ready
