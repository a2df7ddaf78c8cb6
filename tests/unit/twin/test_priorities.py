"""Strict priority in the performance model, against what theory says of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import demand, square

from topologies.model import Policy, Topology
from topologies.paths import shortest_paths
from twin.indexing import FloatArray, Indexing
from twin.model import FRAME_BITS, Correction, PerformanceModel, Prediction
from twin.priorities import Priorities
from twin.queueing import waiting_packets
from twin.routed_pairs import RoutedPairs

ROOM = np.array([1e5])
EXPEDITED = 46
POISSON = 1.0


def prioritised(queueing: str = "priority", protocol: str | None = None) -> Topology:
    """The square, where what h1 sends is expedited."""
    plain = square()
    links = tuple(
        replace(link, shape=replace(link.shape, queueing=queueing)) for link in plain.links
    )
    policy = Policy("h1", "any", protocol=protocol, dscp=EXPEDITED)
    return replace(plain, links=links, policies=(policy,))


def waits(*loads: float) -> FloatArray:
    """(classes,) mean waits in transmission times, of Poisson arrivals with room enough."""
    priorities = Priorities(Indexing(prioritised()))
    links = len(Indexing(square()).directions)
    load = np.repeat(np.array(loads)[:, None, None], links, axis=2)
    queues = priorities.queues(load)
    return queues.waiting_packets(POISSON, np.full(links, ROOM[0]))[:, 0, 0]


def cobham(*loads: float) -> FloatArray:
    """Of M/D/1 with priorities that are not preemptive; see Cobham 1954."""
    behind = np.cumsum(loads)
    ahead = behind - loads
    return np.asarray(sum(loads) / 2 / ((1 - ahead) * (1 - behind)))


def predicted(topology: Topology, **rates_mbps: float) -> Prediction:
    model = PerformanceModel(Indexing(topology))
    model.correction = Correction(variance=POISSON)
    return model.predict(shortest_paths(topology), demand(topology, **rates_mbps))


def pair(name: str) -> int:
    source, target = name.split("_")
    return square().od_pairs.index((source, target))


@given(st.floats(0.05, 0.45), st.floats(0.05, 0.45))
@settings(max_examples=50, deadline=None)
def test_waits_are_those_of_cobham(first: float, second: float) -> None:
    assert waits(first, second) == pytest.approx(cobham(first, second), rel=0.01)


def test_three_classes_are_those_of_cobham() -> None:
    assert waits(0.1, 0.3, 0.4) == pytest.approx(cobham(0.1, 0.3, 0.4), rel=0.01)


@given(st.floats(0.05, 0.45), st.floats(0.05, 0.45))
@settings(max_examples=50, deadline=None)
def test_what_one_class_gains_the_other_loses(first: float, second: float) -> None:
    """The conservation law: Kleinrock, "Queueing Systems", volume 2, 1976, section 3.4."""
    mean = np.array([first, second]) @ waits(first, second) / (first + second)
    together = waiting_packets(np.array([first + second]), POISSON, ROOM)[0]
    assert mean == pytest.approx(together, rel=0.01)


def test_on_a_full_link_only_those_behind_lose() -> None:
    prediction = predicted(prioritised(), h1_h3=6, h2_h3=8)
    assert prediction.od_loss[pair("h1_h3")] < 1e-6
    assert prediction.od_loss[pair("h2_h3")] == pytest.approx(1 - 4 / 8, rel=0.01)
    assert prediction.od_goodput_bps.sum() == pytest.approx(10e6, rel=0.01)
    link = Indexing(square()).link["s2", "s3"]
    assert prediction.link_loss[link] == pytest.approx(4 / 14, rel=0.01)
    packet_ms = FRAME_BITS / 10e6 * 1e3
    full_ms = 100 * packet_ms * 10 / 4  # a full queue, let out at 4 of 10 Mbit/s
    assert prediction.od_delay_ms[pair("h2_h3")] == pytest.approx(full_ms, rel=0.1)
    assert prediction.od_delay_ms[pair("h1_h3")] < 15


def test_those_ahead_can_starve_the_others() -> None:
    prediction = predicted(prioritised(), h1_h3=12, h2_h3=2)
    assert prediction.od_loss[pair("h1_h3")] == pytest.approx(1 - 10 / 12, abs=0.02)
    assert prediction.od_loss[pair("h2_h3")] > 0.95


@pytest.mark.parametrize("topology", [prioritised("fifo"), prioritised(protocol="tcp"), square()])
def test_without_classes_on_links_that_heed_them_all_are_alike(topology: Topology) -> None:
    plain, other = (predicted(one, h1_h3=6, h2_h3=8, h4_h5=1) for one in (square(), topology))
    for name in ("od_delay_ms", "od_p95_ms", "od_loss", "link_delay_ms", "link_loss"):
        assert getattr(other, name) == pytest.approx(getattr(plain, name), nan_ok=True)


def test_many_matrices_at_once_are_predicted_as_one_by_one() -> None:
    topology = prioritised()
    indexing = Indexing(topology)
    model, routing = PerformanceModel(indexing), shortest_paths(topology)
    cases = np.random.default_rng(1).uniform(0, 2e6, (5, len(indexing.pairs)))
    together = model.predict_all(RoutedPairs(indexing, routing), cases)
    for number, od_bps in enumerate(cases):
        alone = model.predict(routing, od_bps)
        assert together[number].od_delay_ms == pytest.approx(alone.od_delay_ms)
        assert together[number].od_loss == pytest.approx(alone.od_loss)
