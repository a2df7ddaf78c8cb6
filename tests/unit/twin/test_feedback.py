"""What is scored of a reroute, and what is not known."""

from __future__ import annotations

import pytest
from small_networks import square

from controller.messages import PortCounters, PortStats, RerouteDone, Route, Routes
from topologies.paths import shortest_paths
from twin.feedback import DecisionWatch
from twin.indexing import Indexing
from twin.mirror import Mirror
from twin.records import Decision, DecisionOutcome
from twin.trust import GainTrust

TOPOLOGY = square()
INDEXING = Indexing(TOPOLOGY)
DECISION = Decision(
    t_s=10.0,
    decision_id="d1",
    policy="twin",
    reason="hot-link",
    moves=(Route("h1", "h3", ("s1", "s4", "s3")),),
    telemetry_age_ms=100.0,
    predicted_mlu_before=1.2,
    predicted_mlu_after=0.6,
    predicted_mean_delay_ms_before=50.0,
    predicted_mean_delay_ms_after=20.0,
)


def counted(mirror: Mirror, silent: tuple[str, ...], since_s: float = 0.0) -> None:
    """Every link carries 6 Mbit/s; the silent switches say nothing after `since_s`."""
    for tick in range(60):
        t_s = 8.0 + 0.25 * tick
        for switch in (one.name for one in TOPOLOGY.switches):
            if switch in silent and t_s > since_s:
                continue
            much = round(t_s * 6e6 / 8)
            ports = tuple(
                PortCounters(there, much // 1442, much // 1442, much, much, 0, 0)
                for here, there in INDEXING.directions
                if here == switch
            )
            mirror.receive(PortStats(t_s=t_s, datapath=switch, ports=ports))


def outcome(silent: tuple[str, ...] = (), since_s: float = 0.0) -> DecisionOutcome:
    mirror = Mirror(INDEXING, keep_s=30.0)
    routes = tuple(Route(*pair, path) for pair, path in shortest_paths(TOPOLOGY).items())
    mirror.receive(Routes(t_s=8.0, cause="snapshot", routes=routes))
    counted(mirror, silent, since_s)
    watch = DecisionWatch()
    watch.ask(DECISION)
    watch.answer(
        RerouteDone(
            t_s=10.2,
            request_id="d1",
            received_s=10.1,
            installed_s=10.1,
            switched_s=10.2,
            removed_s=10.2,
            applied=DECISION.moves,
            refused=(),
        )
    )
    ((_, found),) = watch.outcomes(mirror, INDEXING.rate_bps, 20.0)
    return found


def test_what_became_of_a_reroute_is_measured_and_scored() -> None:
    found = outcome()
    assert found.measured_mlu is not None
    assert abs(found.measured_mlu - 0.6) < 0.01
    trust = GainTrust()
    assert trust.score(DECISION, found)
    assert trust.share == pytest.approx(1.0, abs=0.01)


def test_a_gap_in_the_telemetry_leaves_the_outcome_unscored() -> None:
    everyone = tuple(switch.name for switch in TOPOLOGY.switches)
    found = outcome(silent=everyone, since_s=11.0)
    assert found.measured_mlu is None
    trust = GainTrust()
    assert trust.score(DECISION, found) == []
    assert trust.share == 1.0


def test_one_silent_switch_is_seen_from_the_far_ends() -> None:
    assert outcome(silent=("s2",)).measured_mlu is not None


def test_a_link_between_two_silent_switches_may_be_the_busiest() -> None:
    assert outcome(silent=("s1", "s2")).measured_mlu is None
