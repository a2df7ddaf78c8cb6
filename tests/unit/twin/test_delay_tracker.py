from __future__ import annotations

from dataclasses import replace

import numpy as np
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


ALL = frozenset(switch.name for switch in TOPOLOGY.switches)


class Tracked:
    """A tracker of a network, both for as long as the test says."""

    def __init__(self, residual: Residual, topology: Topology = TOPOLOGY) -> None:
        indexing = Indexing(topology)
        self.network = FluidNetwork(topology, lambda _: self._od_bps)
        self._od_bps = np.zeros(len(indexing.pairs))
        self._mirror = Mirror(indexing, 30.0)
        self._tracker = DelayTracker(PerformanceModel(indexing, residual), 30.0)
        self.network.snapshot()

    def go_on(
        self, seconds: float, od_bps: FloatArray, silent: frozenset[str] = frozenset()
    ) -> FloatArray:
        """(pairs,) the mean delays of the second half, `silent` switches counting nothing."""
        self._od_bps, self.network.silent = od_bps, set(silent)
        end_s = self.network.now_s + seconds
        while self.network.now_s < end_s:
            self.network.advance()
            for message in self.network.outbox:
                self._mirror.receive(message)
            self.network.outbox.clear()
            self._tracker.advance(self._mirror, self.network.now_s, od_bps)
        return self._tracker.od_delay_ms(end_s - seconds / 2, end_s - 2 * SAMPLE_S)


def tracked(
    residual: Residual,
    topology: Topology = TOPOLOGY,
    od_bps: FloatArray = DEMAND,
    silent: frozenset[str] = frozenset(),
) -> FloatArray:
    """(pairs,) the mean delays after some seconds of the same."""
    return Tracked(residual, topology).go_on(8, od_bps, silent)


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
    uncounted = tracked(Residual(), silent=ALL)
    assert uncounted == pytest.approx(counted, rel=0.02)


@pytest.mark.parametrize("silent", [{"s1"}, {"s2"}, ALL])
def test_a_full_queue_is_seen_though_an_end_of_its_link_counts_nothing(silent: set[str]) -> None:
    """That from s1 to s2, which h1 and h2 ask for 1.2 times its rate."""
    od_bps = demand(TOPOLOGY, h1_h2=8, h1_h3=4)
    pair = TOPOLOGY.od_pairs.index(("h1", "h2"))
    counted = tracked(Residual(), od_bps=od_bps)
    assert counted[pair] > 100
    some = tracked(Residual(), od_bps=od_bps, silent=frozenset(silent))
    assert some[pair] == pytest.approx(counted[pair], rel=0.1)


def test_what_was_lost_while_nobody_counted_is_not_taken_to_be_queued() -> None:
    network = Tracked(Residual())
    pair = TOPOLOGY.od_pairs.index(("h1", "h2"))
    network.go_on(4, demand(TOPOLOGY, h1_h2=8))
    network.go_on(4, demand(TOPOLOGY, h1_h2=20), silent=ALL)
    network.go_on(4, demand(TOPOLOGY, h1_h2=5), silent=ALL)
    assert network.go_on(8, demand(TOPOLOGY, h1_h2=9.7))[pair] < 60
