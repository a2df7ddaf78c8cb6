"""What the twin must reach, seed by seed, out of the summaries of two runs."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.seeds import GOALS, judge, row
from playbooks.schema import builtin_playbook, load_playbook
from results.comparison import FIGURES
from results.summary import Summary
from testbed.reference.targets import Target


def summary(policy: str, playbook: str, reasons: tuple[str, ...] = (), **metrics: Any) -> Summary:
    return Summary(
        run=f"{playbook}-{policy}",
        playbook=playbook,
        policy=policy,
        seed=3,
        verdict="invalid" if reasons else "valid",
        valid=not reasons,
        reasons=reasons,
        warnings=(),
        metrics=metrics,
        details={},
    )


def high_load(policy: str, p95_ms: float, error: float, goodput: float) -> Summary:
    return summary(
        policy,
        "high-load",
        latency_ms={"p95": p95_ms},
        error_rate_percent=error,
        goodput_mbps=goodput,
        false_alarms=0,
    )


def targets(before: Summary, after: Summary) -> dict[str, Target]:
    judged = [one.target for one in judge(before, after)]
    return {target.name.removeprefix("seed 3: "): target for target in judged}


PLAIN = high_load("shortest-path", 150.0, 6.0, 44.0)


def test_goals_are_about_playbooks_and_metrics_that_exist() -> None:
    known = {figure.metric for figure in FIGURES}
    for playbook, goals in GOALS.items():
        assert load_playbook(builtin_playbook(playbook)).name == playbook
        assert {goal.metric for goal in goals} <= known


def test_all_goals_reached() -> None:
    reached = targets(PLAIN, high_load("twin", 105.0, 1.99, 44.0))
    assert len(reached) == 5
    assert all(target.met for target in reached.values()), reached
    assert reached["latency, p95, twin / plain"].measured == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("after", "missed"),
    [
        (high_load("twin", 106.0, 1.0, 45.0), "latency, p95, twin / plain"),
        (high_load("twin", 90.0, 2.1, 45.0), "error rate, twin / plain"),
        (high_load("twin", 90.0, 1.0, 43.0), "goodput, twin / plain"),
    ],
)
def test_one_goal_missed(after: Summary, missed: str) -> None:
    judged = targets(PLAIN, after)
    assert [name for name, target in judged.items() if not target.met] == [missed]


def test_what_was_not_measured_is_not_reached() -> None:
    judged = targets(PLAIN, summary("twin", "high-load"))
    assert judged["latency, p95, twin / plain"].measured is None
    assert not judged["latency, p95, twin / plain"].met


def test_a_goal_may_be_absolute() -> None:
    before = summary("shortest-path", "network-failure", outage_ms={"p50": 100.0})
    after = summary("twin", "network-failure", outage_ms={"p50": 430.0}, false_alarms=0)
    judged = targets(before, after)
    assert judged["outage, median"] == Target(
        "seed 3: outage, median", "<= 500", 430.0, "ms", met=True
    )


def test_another_playbook_has_to_be_valid() -> None:
    (only,) = judge(summary("shortest-path", "mine"), summary("twin", "mine"))
    assert (only.target.met, only.sides) == (True, (0.0, 0.0))
    invalid = summary("twin", "mine", reasons=("too busy",))
    (only,) = judge(summary("shortest-path", "mine"), invalid)
    assert (only.target.met, only.sides) == (False, (0.0, 1.0))


def test_a_row_has_all_metrics_and_says_why_a_run_is_not_valid() -> None:
    assert row(PLAIN) == {"what": "seed 3, shortest-path", "figures": PLAIN.metrics}
    invalid = summary("twin", "mine", reasons=("too busy", "too late"))
    assert row(invalid)["failed"] == "not valid: too busy; too late"
