from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import demand, matrix, square, wheel

from topologies.loads import link_loads_bps
from topologies.model import Split
from topologies.paths import propagation_delay_ms, shortest_paths
from twin.indexing import Indexing
from twin.model import FRAME_BITS, Correction, PerformanceModel
from twin.onset import Onset
from twin.routed_pairs import RoutedPairs


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


@pytest.mark.parametrize("onset", [None, Onset(0.0, 0.5), Onset(2.0, 6.0)])
@pytest.mark.parametrize("load", [0.9, 1.02, 1.1, 1.3, 3.0])
def test_behind_a_link_comes_no_more_than_its_rate(load: float, onset: Onset | None) -> None:
    # At 1.02 and 1.1 a queue of 100 packets takes 5.8 and 1.2 s to fill, and loses nothing before.
    topology = square()
    indexing = Indexing(topology)
    routed = RoutedPairs(indexing, shortest_paths(topology))
    od_bps = demand(topology, h1_h3=10 * load)
    prediction = PerformanceModel(indexing).predict_all(routed, od_bps[None], onset=onset)[0]
    first, second = (indexing.link[link] for link in (("s1", "s2"), ("s2", "s3")))
    assert prediction.utilisation[first] == pytest.approx(load)
    assert prediction.utilisation[second] == pytest.approx(min(load, 1.0), rel=0.01)
    assert prediction.utilisation[second] <= 1 + 1e-6


@given(seed=st.integers(0, 1000), load=st.floats(0.2, 3.0), from_s=st.floats(0, 5) | st.none())
@settings(max_examples=50, deadline=None)
def test_what_arrives_has_been_carried(seed: int, load: float, from_s: float | None) -> None:
    topology = wheel()
    indexing = Indexing(topology)
    routing = shortest_paths(topology)
    od_bps = np.random.default_rng(seed).exponential(load * 2e6, len(indexing.pairs))
    onset = None if from_s is None else Onset(from_s, from_s + 4)
    model = PerformanceModel(indexing)
    prediction = model.predict_all(RoutedPairs(indexing, routing), od_bps[None], onset=onset)[0]
    carried_bps = indexing.crossing(routing) @ prediction.od_goodput_bps
    assert (carried_bps <= indexing.rate_bps * (1 + 1e-3)).all()
    lost_bps = od_bps * prediction.od_loss
    assert (prediction.od_goodput_bps + lost_bps <= od_bps * (1 + 1e-9)).all()


def test_elastic_rates_are_of_links_not_of_counters() -> None:
    topology = square()
    model = PerformanceModel(Indexing(topology))
    model.correction = Correction(load_gain=1.1)
    flows = demand(topology, h1_h3=1) / 1e6
    prediction, elastic_bps = model.predict_elastic(
        shortest_paths(topology), demand(topology, h1_h3=5), flows
    )
    assert elastic_bps.sum() == pytest.approx(10e6 - 1.1 * 5e6)
    assert prediction.max_utilisation == pytest.approx(1.0)


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
