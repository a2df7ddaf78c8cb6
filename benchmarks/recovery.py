"""How long packets stay away when something fails or is changed, beside simpler ways; see
docs/recovery.md.

Real switches, a real controller, and a thousand packets a second on a path that the failure cuts;
the links and switches of the network fail in turn. Takes about 5 s a failure: nothing else should
run beside it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from benchmarks import (
    controller_restart,
    false_flaps,
    planned_reroute,
    recovery_distributed,
    table_installation,
)
from benchmarks.intervals import percentile_interval
from benchmarks.parts import Part, Verdict, carry_out
from benchmarks.recovery_lab import Failure, Outages, Request, measure
from benchmarks.report import Report, Step, this_machine
from cli.arguments import read_positive, read_whole
from playbooks.plan import ProtectionMode
from testbed.capabilities import probe
from testbed.links.probing import choose_backend
from testbed.modes import DistributedMode
from testbed.reference.errors import MeasurementError
from testbed.reference.targets import Target, at_most
from testbed.sandbox import Sandbox, probe_sandbox

GOALS: Mapping[Failure, tuple[ProtectionMode, float, float]] = {
    "link down": ("fast-failover", 10, 20),
    "one end down": ("fast-failover", 10, 20),
    "silent": ("bfd", 150, 250),
    "switch crash": ("fast-failover", 200, 400),
    "second failure": ("bfd", 10, 20),
    "silent after a return": ("bfd", 150, 250),
    "controller hung": ("fast-failover", 10, 20),
    "silent, controller hung": ("bfd", 150, 250),
}
"""What protects, and the most that the outage may be: median and 95th percentile, in ms."""

Contender = ProtectionMode | DistributedMode

_BESIDE: Mapping[Contender, str] = {
    "none": "restoration alone",
    "spanning-tree": "spanning tree",
    "ospf": "OSPF with BFD",
}
"""What stands beside protection, by the name that is shown."""

_REACTION = "less what was under way"
"""Beside the outage: without the delay of what failed, which nothing can bring back."""

_PLAIN: tuple[Failure, ...] = ("link down", "one end down", "silent", "switch crash")
"""What these are shown for."""

_PERCENTS = (50, 95)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmark's arguments."""
    parser.add_argument(
        "--times", type=read_whole(1), default=20, metavar="N", help="per kind; default: 20"
    )
    parser.add_argument(
        "--topology",
        default="topohub:sndlib/abilene",
        metavar="NAME",
        help="default: topohub:sndlib/abilene",
    )
    parser.add_argument(
        "--flap-minutes",
        type=read_positive,
        default=30.0,
        metavar="M",
        help="of full links; default: 30",
    )
    parser.add_argument(
        "--only", default="", metavar="WORDS", help="measure only what has these words in its name"
    )


def run(arguments: argparse.Namespace, step: Step) -> Report:
    """Measure all kinds of failure and change; what cannot be measured leaves its targets unmet.

    Raises:
        MeasurementError: `--only` leaves nothing.
        SandboxUnavailableError, LinkError: this machine cannot do it.
    """
    sandbox = probe_sandbox()
    backend = choose_backend(probe())
    topology, times = arguments.topology, arguments.times
    parts = (
        *_failures(sandbox, topology, backend, times),
        *planned_reroute.parts(sandbox, topology, backend, times),
        *controller_restart.parts(sandbox, topology, backend, times),
        *table_installation.parts(sandbox),
        *false_flaps.parts(topology, arguments.flap_minutes),
    )
    chosen = [part for part in parts if arguments.only in part.what]
    if not chosen:
        raise MeasurementError(f"nothing has {arguments.only!r} in its name")
    return carry_out("recovery", this_machine(backend), chosen, step)


def _failures(sandbox: Sandbox, topology: str, backend: str, times: int) -> Iterator[Part]:
    for failure, contender in _plan():
        measure_it = _measurement(sandbox, topology, backend, contender, failure, times)
        judge_it = partial(_verdict, failure, beside=_BESIDE.get(contender))
        what = f"{failure}, {_BESIDE.get(contender, f'protection: {contender}')}"
        yield Part(what, measure_it, judge_it)


def _measurement(
    sandbox: Sandbox,
    topology: str,
    backend: str,
    contender: Contender,
    failure: Failure,
    times: int,
) -> Callable[[], Outages]:
    match contender:
        case "spanning-tree" | "ospf":
            request = recovery_distributed.Request(topology, backend, contender, failure, times)
            return partial(recovery_distributed.measure, sandbox, request)
        case _:
            return partial(measure, sandbox, Request(topology, backend, contender, failure, times))


def _plan() -> Iterator[tuple[Failure, Contender]]:
    for failure, (protection, _, _) in GOALS.items():
        if failure in _PLAIN:
            for contender in _BESIDE:
                yield failure, contender
        yield failure, protection


def _verdict(failure: Failure, outages: Outages | None, beside: str | None) -> Verdict:
    outages_ms = outages.outages_ms if outages else (None,)
    targets = judge(failure, outages_ms)
    intervals = {
        f"{target.name}, {beside}" if beside else target.name: percentile_interval(
            _with_endless(outages_ms), percent
        )
        for target, percent in zip(targets, _PERCENTS, strict=True)
        if outages
    }
    if beside:
        return Verdict(beside={beside: _figures(targets)}, intervals=intervals)
    if outages is None:
        return Verdict(targets)
    reaction = judge(failure, reactions_ms(outages))
    return Verdict(targets, {_REACTION: _figures(reaction)}, intervals)


def reactions_ms(outages: Outages) -> list[float | None]:
    """The outages without the packets that were under way where it failed."""
    return [
        None if outage_ms is None else max(0.0, outage_ms - lost_ms)
        for outage_ms, lost_ms in zip(outages.outages_ms, outages.under_way_ms, strict=True)
    ]


def _figures(targets: Sequence[Target]) -> dict[str, float | None]:
    return {target.name: target.measured for target in targets}


def judge(failure: Failure, outages_ms: Sequence[float | None]) -> list[Target]:
    """Median and 95th percentile; an outage without end makes what it reaches unmet."""
    _, median_ms, p95_ms = GOALS[failure]
    found = np.percentile(_with_endless(outages_ms), _PERCENTS, method="higher")
    measured = [None if f == float("inf") else float(f) for f in found]
    return [
        at_most(f"{failure}: outage p50", median_ms, measured[0], "ms"),
        at_most(f"{failure}: outage p95", p95_ms, measured[1], "ms"),
    ]


def _with_endless(outages_ms: Sequence[float | None]) -> list[float]:
    return [float("inf") if outage is None else outage for outage in outages_ms]
