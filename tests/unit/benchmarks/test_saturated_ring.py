"""The ring of switches without its lab: what is sent where, and how it is judged."""

from __future__ import annotations

import msgspec
import pytest

from benchmarks.saturated_ring import delivered_mbps, ring, summarise, to_the_next
from testbed.records import FidelitySample, LinkCounters

CALM = FidelitySample(
    t_s=1.0,
    cpu_percent=80.0,
    lateness_p99_ms=0.4,
    daemon_cpu_percent=60.0,
    switch_cpu_percent=70.0,
    switch_wait_percent=30.0,
)


def test_every_core_link_carries_exactly_one_pair_forwards() -> None:
    topology = ring(5)
    used = list(to_the_next(topology).values())
    assert sorted(used) == sorted(link.directions[0] for link in topology.core_links)
    assert len(topology.core_links) == 5


def test_what_was_delivered_is_what_came_out_of_the_full_directions() -> None:
    topology = ring(3)
    nothing = LinkCounters(
        received=0, sent=0, dropped_by_queue=0, dropped_by_loss=0, dropped_by_fault=0
    )
    before = {way: nothing for link in topology.links for way in link.directions}
    full = {link.directions[0] for link in topology.core_links}
    after = {
        way: msgspec.structs.replace(nothing, sent=1000 if way in full else 5) for way in before
    }
    assert delivered_mbps(topology, before, after, 2.0) == [pytest.approx(1000 * 1514 * 4e-6)] * 3


def test_a_calm_lab_is_valid_and_saturated_links_are_counted() -> None:
    judged = summarise([CALM] * 5, [9.95, 10.0, 9.8])
    assert judged.reasons == ()
    assert (judged.links, judged.saturated_links, judged.least_mbps) == (3, 2, 9.8)
    assert (judged.cpu_percent, judged.seconds) == (80.0, 5)


@pytest.mark.parametrize(
    "strain", [{"lateness_p99_ms": 5.0}, {"cpu_percent": 100.0}, {"switch_wait_percent": 90.0}]
)
def test_a_strained_lab_has_reasons_against_it(strain: dict[str, float]) -> None:
    assert summarise([msgspec.structs.replace(CALM, **strain)] * 5, [10.0]).reasons
