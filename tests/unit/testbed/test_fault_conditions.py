"""What faults make of links: pure, whatever their order."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.faults import (
    RAMP_STEP_S,
    Degraded,
    EndDown,
    Fault,
    HostCrash,
    LinkDown,
    Silent,
    SwitchCrash,
    conditions,
    ramp,
    shapes,
)
from testbed.links.backend import LinkCondition
from topologies.catalogue import load_topology
from topologies.model import DirectedLink

TRIANGLE = load_topology("triangle")
HEALTHY = LinkCondition()


def failed(*faults: Fault) -> dict[DirectedLink, LinkCondition]:
    """The links that are not healthy, by their ends."""
    found = conditions(TRIANGLE, faults).items()
    return {(link.a, link.b): condition for link, condition in found if condition != HEALTHY}


def test_each_fault_by_itself() -> None:
    both = LinkCondition(carrier=(False, False))
    assert failed() == {}
    assert failed(LinkDown(("s2", "s1"))) == {("s1", "s2"): both}
    assert failed(EndDown(("s2", "s1"), "s2")) == {
        ("s1", "s2"): LinkCondition(carrier=(True, False))
    }
    assert failed(Silent((("s2", "s1"),))) == {("s1", "s2"): LinkCondition(passes=(True, False))}
    assert failed(Silent((("s2", "s1"), ("s1", "s2")))) == {
        ("s1", "s2"): LinkCondition(passes=(False, False))
    }
    assert failed(HostCrash("h1")) == {("h1", "s1"): both}
    assert failed(Degraded(("s1", "s2"), loss_percent=5)) == {}


def test_a_crashed_switch_darkens_its_neighbours_ends_alone() -> None:
    assert failed(SwitchCrash("s2")) == {
        ("s1", "s2"): LinkCondition(carrier=(False, True)),
        ("s2", "s3"): LinkCondition(carrier=(True, False)),
        ("h2", "s2"): LinkCondition(carrier=(False, True)),
    }


def test_a_link_that_is_down_stays_down_when_its_switch_restarts() -> None:
    crash, down = SwitchCrash("s2"), LinkDown(("s1", "s2"))
    assert failed(crash, down)["s1", "s2"] == LinkCondition(carrier=(False, False))
    assert failed(down) == {("s1", "s2"): LinkCondition(carrier=(False, False))}


def test_degraded_links_have_the_worst_of_their_values() -> None:
    link = TRIANGLE.link_between["s1", "s2"]
    base = link.shape.delay_ms
    found = shapes(
        TRIANGLE,
        [
            Degraded(("s2", "s1"), loss_percent=8.0, share=0.5),
            Degraded(("s1", "s2"), loss_percent=3.0, delay_ms=base + 10, share=0.1),
        ],
    )
    assert found[link].loss_percent == pytest.approx(4.0)
    assert found[link].delay_ms == pytest.approx(base + 1)
    assert found[link].rate_bps == link.shape.rate_bps
    assert all(found[other] == other.shape for other in TRIANGLE.links if other != link)


@given(over_s=st.floats(0, 60), loss_percent=st.floats(0, 100))
def test_a_ramp_climbs_evenly_to_its_top(over_s: float, loss_percent: float) -> None:
    steps = list(ramp(Degraded(("s1", "s2"), loss_percent=loss_percent), over_s))
    instants = [at_s for at_s, _ in steps]
    assert instants[0] == 0.0
    assert instants[-1] == pytest.approx(over_s if len(steps) > 1 else 0.0)
    assert all(b - a <= RAMP_STEP_S + 1e-6 for a, b in pairwise(instants))
    assert all(
        fault.share == pytest.approx(at_s / over_s) for at_s, fault in steps if len(steps) > 1
    )
    assert steps[-1][1].share == 1.0


ENDS = st.sampled_from(TRIANGLE.core_directions)
FAULTS: st.SearchStrategy[Fault] = st.one_of(
    st.builds(LinkDown, ENDS),
    st.builds(lambda link: EndDown(link, link[0]), ENDS),
    st.builds(lambda link: Silent((link,)), ENDS),
    st.builds(Degraded, ENDS, st.floats(0, 100), st.floats(0, 500), st.floats(0, 1)),
    st.builds(SwitchCrash, st.sampled_from(["s1", "s2", "s3"])),
    st.builds(HostCrash, st.sampled_from(["h1", "h2", "h3"])),
)


@given(faults=st.lists(FAULTS, max_size=8), seed=st.integers())
def test_faults_compose_in_any_order_and_leave_nothing(faults: list[Fault], seed: int) -> None:
    """Each is in force until it ends itself; what has ended has left no trace."""
    shuffled = random.Random(seed).sample(faults, len(faults))
    assert conditions(TRIANGLE, faults) == conditions(TRIANGLE, shuffled)
    assert shapes(TRIANGLE, faults) == shapes(TRIANGLE, shuffled)
    holding = list(faults)
    for ending in shuffled:
        before = conditions(TRIANGLE, holding)
        holding.remove(ending)
        alone = conditions(TRIANGLE, [ending])
        for link, now in conditions(TRIANGLE, holding).items():
            for part in ("carrier", "passes"):
                expected = [
                    rest and one
                    for rest, one in zip(
                        getattr(now, part), getattr(alone[link], part), strict=True
                    )
                ]
                assert list(getattr(before[link], part)) == expected
    assert set(conditions(TRIANGLE, holding).values()) == {HEALTHY}
    assert shapes(TRIANGLE, holding) == {link: link.shape for link in TRIANGLE.links}
