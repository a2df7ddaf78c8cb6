from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from generators.builtin_history import builtin_history
from generators.gan import TrafficGan
from generators.sampling import (
    MIN_RATE_BPS,
    FloodRequest,
    choose_tcp_pairs,
    eligible_sources,
    sample_schedule,
)
from generators.schedule import Schedule
from topologies.catalogue import load_topology
from topologies.loads import max_link_utilisation
from topologies.model import Topology
from topologies.paths import shortest_paths

FLOOD = FloodRequest(victim="h3", sources=2, rate_bps=6e6, start_step=8, steps=15)


def sample(gan: TrafficGan, topology: Topology, seed: int = 1, mlu: float = 1.1) -> Schedule:
    return sample_schedule(gan, topology, "attack", 30, 2.0, seed, mlu, "delay", FLOOD)


def test_same_seed_same_schedule_bit_for_bit(trained_gan: TrafficGan, abilene: Topology) -> None:
    a, b, c = (sample(trained_gan, abilene, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a.matrices_bps, b.matrices_bps)
    assert [(f.source, f.rates_bps.tolist()) for f in a.floods] == [
        (f.source, f.rates_bps.tolist()) for f in b.floods
    ]
    assert a.notes == b.notes
    assert not np.array_equal(a.matrices_bps, c.matrices_bps)


@pytest.mark.parametrize("mlu", [0.5, 0.9, 1.3])
@pytest.mark.parametrize("steps", [3, 12, 40])
def test_the_mean_matrix_loads_the_network_as_asked(
    trained_gan: TrafficGan, abilene: Topology, mlu: float, steps: int
) -> None:
    schedule = sample_schedule(trained_gan, abilene, "normal", steps, 2.0, 3, mlu, "hops")
    mean_bps = schedule.matrices_bps.mean(axis=0)
    routing = shortest_paths(abilene, "hops")
    assert max_link_utilisation(abilene, routing, mean_bps) == pytest.approx(mlu, rel=0.01)
    assert schedule.steps == steps


def test_no_rate_is_too_small_or_too_large(trained_gan: TrafficGan, abilene: Topology) -> None:
    schedule = sample(trained_gan, abilene, mlu=1.5)
    sent = schedule.matrices_bps[schedule.matrices_bps > 0]
    assert sent.min() >= MIN_RATE_BPS
    assert sent.max() <= 0.9 * 0.8 * 10e6
    assert (np.diagonal(schedule.matrices_bps, axis1=1, axis2=2) == 0).all()
    assert any("zeroed" in note for note in schedule.notes)
    assert any("cut to what their links carry" in note for note in schedule.notes)


def test_windows_are_joined_without_jumps(trained_gan: TrafficGan, abilene: Topology) -> None:
    schedule = sample_schedule(trained_gan, abilene, "normal", 60, 2.0, 3, 0.9)
    totals = np.log(schedule.matrices_bps.sum(axis=(1, 2)))
    assert np.abs(np.diff(totals)).max() < 0.25


def test_an_operating_point_out_of_reach_is_said() -> None:
    topology = load_topology("triangle")
    with pytest.MonkeyPatch.context() as patch:
        from generators import gan_training

        brief = {**gan_training.HYPER_PARAMETERS, "steps": 8}
        patch.setattr(gan_training, "HYPER_PARAMETERS", brief)
        small = gan_training.train_gan(builtin_history(topology, 0, days=1), 0, 60)
    schedule = sample_schedule(small, topology, "normal", 12, 2.0, 0, 3.0)
    assert any("out of reach" in note for note in schedule.notes)
    assert schedule.matrices_bps.std() > 0


def test_the_flood_is_as_requested(trained_gan: TrafficGan, abilene: Topology) -> None:
    schedule = sample(trained_gan, abilene)
    total_bps = sum(flood.rates_bps for flood in schedule.floods)
    assert {flood.victim for flood in schedule.floods} == {"h3"}
    assert len({flood.source for flood in schedule.floods} - {"h3"}) == 2
    assert total_bps.max() == pytest.approx(6e6, rel=1e-6)
    assert (total_bps[:8] == 0).all()
    assert total_bps[8] > 0
    assert (total_bps[23:] == 0).all()


def test_more_sources_than_the_gan_knows(trained_gan: TrafficGan, abilene: Topology) -> None:
    flood = FloodRequest("h1", sources=7, rate_bps=20e6, start_step=0, steps=30)
    schedule = sample_schedule(trained_gan, abilene, "attack", 30, 2.0, 1, 0.5, flood=flood)
    assert len({flood.source for flood in schedule.floods}) == 7
    assert all(flood.rates_bps.any() for flood in schedule.floods)


def test_attackers_are_never_on_the_victims_switch() -> None:
    topology = load_topology("leaf-spine")
    victim = topology.hosts[0]
    sources = eligible_sources(topology, victim.name)
    assert sources
    assert victim.switch not in {topology.switch_of[source] for source in sources}


@pytest.mark.parametrize(
    ("flood", "message"),
    [
        (FloodRequest("h99", 1, 1e6, 0, 5), "no host of"),
        (FloodRequest("h1", 12, 1e6, 0, 5), "1 to 11 hosts"),
        (FloodRequest("h1", 0, 1e6, 0, 5), "1 to 11 hosts"),
        (FloodRequest("h1", 1, 1e6, 28, 5), "does not fit a schedule of 30 steps"),
        (FloodRequest("h1", 1, 1e6, -1, 5), "does not fit"),
    ],
)
def test_a_flood_that_does_not_fit_is_refused(
    trained_gan: TrafficGan, abilene: Topology, flood: FloodRequest, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        sample_schedule(trained_gan, abilene, "attack", 30, 2.0, 1, 0.5, flood=flood)


@given(
    rates_bps=arrays(float, (4, 4), elements=st.floats(0, 1e6)),
    percent=st.floats(0, 100),
    seed=st.integers(0, 9),
)
def test_tcp_is_as_much_of_the_traffic_as_whole_pairs_can_be(
    rates_bps: np.ndarray, percent: float, seed: int
) -> None:
    hosts = ("a", "b", "c", "d")
    chosen = choose_tcp_pairs(hosts, rates_bps, percent, seed)
    assert chosen == choose_tcp_pairs(hosts, rates_bps, percent, seed)
    reached_bps = sum(rates_bps[hosts.index(a), hosts.index(b)] for a, b in chosen)
    missed_bps = abs(reached_bps - percent / 100 * rates_bps.sum())
    assert missed_bps <= rates_bps.max() / 2 + 1e-6


def test_what_policies_deny_either_way_is_no_tcp() -> None:
    rates_bps, barred = 1e6 * (1 - np.eye(3)), {("a", "b"), ("b", "a")}
    chosen = choose_tcp_pairs(("a", "b", "c"), rates_bps, 100, 1, barred)
    assert chosen == {("a", "c"), ("c", "a"), ("b", "c"), ("c", "b")}


def test_a_gan_of_other_hosts_is_refused(trained_gan: TrafficGan) -> None:
    with pytest.raises(ValueError, match="was trained for the hosts"):
        sample_schedule(trained_gan, load_topology("triangle"), "normal", 3, 1.0, 1, 0.5)


def test_what_needs_no_torch_does_not_import_it() -> None:
    code = (
        "import sys, generators.builtin_history, generators.sampling, generators.training;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
