"""Telemetry that is late, repeated, out of order, or of a switch that restarted: no rate is below
zero, and none is above what was ever counted in the time."""

from __future__ import annotations

from functools import cache

import numpy as np
from disturbed import Disturbance, disturbances
from fluid_network import STEP_S, FluidNetwork
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_networks import demand, square

from controller.messages import FromController
from topologies.paths import shortest_paths
from twin.counters import CounterSeries
from twin.effect import CLEAR_FALL, DELAY_COST, ROUNDING
from twin.forecaster import PersistenceForecaster
from twin.imputation import Persistence
from twin.indexing import FloatArray, Indexing
from twin.mirror import Mirror
from twin.model import Prediction
from twin.policies import TwinPolicy
from twin.policy import Proposal
from twin.records import PolicyProblem
from twin.twin import Twin
from twin.view import TwinView

RATE = 1000.0
"""The most that the counter grows in a second."""

TOPOLOGY = square()
SWITCHES = tuple(switch.name for switch in TOPOLOGY.switches)
START_S, SECONDS = 1000.0, 8.0


@st.composite
def disturbed(draw: st.DrawFn) -> list[tuple[float, float]]:
    """Readings (t_s, value) of a counter every 250 ms, as they may come in."""
    growth = draw(st.lists(st.floats(0, RATE / 4), min_size=2, max_size=60))
    unread = draw(st.sets(st.integers(0, len(growth) - 1), max_size=20))
    restarts = draw(st.sets(st.integers(1, len(growth) - 1), max_size=3))
    readings, value = [], 0.0
    for number, step in enumerate(growth):
        value = 0.0 if number in restarts else value + step
        readings.append((number * 0.25, np.nan if number in unread else value))
    lost = draw(st.sets(st.integers(0, len(growth) - 1), max_size=20))
    kept = [one for number, one in enumerate(readings) if number not in lost]
    order = [
        (t_s + draw(st.sampled_from([0.0, 0.0, 0.3, 2.0])), number)
        for number, (t_s, _) in enumerate(kept)
    ]
    arriving = [kept[number] for _, number in sorted(order)]
    again = draw(st.lists(st.sampled_from(arriving), max_size=5)) if arriving else []
    return arriving + again


@given(disturbed(), st.floats(0.25, 3.0))
def test_rates_are_neither_negative_nor_more_than_was_counted(
    readings: list[tuple[float, float]], window_s: float
) -> None:
    series = CounterSeries(1, 60.0)
    for t_s, value in readings:
        series.add(t_s, np.array([value]))
        for now_s in (t_s, t_s + 0.5, t_s + 5):
            for rate in (
                series.rates(now_s, window_s)[0],
                series.mean_rates(now_s - window_s, now_s)[0],
            ):
                assert np.isnan(rate) or -1e-9 <= rate <= RATE * (1 + 1e-9)


def rates_mbps(t_s: float) -> FloatArray:
    """Demand that swings, and runs one link hot."""
    swing = 1 + 0.3 * np.sin(t_s)
    return demand(TOPOLOGY, h1_h3=6, h2_h3=5, h4_h5=1, h3_h1=2) * swing


@cache
def recorded() -> tuple[tuple[float, tuple[FromController, ...]], ...]:
    """What the network tells in some seconds, undisturbed, tick by tick."""
    network = FluidNetwork(TOPOLOGY, rates_mbps)
    network.snapshot()
    ticks = []
    for _ in range(round(SECONDS / STEP_S)):
        network.advance()
        if network.outbox:
            ticks.append((network.now_s, tuple(network.outbox)))
        network.outbox = []
    return tuple(ticks)


@settings(deadline=None, max_examples=60)
@given(disturbances(SWITCHES, START_S, START_S + SECONDS))
def test_no_rate_of_a_mirror_is_negative_or_more_than_was_ever_sent(
    disturbance: Disturbance,
) -> None:
    indexing = Indexing(TOPOLOGY)
    mirror = Mirror(indexing, keep_s=30.0)
    most_bps = 1.3 * demand(TOPOLOGY, h1_h3=6, h2_h3=5, h4_h5=1, h3_h1=2) + 100  # whole bytes
    on_links = indexing.crossing(shortest_paths(TOPOLOGY)) @ most_bps + 100
    for now_s, messages in recorded():
        for message in disturbance.deliver(messages, now_s):
            mirror.receive(message)
        for rates, most in (
            (mirror.sent_bps(now_s, 0.75), on_links),
            (mirror.mean_sent_bps(now_s - 2.0, now_s - 0.5), on_links),
            (mirror.od_bps(now_s, 1.0), most_bps),
            (mirror.mean_od_bps(now_s - 2.0, now_s - 1.0), most_bps),
        ):
            known = np.isfinite(rates)
            assert (rates[known] >= -1e-6).all()
            assert (rates[known] <= most[known] * (1 + 1e-6)).all()
        loss = mirror.link_loss(now_s - 1.5, now_s - 0.5)
        assert ((loss >= 0) & (loss <= 1) | np.isnan(loss)).all()


class Watched(TwinPolicy):
    """Remembers what the model of that instant predicts without and with what it asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[list[Prediction], list[Prediction]]] = []

    def decide(self, view: TwinView) -> Proposal | None:
        proposal = super().decide(view)
        if proposal is not None:
            before = [view.what_if({}, row) for row in view.matrices_bps]
            after = [view.what_if(proposal.moves, row) for row in view.matrices_bps]
            self.asked.append((before, after))
        return proposal


@settings(deadline=None, max_examples=15)
@given(disturbances(SWITCHES, START_S, START_S + SECONDS), st.booleans())
@example(Disturbance(seed=149, lost=0.0, late=0.3, twice=0.1, in_part=0.6, restarts=()), False)
def test_a_disturbed_twin_asks_for_nothing_that_its_model_finds_worse(
    disturbance: Disturbance, fails: bool
) -> None:
    network = FluidNetwork(TOPOLOGY, rates_mbps)
    policy = Watched()
    twin = Twin(TOPOLOGY, policy, PersistenceForecaster(), Persistence(len(TOPOLOGY.od_pairs)), 2.0)
    network.snapshot()
    problems: list[PolicyProblem] = []
    while network.now_s < START_S + SECONDS:
        network.advance()
        if fails and round(network.now_s, 2) == START_S + SECONDS / 2:
            network.fail("s1", "s2")
        messages, network.outbox = network.outbox, []
        for message in disturbance.deliver(messages, network.now_s):
            twin.receive(message)
        if twin.due_s(network.now_s) == 0.0:
            output = twin.step(network.now_s)
            problems += [one for one in output.records if isinstance(one, PolicyProblem)]
            for request in output.requests:
                network.request(request)
    assert not problems
    for before, after in policy.asked:
        fall = max(p.max_utilisation for p in before) - max(p.max_utilisation for p in after)
        assert fall >= -ROUNDING
        before_ms, after_ms = (sum(p.mean_delay_ms for p in each) for each in (before, after))
        cost = DELAY_COST if fall >= CLEAR_FALL else ROUNDING
        assert after_ms <= before_ms * (1 + cost + 1e-9)
