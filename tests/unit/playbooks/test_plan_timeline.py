"""A plan's actions as steps at instants."""

from __future__ import annotations

import pytest

from playbooks.plan import Breakdown, ControllerCrash, ControlOutage, Flood, TwinCrash
from playbooks.timeline import Instant, SetControlChannel, SetController, SetFault, instants
from results.fault_events import BEGINS, ENDS, FaultKind
from testbed.faults import Degraded, EndDown, Fault, HostCrash, LinkDown, Silent, SwitchCrash

LINK = ("s1", "s2")


def told(found: list[Instant]) -> list[tuple[float, str]]:
    return [(one.at_s, step.event) for one in found for step in one.steps if step.event]


def test_everything_happens_in_order_and_what_ends_ends() -> None:
    actions = (
        Flood(at_s=8.0, for_s=4.0, victim="h2", sources=("h1", "h3")),
        Breakdown(at_s=4.0, kind="link-down", fault=LinkDown(LINK), for_s=2.0),
        ControlOutage(at_s=5.0, switch="s3", for_s=1.5),
        ControllerCrash(at_s=9.0, for_s=1.0),
        TwinCrash(at_s=9.5, for_s=1.0),
    )
    found = instants(actions, measure_from_s=2.0, duration_s=12.0)
    assert told(found) == [
        (2.0, "measure-start"),
        (4.0, "link-down"),
        (5.0, "control-outage-start"),
        (6.0, "link-up"),
        (6.5, "control-outage-end"),
        (8.0, "flood-start"),
        (9.0, "controller-crash"),
        (9.5, "twin-crash"),
        (10.0, "controller-restart"),
        (10.5, "twin-crash-end"),
        (12.0, "measure-end"),
        (12.0, "flood-end"),
    ]
    detail = {"link": ["s1", "s2"]}
    assert found[1].steps == (SetFault(1, LinkDown(LINK), "link-down", detail),)
    assert found[2].steps == (SetControlChannel("s3", connected=False),)
    assert found[3].steps == (SetFault(1, None, "link-up", detail),)
    assert found[6].steps == (SetController(running=False),)
    assert found[5].steps[0].detail == {"victim": "h2", "sources": ["h1", "h3"]}


def test_a_link_without_an_end_stays_down() -> None:
    found = instants((Breakdown(1.0, "link-down", LinkDown(LINK)),), 0.0, 4.0)
    assert "link-up" not in [event for _, event in told(found)]


@pytest.mark.parametrize(
    ("kind", "fault", "detail"),
    [
        ("end-down", EndDown(LINK, "s2"), {"link": ["s1", "s2"], "end": "s2"}),
        ("silent", Silent((LINK[::-1],)), {"link": ["s2", "s1"], "from": "s2"}),
        ("silent", Silent((LINK, LINK[::-1])), {"link": ["s1", "s2"]}),
        ("flap", LinkDown(LINK), {"link": ["s1", "s2"]}),
        ("degrade", Degraded(LINK, 5.0), {"link": ["s1", "s2"], "loss_percent": 5.0, "over_s": 0}),
        ("switch-crash", SwitchCrash("s1"), {"switch": "s1"}),
        ("host-crash", HostCrash("h1"), {"host": "h1"}),
    ],
)
def test_what_is_told_of_each_fault(kind: FaultKind, fault: Fault, detail: object) -> None:
    found = instants((Breakdown(1.0, kind, fault, 2.0),), 0.0, 4.0)
    begin, end = found[1].steps[0], found[2].steps[0]
    assert begin == SetFault(0, fault, BEGINS[kind], begin.detail)
    assert end == SetFault(0, None, ENDS[kind], end.detail)
    assert begin.detail == end.detail == detail


def test_a_ramp_is_told_once_and_climbs() -> None:
    worst = Degraded(LINK, delay_ms=50.0)
    found = instants((Breakdown(1.0, "degrade", worst, for_s=0.5, over_s=0.4),), 0.0, 4.0)
    assert [event for _, event in told(found)][1:3] == ["degrade-start", "degrade-end"]
    shares = [
        (one.at_s, step.fault.share)
        for one in found
        for step in one.steps
        if isinstance(step, SetFault) and isinstance(step.fault, Degraded)
    ]
    assert shares == [(1.0, 0.0), (1.1, 0.25), (1.2, 0.5), (1.3, 0.75), (1.4, 1.0)]


def test_what_is_due_at_once_is_one_instant() -> None:
    actions = (
        Breakdown(1.2, "link-down", LinkDown(LINK), for_s=0.1),
        Breakdown(1.3, "silent", Silent((LINK,))),  # 1.2 + 0.1 is a little more than 1.3
    )
    found = instants(actions, 0.0, 4.0)
    assert [one.at_s for one in found] == [0.0, 1.2, 1.3, 4.0]
    assert [step.event for step in found[2].steps] == ["link-up", "silent-start"]
