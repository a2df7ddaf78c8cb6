from __future__ import annotations

import numpy as np
import pytest
from small_networks import demand, matrix, square, wheel

from topologies.loads import link_loads_bps
from topologies.model import Split
from topologies.paths import propagation_delay_ms, shortest_paths
from twin.indexing import Indexing
from twin.model import FRAME_BITS, PerformanceModel


def test_loads_of_an_uncongested_network_are_those_of_its_matrix() -> None:
    topology = wheel()
    od_bps = np.random.default_rng(0).uniform(0, 3e5, len(topology.od_pairs))
    routing = shortest_paths(topology)
    prediction = PerformanceModel(Indexing(topology)).predict(routing, od_bps)
    expected = link_loads_bps(topology, routing, matrix(topology, od_bps))
    assert prediction.offered_bps[: len(expected)] == pytest.approx(expected, rel=1e-6)


def test_delay_of_an_idle_path_is_propagation_and_transmission() -> None:
    topology = square()
    routing = shortest_paths(topology)
    prediction = PerformanceModel(Indexing(topology)).predict(routing, demand(topology, h1_h3=0.01))
    pair = topology.od_pairs.index(("h1", "h3"))
    idle_ms = propagation_delay_ms(topology, ("h1", "h3"), routing["h1", "h3"])
    transmission_ms = (2 / 10e6 + 2 / 100e6) * FRAME_BITS * 1e3
    assert prediction.od_delay_ms[pair] == pytest.approx(idle_ms + transmission_ms, abs=0.01)
    assert prediction.mean_delay_ms == pytest.approx(prediction.od_delay_ms[pair])


def test_overload_fills_the_queue_and_thins_what_goes_on() -> None:
    topology = square()
    prediction = PerformanceModel(Indexing(topology)).predict(
        shortest_paths(topology), demand(topology, h1_h3=13)
    )
    first, second = (topology.core_directions.index(d) for d in (("s1", "s2"), ("s2", "s3")))
    pair = topology.od_pairs.index(("h1", "h3"))
    assert prediction.utilisation[first] == pytest.approx(1.3)
    assert prediction.utilisation[second] == pytest.approx(1.0, abs=0.01)
    assert prediction.max_utilisation == pytest.approx(1.3)
    assert prediction.od_loss[pair] == pytest.approx(1 - 1 / 1.3, abs=0.01)
    assert prediction.link_delay_ms[first] > 90 * FRAME_BITS / 10e6 * 1e3


def test_a_pair_without_a_route_has_no_delay_and_loses_all() -> None:
    topology = square()
    routing = {
        pair: path for pair, path in shortest_paths(topology).items() if pair != ("h1", "h3")
    }
    prediction = PerformanceModel(Indexing(topology)).predict(routing, demand(topology, h1_h3=5))
    pair = topology.od_pairs.index(("h1", "h3"))
    assert np.isnan(prediction.od_delay_ms[pair])
    assert prediction.od_loss[pair] == 1
    assert prediction.max_utilisation == 0
    assert prediction.mean_delay_ms == 0


def test_hosts_on_one_switch_share_no_core_link() -> None:
    topology = square()
    model = PerformanceModel(Indexing(topology))
    routing = dict(shortest_paths(topology))
    assert model.predict(routing, np.zeros(len(topology.od_pairs))).max_utilisation == 0


def test_a_split_counts_with_its_shares() -> None:
    topology = square()
    pair, (one, other) = ("h1", "h3"), (("s1", "s2", "s3"), ("s1", "s4", "s3"))
    model = PerformanceModel(Indexing(topology))
    od_bps = demand(topology, h1_h3=8)
    index = topology.od_pairs.index(pair)

    def delay_ms(path: tuple[str, ...]) -> float:
        # At the loads that the split leads to: each path has its share alone.
        share = 0.75 if path == one else 0.25
        return float(model.predict({pair: path}, od_bps * share).od_delay_ms[index])

    split = model.predict({pair: Split(((one, 3), (other, 1)))}, od_bps)
    links = [topology.core_directions.index(hop) for hop in (("s1", "s2"), ("s1", "s4"))]
    assert split.offered_bps[links] == pytest.approx([6e6, 2e6], rel=0.01)
    uplink_ms = 0.05  # the access links see the whole of it
    expected_ms = 0.75 * delay_ms(one) + 0.25 * delay_ms(other)
    assert split.od_delay_ms[index] == pytest.approx(expected_ms, abs=uplink_ms)
    assert split.od_loss[index] == pytest.approx(0.0, abs=1e-3)
