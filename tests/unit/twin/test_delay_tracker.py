from __future__ import annotations

import pytest
from fluid_network import FluidNetwork
from small_networks import demand, square

from twin.delays import SAMPLE_S, DelayTracker
from twin.indexing import FloatArray, Indexing
from twin.mirror import Mirror
from twin.model import PerformanceModel
from twin.residual import Residual

TOPOLOGY = square()
DEMAND = demand(TOPOLOGY, h1_h3=8, h4_h5=1)


def tracked(residual: Residual) -> FloatArray:
    """(pairs,) the mean delays of the last seconds."""
    indexing = Indexing(TOPOLOGY)
    network, mirror = FluidNetwork(TOPOLOGY, lambda _: DEMAND), Mirror(indexing, 30.0)
    tracker = DelayTracker(PerformanceModel(indexing, residual), 30.0)
    network.snapshot()
    end_s = network.now_s + 8
    while network.now_s < end_s:
        network.advance()
        for message in network.outbox:
            mirror.receive(message)
        network.outbox.clear()
        tracker.advance(mirror, network.now_s)
    return tracker.od_delay_ms(end_s - 4, end_s - 2 * SAMPLE_S)


def test_what_the_machine_adds_at_every_link_counts() -> None:
    theory, calibrated = tracked(Residual()), tracked(Residual(hop_ms=2.0))
    pair = TOPOLOGY.od_pairs.index(("h1", "h3"))
    assert calibrated[pair] - theory[pair] == pytest.approx(2.0 * 4, abs=0.01)


def test_smoother_arrivals_wait_less() -> None:
    theory, calibrated = tracked(Residual()), tracked(Residual(variance_gain=0.1))
    pair = TOPOLOGY.od_pairs.index(("h1", "h3"))
    assert calibrated[pair] < theory[pair]
