from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import demand, square, wheel

from topologies.paths import shortest_paths
from twin.indexing import Indexing
from twin.model import Correction, PerformanceModel
from twin.residual import Residual
from twin.routed_pairs import RoutedPairs
from twin.situation import Scenario, Situation, after, all_failures
from twin.whatif import predict, rank, reroute


def overloaded() -> Situation:
    topology = square()
    od_bps = demand(topology, h1_h3=8, h2_h3=6)
    return Situation(topology, "delay", shortest_paths(topology), od_bps)


def test_what_is_lost_late_and_hot_is_told() -> None:
    outcome = predict(overloaded())
    assert outcome.max_utilisation == pytest.approx(1.4, abs=0.01)
    assert outcome.hot_links[0].link == ("s2", "s3")
    assert outcome.loss_percent == pytest.approx(100 * 4 / 14, abs=1)
    assert outcome.delivered_bps == pytest.approx(10e6, rel=0.02)
    assert outcome.p95_delay_ms >= outcome.mean_delay_ms > 100
    assert outcome.cut_off == ()


def test_traffic_without_a_path_is_lost_and_named() -> None:
    outcome = predict(after(overloaded(), Scenario(fail_switches=("s3",))))
    assert outcome.cut_off == (("h1", "h3"), ("h2", "h3"))
    assert outcome.loss_percent == pytest.approx(100)
    assert outcome.delivered_bps == 0
    assert outcome.mean_delay_ms == 0


def test_an_idle_network_loses_nothing() -> None:
    idle = Situation(square(), "delay", shortest_paths(square()), np.zeros(20))
    outcome = predict(idle)
    assert (outcome.loss_percent, outcome.mean_delay_ms, outcome.hot_links) == (0.0, 0.0, ())
    assert reroute(idle).optimum == 0.0


def test_rerouting_relieves_the_hot_link_down_to_the_optimum() -> None:
    better = reroute(overloaded())
    assert better.outcome.max_utilisation == pytest.approx(0.8, abs=0.01)
    assert better.moves
    assert better.optimum <= better.outcome.max_utilisation + 1e-6
    assert better.outcome.loss_percent < 0.1


def test_the_p95_is_that_of_all_packets() -> None:
    # All traffic is one pair's: its own p95. Then 94 % of it is fast, and 6 % not.
    topology = square()
    routing = shortest_paths(topology)
    one = Situation(topology, "delay", routing, demand(topology, h1_h3=5))
    model = PerformanceModel(Indexing(topology))
    pair = model.indexing.pair["h1", "h3"]
    alone = model.predict(routing, one.od_bps)
    assert predict(one).p95_delay_ms == pytest.approx(alone.od_p95_ms[pair], rel=0.01)
    routing["h2", "h3"] = ("s2", "s1", "s5", "s3")
    two = Situation(topology, "delay", routing, demand(topology, h1_h2=4.7, h2_h3=0.3))
    slow, fast = (predict(replace(two, od_bps=two.od_bps * s)).p95_delay_ms for s in (1, 1e-3))
    assert slow > 14, "six in a hundred packets take the long way"
    assert fast > 14


def test_links_that_are_not_as_configured_are_predicted_as_they_are() -> None:
    here = overloaded()
    half = {("s2", "s3"): replace(here.topology.core_links[0].shape, rate_bps=5e6)}
    worse = replace(here, shapes=half)
    assert predict(worse).max_utilisation == pytest.approx(2.8, abs=0.02)
    assert after(worse, Scenario()).shapes == half
    assert reroute(worse).optimum > reroute(here).optimum
    lossy = {("s2", "s3"): replace(here.topology.core_links[0].shape, loss_percent=10.0)}
    calm = replace(here, od_bps=0.1 * here.od_bps, shapes=lossy)
    assert predict(calm).loss_percent == pytest.approx(10.0, abs=0.1)


def test_tcp_gives_way_where_a_link_is_full_and_takes_no_more_than_it_asks_for() -> None:
    topology = square()
    od_bps = demand(topology, h1_h3=8, h2_h3=6, h1_h2=0.5)
    tcp = frozenset({("h1", "h3"), ("h1", "h2")})
    here = Situation(topology, "delay", shortest_paths(topology), od_bps, tcp_pairs=tcp)
    outcome = predict(here)
    assert outcome.max_utilisation == pytest.approx(1.0, abs=0.01)
    assert outcome.delivered_bps == pytest.approx(10.5e6, rel=0.02), "4 beside 6, and 0.5"
    assert outcome.loss_percent < 2
    calm = replace(here, od_bps=0.5 * od_bps)
    assert predict(calm) == predict(replace(calm, tcp_pairs=frozenset()))


def test_what_the_twin_has_learnt_counts() -> None:
    learnt = predict(overloaded(), Correction(load_gain=0.5))
    assert learnt.max_utilisation == pytest.approx(0.7, abs=0.01)


def test_a_calibrated_model_says_between_which_bounds() -> None:
    here = overloaded()
    assert predict(here).intervals is None
    too_few = Residual(delay_margin=np.inf, loss_margin=0.01)
    assert predict(here, residual=too_few).intervals is None
    outcome = predict(here, residual=Residual(delay_margin=0.1, p95_margin=0.2, loss_margin=0.5))
    assert outcome.intervals is not None
    low_ms, high_ms = outcome.intervals.mean_delay_ms
    assert low_ms == pytest.approx(outcome.mean_delay_ms * np.exp(-0.1))
    assert high_ms == pytest.approx(outcome.mean_delay_ms * np.exp(0.1))
    assert outcome.intervals.p95_delay_ms[1] == pytest.approx(outcome.p95_delay_ms * np.exp(0.2))
    assert outcome.intervals.loss_percent == (0.0, pytest.approx(outcome.loss_percent + 50))


def test_failures_are_ranked_by_their_damage() -> None:
    here = overloaded()
    ranked = rank(here, all_failures(here.topology, 1))
    damages = [outcome.damage for _, outcome in ranked]
    assert damages == sorted(damages, reverse=True)
    assert ranked[0][0].fail_switches == ("s3",), "without it nothing arrives"


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(1e4, 4e6), st.integers(1, 6))
def test_many_matrices_at_once_are_predicted_as_one_by_one(
    seed: int, mean_bps: float, cases: int
) -> None:
    indexing = Indexing(wheel())
    model = PerformanceModel(indexing)
    od_bps = np.random.default_rng(seed).exponential(mean_bps, (cases, len(indexing.pairs)))
    routing = shortest_paths(indexing.topology)
    together = model.predict_all(RoutedPairs(indexing, routing), od_bps)
    for case, row in enumerate(od_bps):
        alone = model.predict(routing, row)
        assert together[case].offered_bps == pytest.approx(alone.offered_bps)
        assert together[case].od_loss == pytest.approx(alone.od_loss, abs=1e-9)
        assert together[case].mean_delay_ms == pytest.approx(alone.mean_delay_ms)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(1e4, 4e6))
def test_what_enters_a_link_is_what_left_the_ones_before(seed: int, mean_bps: float) -> None:
    indexing = Indexing(wheel())
    model = PerformanceModel(indexing)
    od_bps = np.random.default_rng(seed).exponential(mean_bps, len(indexing.pairs))
    prediction = model.predict(shortest_paths(indexing.topology), od_bps)
    delivered = float((od_bps * (1 - prediction.od_loss)).sum())
    into_hosts = [indexing.link[a, b] for a, b in indexing.directions if b.startswith("h")]
    arriving = prediction.offered_bps * (1 - prediction.link_loss)
    assert delivered == pytest.approx(float(arriving[into_hosts].sum()), rel=0.02)
