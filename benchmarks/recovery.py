"""How long packets stay away when something fails: plain restoration beside protection.

Real switches, a real controller, and a thousand packets a second on a path that the failure cuts;
the links and switches of the network fail in turn. Takes about 5 s a failure: nothing else should
run beside it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from benchmarks import controller_restart
from benchmarks.recovery_lab import Failure, Outages, Request, measure
from benchmarks.report import Report, Step, this_machine
from playbooks.plan import ProtectionMode
from testbed.capabilities import probe
from testbed.links.probing import choose_backend
from testbed.reference.errors import MeasurementError
from testbed.reference.targets import Target, at_most
from testbed.sandbox import probe_sandbox

GOALS: Mapping[Failure, tuple[ProtectionMode, float, float]] = {
    "link down": ("fast-failover", 10, 20),
    "one end down": ("fast-failover", 10, 20),
    "silent": ("bfd", 150, 250),
    "switch crash": ("fast-failover", 200, 400),
    "second failure": ("bfd", 10, 20),
    "controller hung": ("fast-failover", 10, 20),
}
"""What protects, and the most that the outage may be: median and 95th percentile, in ms."""

_PLAIN: tuple[Failure, ...] = ("link down", "one end down", "silent", "switch crash")
"""What restoration by the controller is shown for."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmark's arguments."""
    parser.add_argument("--times", type=int, default=20, metavar="N", help="per kind; default: 20")
    parser.add_argument(
        "--topology",
        default="topohub:sndlib/abilene",
        metavar="NAME",
        help="default: topohub:sndlib/abilene",
    )


def run(arguments: argparse.Namespace, step: Step) -> Report:
    """Measure all kinds of failure; one that cannot be measured leaves its targets unmet.

    Raises:
        SandboxUnavailableError, LinkError: this machine cannot do it.
    """
    sandbox = probe_sandbox()
    backend = choose_backend(probe())
    machine = this_machine(backend)
    plan = list(_plan())
    rows: list[dict[str, Any]] = []
    targets: list[Target] = []
    restoration: dict[str, float | None] = {}
    for number, (failure, protection) in enumerate(plan):
        what = f"{failure}, protection: {protection}"
        step(what, number / len(plan))
        request = Request(arguments.topology, backend, protection, failure, arguments.times)
        try:
            outages = measure(sandbox, request)
        except MeasurementError as error:
            rows.append({"what": what, "failed": str(error)})
            outages = Outages((None,))
        else:
            rows.append({"what": what, "figures": msgspec.to_builtins(outages)})
        reached = judge(failure, outages.outages_ms)
        if protection == "none":
            restoration.update({target.name: target.measured for target in reached})
        else:
            targets += reached
    step(controller_restart.WHAT, 1.0)
    again = controller_restart.Request(arguments.topology, backend, min(arguments.times, 5))
    try:
        restarts = controller_restart.measure(sandbox, again)
    except MeasurementError as error:
        rows.append({"what": controller_restart.WHAT, "failed": str(error)})
        targets += controller_restart.judge(None)
    else:
        figures = msgspec.to_builtins(restarts)
        rows.append({"what": controller_restart.WHAT, "figures": figures})
        targets += controller_restart.judge(restarts)
    return Report("recovery", machine, rows, targets, {"restoration alone": restoration})


def _plan() -> Iterator[tuple[Failure, ProtectionMode]]:
    for failure, (protection, _, _) in GOALS.items():
        if failure in _PLAIN:
            yield failure, "none"
        yield failure, protection


def judge(failure: Failure, outages_ms: Sequence[float | None]) -> list[Target]:
    """Median and 95th percentile; an outage without end makes what it reaches unmet."""
    _, median_ms, p95_ms = GOALS[failure]
    endless = [float("inf") if outage is None else outage for outage in outages_ms]
    found = [float(f) for f in np.percentile(endless, (50, 95), method="higher")]
    measured = [None if f == float("inf") else f for f in found]
    return [
        at_most(f"{failure}: outage p50", median_ms, measured[0], "ms"),
        at_most(f"{failure}: outage p95", p95_ms, measured[1], "ms"),
    ]
