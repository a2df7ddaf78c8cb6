"""What a playbook leaves open: faults settled, and the pairs probed for them."""

from __future__ import annotations

import numpy as np
import pytest

from generators.schedule import Schedule
from playbooks import event_sections, schema
from playbooks.choices import probe_plans, settled
from playbooks.plan import Breakdown
from testbed.faults import (
    Degraded,
    EndDown,
    Fault,
    HostCrash,
    LinkDown,
    Silent,
    SwitchCrash,
)
from topologies.catalogue import load_topology
from topologies.model import Host, Link, LinkShape, OdPair, Switch, Topology
from topologies.paths import shortest_paths

TRIANGLE = load_topology("triangle")
MATRIX_BPS = np.array([[0.0, 5.0, 1.0], [2.0, 0.0, 9.0], [1.0, 1.0, 0.0]])
BUSIEST = ("s2", "s3")


def actions_of(event: event_sections.Event) -> list[object]:
    schedule = Schedule(("h1", "h2", "h3"), 2.0, MATRIX_BPS[None])
    return list(settled(event, TRIANGLE, shortest_paths(TRIANGLE), MATRIX_BPS, schedule))


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (event_sections.LinkDown(at_s=1, do="link-down", link="busiest"), LinkDown(BUSIEST)),
        (event_sections.EndDown(at_s=1, do="end-down", link="busiest"), EndDown(BUSIEST, "s2")),
        (
            event_sections.EndDown(at_s=1, do="end-down", link=("s1", "s2"), end="s2"),
            EndDown(("s1", "s2"), "s2"),
        ),
        (
            event_sections.Silent(at_s=1, do="silent", link="busiest"),
            Silent((BUSIEST, BUSIEST[::-1])),
        ),
        (
            event_sections.Silent.model_validate(
                {"at_s": 1, "do": "silent", "link": ("s1", "s2"), "from": "s2"}
            ),
            Silent((("s2", "s1"),)),
        ),
        (
            event_sections.Degrade(at_s=1, do="degrade", link="busiest", delay_ms=9),
            Degraded(BUSIEST, None, 9),
        ),
        (
            event_sections.SwitchCrash(at_s=1, do="switch-crash", switch="busiest"),
            SwitchCrash("s2"),
        ),
        (event_sections.HostCrash(at_s=1, do="host-crash", host="busiest"), HostCrash("h3")),
    ],
)
def test_a_fault_with_its_choice_settled(event: event_sections.Event, expected: Fault) -> None:
    assert actions_of(event) == [Breakdown(1, event.do, expected)]  # type: ignore[arg-type]


def test_a_flap_is_several_failures() -> None:
    flap = event_sections.Flap(at_s=1, do="flap", link=("s1", "s2"), down_s=0.5, up_s=2, times=2)
    fault = LinkDown(("s1", "s2"))
    assert actions_of(flap) == [
        Breakdown(1.0, "flap", fault, 0.5),
        Breakdown(3.5, "flap", fault, 0.5),
    ]


def line() -> Topology:
    switches = tuple(Switch(name, name) for name in ("s1", "s2", "s3"))
    hosts = tuple(Host(f"h{n}", f"h{n}", f"s{n}") for n in (1, 2, 3))
    shape = LinkShape(rate_bps=1e6, delay_ms=1.0)
    ends = [("s1", "s2"), ("s2", "s3"), *((host.name, host.switch) for host in hosts)]
    return Topology("line", switches, hosts, tuple(Link(a, b, shape) for a, b in ends))


ALL = {(a, b) for a in ("h1", "h2", "h3") for b in ("h1", "h2", "h3") if a != b}
THROUGH_S2 = {("h1", "h3"), ("h3", "h1")}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (LinkDown(("s2", "s1")), ALL - {("h2", "h3"), ("h3", "h2")}),
        (Silent((("s1", "s2"),)), ALL - {("h2", "h3"), ("h3", "h2")}),  # echoes go there too
        (Degraded(("s2", "s3"), 5.0), ALL - {("h1", "h2"), ("h2", "h1")}),
        (SwitchCrash("s2"), THROUGH_S2),
        (SwitchCrash("s1"), set()),
        (HostCrash("h1"), set()),
    ],
)
def test_the_pairs_that_a_fault_interrupts_are_probed(fault: Fault, expected: set[OdPair]) -> None:
    topology = line()
    section = schema.ProbesSection(
        latency=schema.LatencyProbes(pairs=0), outage=schema.OutageProbes(pairs=9)
    )
    plans = probe_plans(
        section,
        topology,
        shortest_paths(topology),
        MATRIX_BPS,
        [Breakdown(1.0, "link-down", fault)],
    )
    assert {(plan.source, plan.target) for plan in plans} == expected
