"""A plan's actions as steps at instants."""

from __future__ import annotations

from playbooks.plan import ControlOutage, Flood, LinkDown
from playbooks.timeline import SetCarrier, SetControlChannel, instants


def test_everything_happens_in_order_and_what_ends_ends() -> None:
    actions = (
        Flood(at_s=8.0, for_s=4.0, victim="h2", sources=("h1", "h3")),
        LinkDown(at_s=4.0, link=("s1", "s2"), for_s=2.0),
        ControlOutage(at_s=5.0, switch="s3", for_s=1.5),
    )
    steps = instants(actions, measure_from_s=2.0, duration_s=12.0)
    assert [(one.at_s, one.step.event) for one in steps] == [
        (2.0, "measure-start"),
        (4.0, "link-down"),
        (5.0, "control-outage-start"),
        (6.0, "link-up"),
        (6.5, "control-outage-end"),
        (8.0, "flood-start"),
        (12.0, "measure-end"),
        (12.0, "flood-end"),
    ]
    assert steps[1].step == SetCarrier(("s1", "s2"), up=False)
    assert steps[2].step == SetControlChannel("s3", connected=False)
    assert steps[5].step.detail == {"victim": "h2", "sources": ["h1", "h3"]}


def test_a_link_without_an_end_stays_down() -> None:
    steps = instants((LinkDown(at_s=1.0, link=("s1", "s2")),), 0.0, 4.0)
    assert [one.step.event for one in steps].count("link-up") == 0
