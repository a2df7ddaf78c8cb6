"""Links measured against what is configured, beside a plain veth pair.

Round trips idle and under load, TCP and UDP rates, queueing delay, loss, how many frames the
machine carries, 20 saturated links in a real lab, starting 100 links, and the death of the link
daemon. Takes about five minutes; nothing else should run beside it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from benchmarks import daemon_death, saturated_ring
from benchmarks.report import Report, Step, this_machine
from testbed.capabilities import probe
from testbed.links.probing import choose_backend
from testbed.reference.capacity import Capacity
from testbed.reference.delay import Delay
from testbed.reference.errors import MeasurementError
from testbed.reference.loss import Loss
from testbed.reference.measuring import Measure, measure
from testbed.reference.network import PLAIN
from testbed.reference.queueing import Queueing
from testbed.reference.rate import Overload, Tcp
from testbed.reference.start import Start
from testbed.reference.targets import Target, at_least, at_most, targets_of
from testbed.sandbox import Sandbox, probe_sandbox

_RING_SWITCHES = 20
_RING_S = 10
_NOTICED_MS, _GONE_MS = 200, 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmark's arguments."""
    parser.add_argument(
        "--quick",
        action="store_true",
        help="fewer packets, slower links, no lab of 20 switches: for slow machines",
    )


def table(quick: bool) -> list[Measure]:
    """What is measured on the links of the backend."""
    pings, frames, frames_per_s = (100, 20_000, 2_000) if quick else (500, 100_000, 10_000)
    tcp_s, udp_s = (3, 2.0) if quick else (4, 3.0)
    udp_rates = (5, 10) if quick else (5, 10, 20, 50, 100)
    capacity = Capacity(20, 200, 1_000 if quick else 20_000, 300_000, 0.5 if quick else 1.0)
    return [
        *(Delay(delay, load, pings) for load in (0.0, 50.0) for delay in (1.0, 5.0, 20.0, 50.0)),
        *(Tcp(rate, tcp_s) for rate in (5, 10, 20, 50, 100)),
        *(Overload(rate, udp_s) for rate in udp_rates),
        Queueing(10, queue_packets=100, pings=100),
        *(Loss(percent, frames, frames_per_s) for percent in (0.1, 1.0, 10.0)),
        Loss(5.0, frames, frames_per_s, burst_packets=4.0),
        capacity,
        Start(100),
    ]


@dataclass(frozen=True)
class Job:
    """Something to measure, and on which links: the backend's, or plain ones to stand beside."""

    links: str
    description: str
    carry_out: Callable[[], tuple[msgspec.Struct, list[Target]]]


def run(arguments: argparse.Namespace, step: Step) -> Report:
    """Measure; a measure that fails leaves a target unmet.

    Raises:
        SandboxUnavailableError, LinkError: this machine has no links to measure.
    """
    sandbox = probe_sandbox()
    backend = choose_backend(probe())
    machine = this_machine(backend)
    jobs = list(_jobs(arguments.quick, backend, sandbox))
    rows: list[dict[str, Any]] = []
    targets: list[Target] = []
    plain: dict[str, float | None] = {}
    for number, job in enumerate(jobs):
        step(f"{job.links}: {job.description}", number / len(jobs))
        row, reached = _carried_out(job)
        rows.append(row)
        if job.links == PLAIN:
            plain.update({target.name: target.measured for target in reached})
        else:
            targets += reached
    return Report("links", machine, rows, targets, {"plain veth": plain})


def _jobs(quick: bool, backend: str, sandbox: Sandbox) -> Iterator[Job]:
    def reference(what: Measure, links: str) -> Job:
        def carry_out() -> tuple[msgspec.Struct, list[Target]]:
            figures = measure(what, links, sandbox)
            return figures, targets_of(figures)

        return Job(links, what.describe(), carry_out)

    for what in table(quick):
        yield reference(what, backend)
        if isinstance(what, Delay | Capacity | Start):  # a plain link has no rate and no queue
            yield reference(what, PLAIN)
    if not quick:
        yield Job(
            backend,
            f"a lab of {_RING_SWITCHES} saturated links",
            lambda: _saturated(sandbox, backend),
        )
    if backend == "userspace":
        yield Job(backend, "the death of the link daemon", _daemon_death)


def _saturated(sandbox: Sandbox, backend: str) -> tuple[msgspec.Struct, list[Target]]:
    ring = saturated_ring.measure(sandbox, backend, _RING_SWITCHES, _RING_S)
    return ring, [
        at_least("links of 10 Mbit/s saturated at once", ring.links, ring.saturated_links),
        at_most("reasons against that lab's validity", 0, len(ring.reasons)),
    ]


def _daemon_death() -> tuple[msgspec.Struct, list[Target]]:
    noticed = daemon_death.measure()
    return noticed, [
        at_most("the daemon's death is noticed after", _NOTICED_MS, noticed.problem_ms, "ms"),
        at_most("the lab is gone after", _GONE_MS, noticed.over_ms, "ms"),
    ]


def _carried_out(job: Job) -> tuple[dict[str, Any], list[Target]]:
    """The row and the targets of a job."""
    row = {"links": job.links, "what": job.description}
    try:
        figures, targets = job.carry_out()
    except MeasurementError as error:
        return {**row, "failed": str(error)}, [
            Target(job.description, "to be measured", None, "", met=False)
        ]
    return {**row, "figures": msgspec.to_builtins(figures)}, targets
