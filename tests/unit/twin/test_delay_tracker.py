from __future__ import annotations

from dataclasses import replace

import pytest
from fluid_network import FluidNetwork
from small_networks import demand, square

from topologies.model import Policy, Topology
from twin.delays import SAMPLE_S, DelayTracker
from twin.indexing import FloatArray, Indexing
from twin.mirror import Mirror
from twin.model import PerformanceModel
from twin.residual import Residual

TOPOLOGY = square()
DEMAND = demand(TOPOLOGY, h1_h3=8, h4_h5=1)


def tracked(
    residual: Residual,
    topology: Topology = TOPOLOGY,
    od_bps: FloatArray = DEMAND,
    silent: frozenset[str] = frozenset(),
) -> FloatArray:
    """(pairs,) the mean delays of the last seconds, `silent` switches counting nothing."""
    indexing = Indexing(topology)
    network, mirror = FluidNetwork(topology, lambda _: od_bps), Mirror(indexing, 30.0)
    tracker = DelayTracker(PerformanceModel(indexing, residual), 30.0)
    network.silent = set(silent)
    network.snapshot()
    end_s = network.now_s + 8
    while network.now_s < end_s:
        network.advance()
        for message in network.outbox:
            mirror.receive(message)
        network.outbox.clear()
        tracker.advance(mirror, network.now_s, od_bps)
    return tracker.od_delay_ms(end_s - 4, end_s - 2 * SAMPLE_S)


def test_what_the_machine_adds_at_every_link_counts() -> None:
    theory, calibrated = tracked(Residual()), tracked(Residual(hop_ms=2.0, access_ms=0.5))
    pair = TOPOLOGY.od_pairs.index(("h1", "h3"))
    assert calibrated[pair] - theory[pair] == pytest.approx(2 * 2.0 + 2 * 0.5, abs=0.01)


def test_smoother_arrivals_wait_less() -> None:
    theory, calibrated = tracked(Residual()), tracked(Residual(variance_gain=0.1))
    pair = TOPOLOGY.od_pairs.index(("h1", "h3"))
    assert calibrated[pair] < theory[pair]


@pytest.mark.parametrize("rate_mbps", [4, 8])
def test_who_goes_first_hardly_waits(rate_mbps: float) -> None:
    """h1 and h2 share the link to s3, at a load of 0.8 and of 1.2."""
    links = tuple(
        replace(link, shape=replace(link.shape, queueing="priority")) for link in TOPOLOGY.links
    )
    policy = Policy("h1", "any", dscp=46)
    expedited = replace(TOPOLOGY, links=links, policies=(policy,))
    od_bps = demand(TOPOLOGY, h1_h3=4, h2_h3=rate_mbps)
    alike, apart = (tracked(Residual(), one, od_bps) for one in (TOPOLOGY, expedited))
    first, second = (TOPOLOGY.od_pairs.index(pair) for pair in (("h1", "h3"), ("h2", "h3")))
    assert apart[first] < alike[first]
    assert apart[second] > alike[second]


def test_a_link_that_nobody_counts_is_not_taken_for_idle() -> None:
    counted = tracked(Residual())
    uncounted = tracked(Residual(), silent=frozenset(s.name for s in TOPOLOGY.switches))
    assert uncounted == pytest.approx(counted, rel=0.02)
