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

from topologies.model import Split
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
    assert policy.decide(view()) == GOOD
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
        (Proposal({("h1", "h3"): Split(())}, ""), "a tuple of switch names"),
        (Proposal({("h1", "h3"): Split(cast(Any, ((("s1", "s2", "s3"), 1.5),)))}, ""), "a move is"),
        (Proposal({("h1", "h3\udcff"): ("s1",)}, ""), "there is no OD pair"),
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
    while policy.decide(view()) != GOOD:
        pass
    assert len(calls) == 2, "the stale answer was thrown away"


class Hostile(dict[Any, Any]):
    """Notes in which thread its code runs."""

    def __init__(self, *moves: Any) -> None:
        super().__init__(*moves)
        self.ran_in: set[str] = set()

    def items(self) -> Any:
        self.ran_in.add(threading.current_thread().name)
        return super().items()

    def __len__(self) -> int:
        self.ran_in.add(threading.current_thread().name)
        return super().__len__()


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no picture of me")


def test_code_of_the_policy_s_answer_runs_in_its_own_thread() -> None:
    moves = Hostile(GOOD.moves)
    policy = ContainedPolicy(Scripted(lambda _: Proposal(moves, "because")))
    taken = policy.decide(view())
    assert taken == GOOD
    assert taken is not None
    assert type(taken.moves) is dict
    assert moves.ran_in == {"policy"}


@pytest.mark.parametrize(
    "answer", [Unshowable(), Proposal(cast(Any, {Unshowable(): ("s1",)}), "because")]
)
def test_an_answer_that_cannot_be_shown_is_a_problem_of_the_policy(answer: object) -> None:
    policy = ContainedPolicy(Scripted(lambda _: answer))
    assert policy.decide(view()) is None
    (problem,) = policy.take_problems()
    assert problem.kind == "raised"
    assert "no picture of me" in problem.detail


def test_what_it_raises_may_be_unshowable_itself() -> None:
    class DarkError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def decide(_: TwinView) -> None:
        raise DarkError

    policy = ContainedPolicy(Scripted(decide))
    assert policy.decide(view()) is None
    assert "DarkError: its message cannot be shown" in policy.take_problems()[0].detail


def test_words_that_cannot_be_written_are_made_legible() -> None:
    policy = ContainedPolicy(Scripted(lambda _: Proposal(GOOD.moves, "\udcff")))
    taken = policy.decide(view())
    assert taken is not None
    assert taken.reason == "\\udcff"


def test_a_slow_answer_is_taken_when_it_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twin.containment.WAIT_S", 0.01)
    finish, calls = threading.Event(), []

    def decide(_: TwinView) -> Proposal:
        calls.append(1)
        finish.wait()
        return GOOD

    policy = ContainedPolicy(Scripted(decide), patience_s=60.0)
    assert policy.decide(view()) is None
    assert policy.decide(view()) is None, "it thinks on, and the twin steps on"
    finish.set()
    while (taken := policy.decide(view())) is None:
        pass
    assert (taken, len(calls)) == (GOOD, 1)
    assert policy.take_problems() == []


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
