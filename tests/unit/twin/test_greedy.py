from __future__ import annotations

import numpy as np
from fluid_network import FluidNetwork, drive
from small_networks import demand, square

from twin.forecaster import PersistenceForecaster
from twin.imputation import Persistence
from twin.policies import resolve
from twin.records import Decision
from twin.twin import Twin


def driven(seconds: float, **rates_mbps: float) -> tuple[FluidNetwork, list[Decision]]:
    topology = square()
    network = FluidNetwork(topology, lambda _: demand(topology, **rates_mbps))
    pairs = len(topology.od_pairs)
    twin = Twin(
        topology, resolve("greedy"), PersistenceForecaster(), Persistence(pairs), interval_s=5.0
    )
    network.snapshot()
    records = drive(twin, network, seconds)
    return network, [one for one in records if isinstance(one, Decision)]


def test_it_takes_the_largest_pair_off_the_hottest_link() -> None:
    network, decisions = driven(6.0, h1_h3=7, h2_h3=6)
    assert len(decisions) == 1
    assert [(move.src, move.dst) for move in decisions[0].moves] == [("h1", "h3")]
    assert network.routing["h1", "h3"] == ("s1", "s4", "s3")
    assert network.max_utilisation < 0.8


def test_it_rests_where_nothing_is_hot_or_nothing_helps() -> None:
    assert driven(4.0, h1_h3=4)[1] == []
    # One pair alone overloads whatever path it takes.
    assert driven(4.0, h2_h3=13)[1] == []


def test_it_never_moves_without_counters() -> None:
    topology = square()
    network = FluidNetwork(topology, lambda _: np.zeros(len(topology.od_pairs)))
    network.silent = {switch.name for switch in topology.switches}
    pairs = len(topology.od_pairs)
    twin = Twin(
        topology, resolve("greedy"), PersistenceForecaster(), Persistence(pairs), interval_s=5.0
    )
    network.snapshot()
    assert not [one for one in drive(twin, network, 2.0) if isinstance(one, Decision)]
