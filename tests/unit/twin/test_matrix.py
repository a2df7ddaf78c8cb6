"""The matrix from flow counters and port counters together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fluid_network import FluidNetwork
from small_networks import demand, square

from topologies.model import Policy, RateLimit, Topology
from twin.indexing import FloatArray, Indexing
from twin.matrix import current_matrix_bps, mean_matrix_bps
from twin.mirror import Mirror

RATES = demand(square(), h1_h3=3, h1_h2=1, h2_h3=2)


def both(topology: Topology) -> tuple[FloatArray, FloatArray]:
    """The matrix now, and over two seconds, where h1's packets to h3 are dropped as they enter."""
    network = FluidNetwork(topology, lambda _: RATES)
    mirror = Mirror(Indexing(topology), keep_s=30.0)
    network.snapshot()
    network.dropped.add(("h1", "h3"))
    for _ in range(500):
        network.advance()
    for message in network.outbox:
        mirror.receive(message)
    now_s = network.now_s
    return current_matrix_bps(mirror, now_s, ()), mean_matrix_bps(mirror, now_s - 3, now_s - 1, ())


@pytest.mark.parametrize(
    "policy",
    [
        Policy("h1", "h3", deny=True),
        Policy("any", "h3", protocol="udp", deny=True),
        Policy("h1", "any", limit=RateLimit(1e6, 1e5)),
    ],
)
def test_what_policies_drop_is_not_shared_out_among_the_rest(policy: Policy) -> None:
    topology = replace(square(), policies=(policy,))
    pair = topology.od_pairs.index(("h1", "h2"))
    for rates_bps in both(topology):
        assert rates_bps[pair] == pytest.approx(1e6, rel=0.02)


def test_hosts_that_no_policy_holds_back_are_scaled_to_their_ports() -> None:
    other = Policy("h2", "h3", deny=True)
    first_allows = (Policy("h1", "any"), Policy("any", "any", deny=True))
    for policies in ((), (other,), first_allows):
        topology = replace(square(), policies=policies)
        pair = topology.od_pairs.index(("h1", "h2"))
        assert all(rates_bps[pair] > 1.9e6 for rates_bps in both(topology))


def test_policies_that_only_mark_hold_nothing_back() -> None:
    topology = replace(square(), policies=(Policy("any", "any", dscp=46),))
    assert not Indexing(topology).policed.any()
    assert not np.any(Indexing(square()).policed)
