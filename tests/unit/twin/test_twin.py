"""The whole twin against a network of fluids."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from fluid_network import FluidNetwork, drive
from small_networks import demand, matrix, square, wheel

from controller.messages import Drop, LinkState, Reroute
from topologies.model import Topology
from topologies.optimum import min_max_utilisation
from twin.forecaster import PersistenceForecaster
from twin.imputation import Persistence
from twin.indexing import FloatArray
from twin.policies import resolve
from twin.records import (
    Alarm,
    Calibration,
    Decision,
    DecisionOutcome,
    DelayPredicted,
    DropOutcome,
    ForecastScored,
    Imputation,
    Mirrored,
)
from twin.twin import Twin

INTERVAL_S = 4.0
SQUARE = square()


def lab(
    rates: Callable[[float], FloatArray], topology: Topology = SQUARE, policy: str = "twin"
) -> tuple[Twin, FluidNetwork]:
    """A twin and its network; `rates` is told the seconds since the start."""
    network = FluidNetwork(topology, lambda t_s: rates(t_s - 1000.0))
    network.snapshot()
    pairs = len(topology.od_pairs)
    twin = Twin(topology, resolve(policy), PersistenceForecaster(), Persistence(pairs), INTERVAL_S)
    return twin, network


def busy_wheel() -> FloatArray:
    return np.asarray(np.random.default_rng(7).uniform(0.1e6, 1.2e6, len(wheel().od_pairs)))


def test_a_hot_link_is_relieved_within_two_seconds() -> None:
    calm = demand(SQUARE, h1_h3=3, h2_h3=3, h4_h5=1)
    surge = demand(SQUARE, h1_h3=7, h2_h3=6, h4_h5=1)
    twin, network = lab(lambda t: calm if t <= 12 else surge)
    assert not [r for r in drive(twin, network, 12) if isinstance(r, Decision)]
    assert network.max_utilisation < 0.7
    decisions = [r for r in drive(twin, network, 2) if isinstance(r, Decision)]
    assert decisions
    assert network.max_utilisation == pytest.approx(0.7, abs=0.02)
    assert all(decision.telemetry_age_ms < 400 for decision in decisions)
    # Then it is done: no flapping.
    assert not [r for r in drive(twin, network, 20) if isinstance(r, Decision)]


def test_it_says_when_the_network_is_mirrored_after_every_connection() -> None:
    twin, network = lab(lambda _: demand(SQUARE, h1_h3=3))
    first = drive(twin, network, 5)
    assert isinstance(first[0], Mirrored)
    assert sum(isinstance(r, Mirrored) for r in first) == 1
    network.snapshot()
    assert sum(isinstance(r, Mirrored) for r in drive(twin, network, 5)) == 1


def test_predictions_are_compared_with_what_then_happened() -> None:
    twin, network = lab(lambda _: demand(SQUARE, h1_h3=7, h2_h3=6, h4_h5=1))
    records = drive(twin, network, 30)
    outcome = next(r for r in records if isinstance(r, DecisionOutcome))
    assert outcome.applied >= 1
    assert outcome.measured_mlu == pytest.approx(0.7, abs=0.03)
    assert outcome.predicted_mlu == pytest.approx(outcome.measured_mlu, abs=0.1)
    scored = [r for r in records if isinstance(r, ForecastScored)]
    assert {r.horizon for r in scored} == {1, 2, 3}
    last = scored[-1]
    assert last.od_forecast_bps == pytest.approx(last.od_actual_bps, rel=0.02, abs=1e3)
    assert last.link_forecast_bps == pytest.approx(last.link_actual_bps, rel=0.02, abs=1e3)
    gains = [r for r in records if isinstance(r, Calibration) and r.name == "load-gain"]
    assert gains
    assert all(abs(gain.after - 1) < 0.02 for gain in gains)


def test_what_has_been_made_up_teaches_the_model_nothing() -> None:
    """s4 is silent, so what h4 sends is made up: too little of it, and its links carry more."""
    twin, network = lab(lambda t: demand(SQUARE, h1_h3=7, h4_h3=2 if t < 14 else 5))
    drive(twin, network, 14)
    network.silent = {"s4"}
    records = drive(twin, network, 20)
    assert not [r for r in records if isinstance(r, Calibration)]
    network.silent = set()
    assert [r for r in drive(twin, network, 20) if isinstance(r, Calibration)]


def test_a_shadow_predicts_but_asks_for_nothing() -> None:
    twin, network = lab(lambda _: demand(SQUARE, h1_h3=7, h2_h3=6), policy="shortest-path")
    records = drive(twin, network, 20)
    assert not network.requests
    assert [r for r in records if isinstance(r, DelayPredicted)]


def test_predicted_delays_follow_queues_that_fill_and_drain() -> None:
    def rates(t: float) -> FloatArray:
        """Overload by 6 % for one interval of three."""
        return demand(SQUARE, h1_h3=10.6 if t % 12 < 4 else 5, h4_h5=1, h5_h4=6)

    twin, network = lab(rates, policy="shortest-path")
    records = [r for r in drive(twin, network, 30) if isinstance(r, DelayPredicted)]
    errors = []
    for record in records[1:]:
        predicted = np.array(record.od_delay_ms, dtype=float)
        true = network.mean_delay_ms(record.start_s, record.end_s)
        errors.append(np.abs(predicted - true) / true)
    assert len(errors) >= 4
    assert np.mean(errors) < 0.05
    pair = SQUARE.od_pairs.index(("h1", "h3"))
    assert records[-1].od_delay_ms[pair] > 15  # the queue is seen, not only the distance


def test_after_a_failure_the_network_is_at_its_optimum_in_half_a_second() -> None:
    topology = wheel()
    rates = 1.6 * busy_wheel()
    twin, network = lab(lambda _: rates, topology)
    drive(twin, network, 12)
    busiest = topology.core_directions[int(np.argmax(network.offered[: network.ix.cores]))]
    network.fail(*busiest)
    network.advance()
    restored = network.max_utilisation
    records = drive(twin, network, 0.5)
    optimum = min_max_utilisation(topology, matrix(topology, rates), network.down)
    reached = max(optimum, 0.6)  # below that it does not try
    assert network.max_utilisation <= 1.1 * reached < restored
    assert [r.reason for r in records if isinstance(r, Decision)] == ["failure"]
    assert not [r for r in records if isinstance(r, Alarm)]


def test_a_flood_is_reported_and_dropped_within_three_seconds() -> None:
    usual = np.full(len(wheel().od_pairs), 0.1e6)
    attack = usual + demand(wheel(), h2_h7=3, h5_h7=3)
    twin, network = lab(lambda t: usual if t < 20 else attack, wheel())
    assert not [r for r in drive(twin, network, 20) if isinstance(r, Alarm)]
    records = drive(twin, network, 3)
    alarm = next(r for r in records if isinstance(r, Alarm))
    assert alarm.t_s - 1020 < 2
    assert alarm.victim == "h7"
    assert set(alarm.sources) == {"h2", "h5"}
    assert network.dropped == {("h2", "h7"), ("h5", "h7")}
    assert len([r for r in records if isinstance(r, DropOutcome)]) == 2
    later = drive(twin, network, 10)
    assert not [r for r in later if isinstance(r, Alarm | Decision)]


def test_the_shadow_of_a_plain_controller_stops_no_flood() -> None:
    usual = np.full(len(wheel().od_pairs), 0.1e6)
    attack = usual + demand(wheel(), h2_h7=3, h5_h7=3)
    twin, network = lab(lambda t: usual if t < 20 else attack, wheel(), "shortest-path")
    assert not [r for r in drive(twin, network, 30) if isinstance(r, Alarm)]
    assert not network.dropped


def test_a_peak_of_everything_and_a_failure_raise_no_alarm() -> None:
    usual = busy_wheel() / 2
    twin, network = lab(lambda t: usual if t < 12 else 2 * usual, wheel())
    records = drive(twin, network, 20)
    network.fail("s1", "s2")
    records += drive(twin, network, 8)
    assert not [r for r in records if isinstance(r, Alarm)]


def test_a_silent_switch_is_imputed_scored_and_no_alarm() -> None:
    twin, network = lab(lambda _: demand(SQUARE, h1_h3=3, h2_h3=2, h4_h5=1))
    drive(twin, network, 10)
    network.silent = {"s1"}
    records = drive(twin, network, 6)
    network.silent = set()
    records += drive(twin, network, 10)
    gap = next(r for r in records if isinstance(r, Imputation))
    assert gap.datapath == "s1"
    assert gap.end_s - gap.start_s == pytest.approx(6, abs=1)
    assert gap.actual_bps == pytest.approx((0, 3e6, 0, 0), abs=5e4)
    assert gap.vae_bps == pytest.approx(gap.actual_bps, abs=5e4)
    assert gap.linear_bps == pytest.approx(gap.actual_bps, abs=5e4)
    during = [
        r
        for r in records
        if isinstance(r, ForecastScored) and gap.start_s < r.start_s and r.end_s < gap.end_s
    ]
    assert during
    of_pairs = dict(zip(SQUARE.od_pairs, during[0].od_actual_bps, strict=True))
    assert {pair for pair, actual in of_pairs.items() if actual is None} == {
        pair for pair in SQUARE.od_pairs if pair[0] == "h1"
    }
    assert not [r for r in records if isinstance(r, Alarm | Decision)]


def test_a_twin_that_is_started_again_knows_what_is_dropped() -> None:
    """What h1 sends to h3 enters, but is not what it sends to h2."""
    _, network = lab(lambda _: np.zeros(0))
    sent = demand(SQUARE, h1_h2=1, h1_h3=4)
    network.demand = lambda _: sent
    network.dropped, network.outbox = {("h1", "h3")}, []
    network.snapshot()
    twin, _ = lab(lambda _: sent)
    records = drive(twin, network, 20)
    actual = [r.od_actual_bps for r in records if isinstance(r, ForecastScored)][-1]
    assert actual == pytest.approx(demand(SQUARE, h1_h2=1), rel=0.02, abs=1e3)


def test_a_controller_that_comes_back_is_told_the_drops_again() -> None:
    usual = np.full(len(wheel().od_pairs), 0.1e6)
    attack = usual + demand(wheel(), h2_h7=6)
    twin, network = lab(lambda t: usual if t < 12 else attack, wheel())
    drive(twin, network, 16)
    assert network.dropped == {("h2", "h7")}
    network.dropped.clear()
    network.requests.clear()
    network.snapshot()
    drive(twin, network, 1)
    assert [r for r in network.requests if isinstance(r, Drop)]
    assert network.dropped == {("h2", "h7")}


def test_a_request_that_is_never_answered_does_not_block_for_ever() -> None:
    twin, network = lab(lambda _: demand(SQUARE, h1_h3=7, h2_h3=6))
    carry_out, network.request = network.request, network.requests.append  # type: ignore[method-assign]
    records = drive(twin, network, 8)
    asked = [r for r in network.requests if isinstance(r, Reroute)]
    assert len(asked) >= 2
    lost = next(r for r in records if isinstance(r, DecisionOutcome))
    assert lost.applied == 0
    assert lost.refused == ("the controller did not answer",)
    network.request = carry_out  # type: ignore[method-assign]
    drive(twin, network, 6)
    assert network.max_utilisation < 0.75


def test_nothing_is_decided_before_the_routes_are_confirmed() -> None:
    twin, network = lab(lambda _: demand(SQUARE, h1_h3=7, h2_h3=6))
    network.outbox = [m for m in network.outbox if type(m).__name__ != "Ready"]
    network.silent = {switch.name for switch in SQUARE.switches}  # nor is anything counted
    network.outbox.append(LinkState(t_s=1000.0, datapath="s1", neighbour="s5", up=False))
    assert not drive(twin, network, 6)
    assert not network.requests
    assert twin.due_s(network.now_s) > 0, "it would look again at once, for ever"


def test_a_controller_that_lacks_a_switch_is_never_ready_and_served_all_the_same() -> None:
    twin, network = lab(lambda _: demand(SQUARE, h1_h3=7, h2_h3=6))
    network.outbox = [m for m in network.outbox if type(m).__name__ != "Ready"]
    network.silent = {"s5"}
    assert [r for r in drive(twin, network, 6) if isinstance(r, Decision)]
