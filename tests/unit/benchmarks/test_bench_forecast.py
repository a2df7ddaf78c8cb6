"""The forecast benchmark without training: what is naive, adapted, and carried by links."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.forecast import (
    Trial,
    adapted_as_if_live,
    at_the_same_steps,
    carried,
    judged,
    routing_matrix,
)
from benchmarks.forecast_peers import PeerForecast
from topologies.catalogue import load_topology
from twin.band import Band

TOPOLOGY = load_topology("topohub:sndlib/abilene")
PAIRS = len(TOPOLOGY.od_pairs)
STEP_S = 3600.0
RATES = 1e6 * np.random.default_rng(6).lognormal(0, 0.2, (10 * 24, PAIRS))


def trial(ahead: int = 1, first: int = 8 * 24) -> Trial:
    return Trial(RATES, STEP_S, ahead, np.arange(first, len(RATES) - ahead))


def test_naive_forecasts_know_the_past_alone() -> None:
    found = trial(ahead=2).naive()
    assert (found["persistence"][0] == RATES[8 * 24]).all()
    assert (found["day-naive"][0] == RATES[7 * 24 + 2]).all()
    assert (found["week-naive"][0] == RATES[24 + 2]).all()
    assert set(trial(first=2 * 24).naive()) == {"persistence", "day-naive"}


def test_a_perfect_forecast_has_all_the_skill() -> None:
    actual = trial().actual_bps
    learnt = Band(0.9 * actual, actual, 1.1 * actual)
    figures = judged(trial(), learnt, adapted_as_if_live(trial(), learnt))
    assert figures["learnt"] == 0
    assert figures["adapted"] < 0.3 * figures["persistence"]
    assert figures["skill"] > 0.7
    assert figures["learnt coverage %"] == 100


def test_links_carry_the_sum_of_their_pairs() -> None:
    links = routing_matrix(TOPOLOGY)
    assert links.shape == (PAIRS, len(TOPOLOGY.core_directions))
    assert links.sum(axis=0).max() > 1
    ones = np.ones((1, PAIRS))
    band = carried(Band(0.5 * ones, ones, 1.5 * ones), links)
    assert band.point_bps == pytest.approx(links.sum(axis=0)[None])
    assert band.upper_bps - band.point_bps == pytest.approx(0.5 * np.sqrt(links.sum(axis=0))[None])


def test_peers_are_compared_at_the_steps_they_forecast() -> None:
    asked = trial(ahead=2)
    now = asked.now[[3, 7]]
    right = RATES[now + 2]
    peer = PeerForecast("peer", now, np.stack([0 * right, right], axis=1))
    ours = adapted_as_if_live(asked, Band(*(np.stack([asked.actual_bps] * 3))))
    at_first, at_second = (at_the_same_steps(asked, ours, peer, row) for row in range(2))
    assert (at_first["peer"], at_second["peer"]) == (1, 0)
    persistence = np.abs(RATES[now] - right).sum() / right.sum()
    assert at_second["persistence"] == pytest.approx(persistence)
