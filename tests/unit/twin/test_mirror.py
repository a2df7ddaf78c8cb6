from __future__ import annotations

import numpy as np
import pytest
from fluid_network import FluidNetwork
from small_networks import demand, square

from controller.messages import (
    Discovery,
    Gap,
    GroupCounters,
    GroupStats,
    Hello,
    LinkDelays,
    LinkSilence,
    LinkState,
    MeterStats,
    Route,
    Routes,
    SwitchHealth,
)
from twin.indexing import Indexing
from twin.matrix import current_matrix_bps
from twin.mirror import Mirror

TOPOLOGY = square()
DEMAND = demand(TOPOLOGY, h1_h3=13, h2_h3=2, h4_h5=1)


def observed(seconds: float, silent: str = "", silent_after_s: float = 0.0) -> tuple:
    """A network and the mirror of it after some seconds."""
    network = FluidNetwork(TOPOLOGY, lambda _: DEMAND)
    mirror = Mirror(Indexing(TOPOLOGY), 30.0)
    network.snapshot()
    begun_s = network.now_s
    while network.now_s < begun_s + seconds:
        if silent and network.now_s >= begun_s + silent_after_s:
            network.silent = {silent}
        network.advance()
        for message in network.outbox:
            mirror.receive(message)
        network.outbox.clear()
    return network, mirror


def link(a: str, b: str) -> int:
    return Indexing(TOPOLOGY).link[a, b]


def test_snapshot_gives_routes_and_readiness() -> None:
    network, mirror = observed(0.1)
    assert mirror.ready
    assert mirror.routing == network.routing
    assert mirror.answering == ["s1", "s2", "s3", "s4", "s5"]


def test_offered_loads_and_losses() -> None:
    network, mirror = observed(5)
    sent = mirror.sent_bps(network.now_s, 1.0)
    assert sent[link("s1", "s2")] == pytest.approx(13e6, rel=0.01)
    assert sent[link("s2", "s3")] == pytest.approx(12e6, rel=0.01)
    assert sent[link("h1", "s1")] == pytest.approx(13e6, rel=0.01)
    loss = mirror.link_loss(network.now_s - 2, network.now_s - 0.5)
    assert loss[link("s1", "s2")] == pytest.approx(1 - 10 / 13, abs=0.01)
    assert np.isnan(loss[link("s3", "s2")])


def test_rates_per_pair_and_frames() -> None:
    network, mirror = observed(5)
    assert mirror.od_bps(network.now_s, 1.0) == pytest.approx(DEMAND, rel=0.01)
    mean = mirror.mean_od_bps(network.now_s - 3, network.now_s - 1)
    assert mean == pytest.approx(DEMAND, rel=0.01)
    frame_bits = mirror.frame_bits(network.now_s, 2.0)
    assert frame_bits[link("s1", "s2")] == pytest.approx(1442 * 8, rel=0.01)
    assert np.isnan(frame_bits[link("s3", "s2")])


def test_counters_are_those_read_last() -> None:
    network, mirror = observed(5)
    sent, arrived, sent_packets, arrived_packets = mirror.counted()
    assert sent[link("s1", "s2")] > arrived[link("s1", "s2")] > 0
    assert sent_packets[link("s1", "s2")] > arrived_packets[link("s1", "s2")] > 0
    assert np.isnan(sent[link("h1", "s1")])
    assert arrived[link("h1", "s1")] > 0
    counted = mirror.od_counted()
    assert (counted[DEMAND > 0] > 0).all()
    assert (counted <= network.od_refreshed).all()


def test_groups_are_those_told_last() -> None:
    mirror = Mirror(Indexing(TOPOLOGY), 30.0)
    assert mirror.groups("s1") == ()
    old, new = (GroupCounters(7, n, 100 * n, (n, 0)) for n in (1, 2))
    mirror.receive(GroupStats(t_s=2.0, datapath="s1", groups=(new,)))
    mirror.receive(GroupStats(t_s=1.0, datapath="s1", groups=(old,)))
    assert mirror.groups("s1") == (new,)


