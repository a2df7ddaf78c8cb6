"""A twin whose idea of the network is wrong, against a network of fluids, becomes right."""

from __future__ import annotations

import numpy as np
import pytest
from fluid_network import FluidNetwork, drive
from hypothesis import given
from hypothesis import strategies as st
from small_networks import demand, square

from twin.capacity import CapacityWatch
from twin.forecaster import PersistenceForecaster
from twin.imputation import Persistence
from twin.indexing import FloatArray, Indexing
from twin.model import PerformanceModel
from twin.observation import Observation
from twin.policies import resolve
from twin.records import CapacityLearnt, Decision, Drift, LinksScored
from twin.twin import Twin

SQUARE = square()
HALVED = ("s1", "s2")


def lab(
    rates: FloatArray, policy: str = "shortest-path", *, factor: float = 0.5
) -> tuple[Twin, FluidNetwork]:
    network = FluidNetwork(SQUARE, lambda _: rates)
    network.rate_bps[network.ix.link[HALVED]] *= factor
    network.snapshot()
    pairs = len(SQUARE.od_pairs)
    twin = Twin(SQUARE, resolve(policy), PersistenceForecaster(), Persistence(pairs), 4.0)
    return twin, network


def worst_error(score: LinksScored) -> float:
    """Of the load carried, over the links, in bit/s."""
    errors = [
        abs(p * (1 - pl) - m * (1 - ml))
        for p, pl, m, ml in zip(
            score.predicted_bps,
            score.predicted_loss,
            score.measured_bps,
            score.measured_loss,
            strict=True,
        )
        if None not in (p, pl, m, ml)
    ]
    return max(errors)


def test_a_link_of_half_its_rate_is_found_and_the_model_becomes_right() -> None:
    twin, network = lab(demand(SQUARE, h1_h3=8, h2_h3=1))
    records = drive(twin, network, 20)
    link = network.ix.link[HALVED]
    assert twin.model.rate_bps[link] == pytest.approx(5e6, rel=0.03)
    assert set(twin.model.correction.capacity_factor) == {HALVED}
    learnt = [r for r in records if isinstance(r, CapacityLearnt)]
    assert all(r.before_bps * 0.69 <= r.after_bps <= r.before_bps for r in learnt)
    scores = [r for r in records if isinstance(r, LinksScored)]
    assert worst_error(scores[1]) > 2.5e6
    assert worst_error(scores[-1]) < 0.3e6
    drifts = [r for r in records if isinstance(r, Drift) and r.subject == HALVED]
    assert [(r.quantity, r.begun) for r in drifts if r.quantity == "loss"] == [
        ("loss", True),
        ("loss", False),
    ]


def test_the_optimiser_then_goes_by_the_real_rate() -> None:
    twin, network = lab(demand(SQUARE, h1_h3=4, h2_h3=1, h1_h2=4), "twin")
    records = drive(twin, network, 12)
    assert [r for r in records if isinstance(r, Decision)]
    assert network.max_utilisation < 0.85


def test_a_link_that_carries_more_than_believed_is_believed_again() -> None:
    twin, network = lab(demand(SQUARE, h1_h3=8))
    drive(twin, network, 12)
    network.rate_bps[network.ix.link[HALVED]] = 10e6
    drive(twin, network, 12)
    assert twin.model.rate_bps[network.ix.link[HALVED]] == pytest.approx(8e6, rel=0.05)


def test_a_bad_cable_is_no_small_capacity() -> None:
    twin, network = lab(demand(SQUARE, h1_h3=8), factor=1.0)
    network.loss[network.ix.link[HALVED]] = 0.2
    records = drive(twin, network, 20)
    assert not [r for r in records if isinstance(r, CapacityLearnt)]
    assert [r for r in records if isinstance(r, Drift) and r.quantity == "loss" and r.begun]


def test_a_full_link_without_probes_shows_by_its_plateau() -> None:
    sent = [7e6, 9e6, 6.5e6, 8e6, 9e6, 7e6, 9e6, 7e6]
    model = PerformanceModel(Indexing(SQUARE))
    watch = CapacityWatch(model)
    for bps in sent:
        watch.learn(second(bps, arrived_bps=5e6))
    assert model.rate_bps[0] == pytest.approx(5e6, rel=0.03)


def second(sent_bps: float, arrived_bps: float, *, standing: bool = False) -> Observation:
    """Of the first link; nothing is known of the others."""
    cores = Indexing(SQUARE).cores
    sent, loss = np.full(cores, np.nan), np.full(cores, np.nan)
    sent[0], loss[0] = sent_bps, 1 - arrived_bps / sent_bps
    nothing = np.zeros(cores, dtype=bool)
    queue = nothing.copy()
    queue[0] = standing
    unknown = np.full(cores, np.nan)
    return Observation(0.0, 1.0, sent, loss, loss, unknown, unknown, unknown, queue, nothing, None)


@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 50e6) | st.just(float("nan")),
            st.floats(0.0, 1.0) | st.just(float("nan")),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_whatever_is_observed_the_belief_stays_positive_and_moves_by_bounded_steps(
    seconds: list[tuple[float, float, bool]],
) -> None:
    model = PerformanceModel(Indexing(SQUARE))
    watch = CapacityWatch(model)
    for sent, share, standing in seconds:
        before = model.rate_bps.copy()
        watch.learn(second(max(sent, 1.0), max(sent, 1.0) * share, standing=standing))
        assert (model.rate_bps >= 0.69 * before).all()
        assert (model.rate_bps <= 1.31 * before).all()
        assert np.isfinite(model.rate_bps).all()
        assert (model.rate_bps > 0.03 * model.indexing.rate_bps).all()
