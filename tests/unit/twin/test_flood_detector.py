from __future__ import annotations

import numpy as np
import pytest
from small_networks import RATE_BPS, demand, wheel

from twin.detection import FloodDetector, benign_share
from twin.indexing import FloatArray, Indexing

TOPOLOGY = wheel()
INDEXING = Indexing(TOPOLOGY)
PAIRS = len(TOPOLOGY.od_pairs)
USUAL = np.random.default_rng(3).uniform(0.05e6, 0.3e6, PAIRS)
UNKNOWN_PORTS = np.full(len(INDEXING.directions), np.nan)


def detector(share: float | None = None) -> FloodDetector:
    return FloodDetector(INDEXING, lambda: share)


def flood(**rates_mbps: float) -> FloatArray:
    return USUAL + demand(TOPOLOGY, **rates_mbps)


def test_a_flood_is_found_and_its_sources_named() -> None:
    found = detector().inspect(flood(h2_h7=4, h5_h7=3), USUAL, 8, UNKNOWN_PORTS)
    assert [(s.victim, set(s.sources)) for s in found] == [("h7", {"h2", "h5"})]
    assert found[0].score > 1
    assert found[0].excess_bps == pytest.approx(7e6, rel=0.2)


def test_a_peak_of_the_whole_network_is_no_flood() -> None:
    assert not detector(0.001).inspect(4 * USUAL, USUAL, 8, UNKNOWN_PORTS)
    assert not detector(0.001).inspect(2.9 * USUAL, USUAL, 8, UNKNOWN_PORTS)


def test_the_first_traffic_of_a_run_is_no_flood() -> None:
    assert not detector().inspect(flood(h2_h7=9), np.zeros(PAIRS), 8, UNKNOWN_PORTS)
    assert not detector().inspect(flood(h2_h7=9), USUAL, 1, UNKNOWN_PORTS)


def test_a_pair_that_has_been_large_may_be_so_again() -> None:
    used_to_it = np.maximum(USUAL, demand(TOPOLOGY, h2_h7=4))
    assert not detector().inspect(flood(h2_h7=7), used_to_it, 8, UNKNOWN_PORTS)


def test_pairs_growing_towards_everybody_are_a_shift_not_a_flood() -> None:
    shifted = flood(h2_h7=3, h3_h8=3, h4_h9=3, h5_h2=3)
    assert not detector().inspect(shifted, USUAL, 8, UNKNOWN_PORTS)


def test_what_no_port_has_seen_is_a_hiccup_of_a_counter() -> None:
    ports = np.full(len(INDEXING.directions), 0.5e6)
    assert not detector().inspect(flood(h2_h7=6), USUAL, 8, ports)
    ports[INDEXING.link["h2", "s2"]] = 6.5e6
    assert detector().inspect(flood(h2_h7=6), USUAL, 8, ports)


def test_unknown_rates_raise_no_alarm() -> None:
    assert not detector().inspect(np.full(PAIRS, np.nan), USUAL, 8, UNKNOWN_PORTS)


def test_dropped_pairs_are_not_reported_again_but_further_sources_are() -> None:
    now = flood(h2_h7=6, h5_h7=1.6)
    dropped = {("h2", "h7")}
    assert not detector().inspect(now, USUAL, 8, UNKNOWN_PORTS, dropped=dropped)
    found = detector().inspect(now, USUAL, 8, UNKNOWN_PORTS, {"h7"}, dropped)
    assert [s.sources for s in found] == [("h5",)]


def test_a_calm_history_makes_it_keen_and_a_wild_one_careful() -> None:
    random = np.random.default_rng(4)
    calm = USUAL * random.uniform(0.8, 1.2, (60, PAIRS))
    wild = USUAL * random.lognormal(0, 1.5, (60, PAIRS))
    calm_share, wild_share = benign_share(INDEXING, calm), benign_share(INDEXING, wild)
    assert calm_share == 0 < wild_share
    small = flood(h2_h7=1.7)
    assert detector(calm_share).inspect(small, USUAL, 8, UNKNOWN_PORTS)
    assert not detector().inspect(small, USUAL, 8, UNKNOWN_PORTS)
    assert not detector(wild_share).inspect(small, USUAL, 8, UNKNOWN_PORTS)
    assert detector(wild_share).inspect(flood(h2_h7=0.6 * RATE_BPS / 1e6), USUAL, 8, UNKNOWN_PORTS)


def test_benign_traffic_of_the_kind_learnt_raises_no_alarm() -> None:
    random = np.random.default_rng(5)

    def history(steps: int) -> FloatArray:
        level = np.exp(np.cumsum(random.normal(0, 0.1, (steps, 1)), axis=0))
        return np.asarray(USUAL * level * random.lognormal(0, 0.4, (steps, PAIRS)))

    keen = detector(benign_share(INDEXING, history(400)))
    alarms = 0
    for _ in range(20):
        rates = history(20)
        for now in range(2, 20):
            recent = rates[max(0, now - 8) : now]
            alarms += bool(keen.inspect(rates[now], recent.max(axis=0), len(recent), UNKNOWN_PORTS))
    assert alarms == 0


def test_gaps_do_not_hide_that_everything_grows() -> None:
    """Twice the rate everywhere and four times towards h7 is no flood, half of it uncounted."""
    towards = INDEXING.target == TOPOLOGY.hosts.index(
        next(h for h in TOPOLOGY.hosts if h.name == "h7")
    )
    rates = np.where(towards, 4.0, 2.0) * USUAL
    assert not detector(0.001).inspect(rates, USUAL, 8, UNKNOWN_PORTS)
    gaps = (np.arange(PAIRS) % 2 == 0) & ~towards
    assert not detector(0.001).inspect(np.where(gaps, np.nan, rates), USUAL, 8, UNKNOWN_PORTS)
