"""The forecast benchmark without training: what is naive, adapted, and carried by links."""

from __future__ import annotations

import numpy as np
import pytest
from small_networks import square

from benchmarks.forecast import Trial, carried, judged, routing_matrix
from twin.adaptation import Band

TOPOLOGY = square()
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
    figures = judged(trial(), Band(0.9 * actual, actual, 1.1 * actual))
    assert figures["learnt"] == 0
    assert figures["adapted"] < 0.3 * figures["persistence"]
    assert figures["skill"] > 0.7
    assert figures["learnt coverage %"] == 100


def test_links_carry_the_sum_of_their_pairs() -> None:
    links = routing_matrix(TOPOLOGY)
    assert links.shape == (PAIRS, len(TOPOLOGY.core_directions))
    assert (links.sum(axis=0) > 0).all()
    ones = np.ones((1, PAIRS))
    band = carried(Band(0.5 * ones, ones, 1.5 * ones), links)
    assert band.point_bps == pytest.approx(links.sum(axis=0)[None])
    assert band.upper_bps - band.point_bps == pytest.approx(0.5 * np.sqrt(links.sum(axis=0))[None])
