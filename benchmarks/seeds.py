"""A playbook under the twin and under the plain controller, for several seeds.

For the playbooks that come with Twinbed, the targets are what the twin must make of them; of any
other, only that the runs are valid. Takes about 100 s a seed; nothing else should run beside it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measured_run import measured_run
from benchmarks.report import Report, Step, this_machine
from cli.arguments import read_seed
from cli.execution import playbook_file
from playbooks.preparation import Prepared, Request, prepare
from results.analysis import analyse
from results.comparison import FIGURES, metric_value
from results.summary import Summary
from testbed.capabilities import probe
from testbed.links.probing import choose_backend
from testbed.reference.targets import Target, at_least, at_most

POLICIES = ("shortest-path", "twin")
_FIGURE = {figure.metric: figure for figure in FIGURES}


@dataclass(frozen=True)
class Goal:
    """What a metric must reach under the twin."""

    metric: str
    bound: float
    relative: bool = False
    """The bound is a multiple of what the plain controller reaches."""


GOALS: Mapping[str, tuple[Goal, ...]] = {
    "high-load": (
        Goal("latency_ms.p95", 0.7, relative=True),
        Goal("error_rate_percent", 0.333, relative=True),
        Goal("goodput_mbps", 1.0, relative=True),
        Goal("false_alarms", 0),
    ),
    "network-failure": (Goal("outage_ms.p50", 500), Goal("false_alarms", 0)),
    "security-breach": (Goal("detection_s", 3), Goal("goodput_restored_s", 5)),
}
"""By the name of the playbook."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmark's arguments."""
    parser.add_argument(
        "playbook",
        nargs="?",
        default="high-load",
        metavar="PLAYBOOK",
        help="a YAML file, or a built-in name; default: high-load",
    )
    parser.add_argument(
        "seeds",
        nargs="*",
        type=read_seed,
        default=[1, 2, 3, 4, 5],
        metavar="SEED",
        help="default: 1 to 5",
    )


def run(arguments: argparse.Namespace, step: Step) -> Report:
    """Run them all, one after the other.

    Raises:
        DocumentError: the playbook has problems.
        MissingProgramError, SandboxUnavailableError, LinkError: this machine cannot do it.
        Interrupted: Ctrl-C ended a run.
    """
    playbook = playbook_file(arguments.playbook)
    machine = this_machine(choose_backend(probe()))
    rows: list[dict[str, Any]] = []
    targets: list[Target] = []
    beside: dict[str, dict[str, float | None]] = {policy: {} for policy in POLICIES}
    for number in arguments.seeds:
        sides = [_play(playbook, policy, number, step) for policy in POLICIES]
        rows += map(row, sides)
        for judged in judge(*sides):
            targets.append(judged.target)
            for policy, value in zip(POLICIES, judged.sides, strict=True):
                beside[policy][judged.target.name] = value
    return Report("seeds", machine, rows, targets, beside)


def _play(playbook: Path, policy: str, seed: int, step: Step) -> Summary:
    def prepared(out: Path) -> Prepared:
        run = prepare(Request(playbook, policy, seed, out), step)
        step(f"{run.playbook.name}, seed {seed}, {policy}", None)
        return run

    return measured_run(prepared, analyse)


def row(side: Summary) -> dict[str, Any]:
    """All metrics of a run, and why it is not valid, if it is not."""
    what = {"what": f"seed {side.seed}, {side.policy}", "figures": side.metrics}
    return what if side.valid else {**what, "failed": "not valid: " + "; ".join(side.reasons)}


@dataclass(frozen=True)
class Judged:
    """A target, and the metric behind it under either policy."""

    target: Target
    sides: tuple[float | None, float | None]


def judge(before: Summary, after: Summary) -> Iterator[Judged]:
    """What a seed's two runs reach."""
    name = f"seed {after.seed}"
    invalid = tuple(float(not side.valid) for side in (before, after))
    yield Judged(
        at_most(f"{name}: runs that are not valid", 0, sum(invalid)), (invalid[0], invalid[1])
    )
    for goal in GOALS.get(after.playbook, ()):
        sides = metric_value(before.metrics, goal.metric), metric_value(after.metrics, goal.metric)
        yield Judged(_target(name, goal, *sides), sides)


def _target(name: str, goal: Goal, before: float | None, after: float | None) -> Target:
    figure = _FIGURE[goal.metric]
    bounded = at_least if figure.higher_is_better else at_most
    if not goal.relative:
        return bounded(f"{name}: {figure.label}", goal.bound, after, figure.unit)
    ratio = after / before if before and after is not None else None
    return bounded(f"{name}: {figure.label}, twin / plain", goal.bound, ratio)
