"""What is judged of outages, and which failures are tried."""

from __future__ import annotations

import pytest

from benchmarks.recovery import GOALS, _verdict, judge, reactions_ms
from benchmarks.recovery_lab import Outages, longest_hole_ms, trials
from testbed.faults import EndDown, LinkDown, SwitchCrash
from topologies.catalogue import load_topology

ABILENE = load_topology("topohub:sndlib/abilene")


def sent(*spans: tuple[float, float]) -> list[float]:
    """One every millisecond."""
    return [start + n / 1000 for start, end in spans for n in range(round((end - start) * 1000))]


def test_an_outage_is_the_longest_hole_after_the_failure() -> None:
    assert longest_hole_ms(sent((9.7, 11.5)), failed_s=10.0) == pytest.approx(0, abs=0.1)
    arrived = sent((9.7, 10.0), (10.04, 11.5))
    assert longest_hole_ms(arrived, failed_s=10.0) == pytest.approx(40, abs=0.1)
    # What was on the link when it failed is lost, too.
    arrived = sent((9.7, 9.99), (10.03, 11.5))
    assert longest_hole_ms(arrived, failed_s=10.0) == pytest.approx(40, abs=0.1)


def test_what_was_under_way_is_no_reaction() -> None:
    outages = Outages((12.0, None, 3.0), (8.0, 8.0, 8.0))
    assert reactions_ms(outages) == [4.0, None, 0.0]
    delays_ms = {trial.delay_ms for trial in trials(ABILENE, "link down")}
    assert delays_ms <= {link.shape.delay_ms for link in ABILENE.core_links}
    crash = trials(ABILENE, "switch crash")[0]
    assert crash.delay_ms > min(delays_ms)  # that of both links of the path


def test_an_outage_without_end_is_none() -> None:
    assert longest_hole_ms(sent((9.7, 10.0)), failed_s=10.0) is None
    assert longest_hole_ms(sent((9.7, 10.1)), failed_s=10.0) is None


def test_every_link_and_switch_that_can_be_done_without_fails_once() -> None:
    links = trials(ABILENE, "link down")
    cut = [fault.link for trial in links for fault in trial.faults if isinstance(fault, LinkDown)]
    assert len({frozenset(link) for link in cut}) == len(cut) == 14  # all but the bridge to s1
    assert not [link for link in cut if "s1" in link]
    blind = [fault for trial in trials(ABILENE, "one end down") for fault in trial.faults]
    assert all(isinstance(fault, EndDown) and fault.end == fault.link[1] for fault in blind)
    crashed = [fault for trial in trials(ABILENE, "switch crash") for fault in trial.faults]
    assert all(isinstance(fault, SwitchCrash) for fault in crashed)
    assert {"s9", "s6"} <= {fault.switch for fault in crashed if isinstance(fault, SwitchCrash)}


def test_an_endless_outage_leaves_the_percentile_that_it_reaches_unmet() -> None:
    _, median_ms, p95_ms = GOALS["link down"]
    fine = [median_ms / 2] * 20
    assert all(target.met for target in judge("link down", fine))
    median, p95 = judge("link down", [*fine[1:], None, None])
    assert median.met
    assert (p95.met, p95.measured) == (False, None)
    assert not any(target.met for target in judge("link down", [p95_ms + 1] * 20))


def test_a_rival_has_figures_and_intervals_but_no_target() -> None:
    outages = Outages(tuple(float(ms) for ms in range(1, 21)))
    verdict = _verdict("link down", outages, "OSPF with BFD")
    assert verdict.targets == ()
    assert verdict.beside["OSPF with BFD"]["link down: outage p50"] == 11.0
    median = verdict.intervals["link down: outage p50, OSPF with BFD"]
    assert (median.low, median.high) == (6.0, 15.0)
    assert not _verdict("link down", None, "OSPF with BFD").intervals