def test_matrix_follows_the_port_before_the_flow_counters_do() -> None:
    network, mirror = observed(5)
    network.demand = lambda _: 2 * DEMAND
    begun_s = network.now_s
    while network.now_s < begun_s + 0.8:
        network.advance()
        for message in network.outbox:
            mirror.receive(message)
        network.outbox.clear()
    pair = TOPOLOGY.od_pairs.index(("h4", "h5"))
    flows = mirror.od_bps(network.now_s, 1.0)[pair]
    assert flows < 1.9e6  # the refresh at 0.7 s has not been read
    sharpened = current_matrix_bps(mirror, network.now_s, ())
    assert sharpened[pair] == pytest.approx(2e6, rel=0.02)
    assert current_matrix_bps(mirror, network.now_s, {("h4", "h1")})[pair] == flows


def test_a_silent_switch_leaves_a_hole_not_zeros() -> None:
    network, mirror = observed(8, silent="s1", silent_after_s=4)
    rates = mirror.od_bps(network.now_s, 1.0)
    of_s1 = mirror.indexing.pairs_of_switch["s1"]
    assert np.isnan(rates[of_s1]).all()
    assert np.isfinite(np.delete(rates, of_s1)).all()
    # The far end still counts what arrives.
    sent = mirror.sent_bps(network.now_s, 1.0)
    assert sent[link("s1", "s2")] == pytest.approx(10e6, rel=0.01)
    assert mirror.telemetry_age_s(network.now_s) < 0.3


def test_a_port_down_takes_both_directions_and_strands_routes() -> None:
    network, mirror = observed(0.1)
    mirror.receive(LinkState(t_s=network.now_s, datapath="s2", neighbour="s3", up=False))
    assert mirror.down == {("s2", "s3"), ("s3", "s2")}
    assert ("h1", "h3") in mirror.stranded
    around = tuple(Route(a, b, ("s1", "s4", "s3")) for a, b in mirror.stranded)
    mirror.receive(Routes(t_s=network.now_s, cause="restoration", routes=around))
    assert mirror.stranded == []
    mirror.receive(LinkState(t_s=network.now_s, datapath="s2", neighbour="s3", up=True))
    assert mirror.down == frozenset()


def test_a_host_port_down_is_no_core_link() -> None:
    network, mirror = observed(0.1)
    mirror.receive(LinkState(t_s=network.now_s, datapath="s2", neighbour="h2", up=False))
    assert not mirror.stranded


def test_a_new_connection_forgets_state_but_not_counters() -> None:
    network, mirror = observed(5)
    mirror.receive(Hello(t_s=network.now_s, version=1, topology="test"))
    assert not mirror.ready
    assert mirror.routing == {}
    assert np.isfinite(mirror.od_bps(network.now_s, 1.0)).all()


def test_what_is_not_its_concern_changes_nothing() -> None:
    network, mirror = observed(2)
    before = (mirror.routing.copy(), mirror.down, mirror.sent_bps(network.now_s, 1.0))
    t_s = network.now_s
    for message in (
        Gap(t_s=t_s, datapath="s1", missing="port-stats", answered_s=None),
        LinkSilence(t_s=t_s, datapath="s1", neighbour="s2", silent=True),
        LinkDelays(t_s=t_s, datapath="s1", links=()),
        GroupStats(t_s=t_s, datapath="s1", groups=()),
        MeterStats(t_s=t_s, datapath="s1", meters=()),
        SwitchHealth(t_s=t_s, datapath="s1", echo_ms=1.0, outstanding=0, slowdown=1),
        Discovery(t_s=t_s, links=10, as_configured=10, miscabled=()),
    ):
        mirror.receive(message)
    assert (mirror.routing, mirror.down) == before[:2]
    assert mirror.sent_bps(network.now_s, 1.0) == pytest.approx(before[2], nan_ok=True)
