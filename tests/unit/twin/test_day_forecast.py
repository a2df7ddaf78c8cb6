from __future__ import annotations

import numpy as np
import pytest
import torch
from small_networks import square

from twin.day_features import NAIVE, DayFeatures
from twin.day_forecast import DayForecaster, HistoryTooShortError, train_for_days
from twin.indexing import FloatArray, Indexing
from twin.training import wape

TOPOLOGY = square()
PAIRS = len(TOPOLOGY.od_pairs)
STEP_S = 1800.0
DAY = 48
AHEAD = 12  # six hours


def days(count: int) -> FloatArray:
    """Rates that swing with the time of day."""
    random = np.random.default_rng(4)
    phase = random.uniform(0, 2 * np.pi, PAIRS)
    swing = 1 + 0.6 * np.sin(2 * np.pi * np.arange(count * DAY)[:, None] / DAY + phase)
    return np.asarray(1e6 * swing * random.lognormal(0, 0.05, (count * DAY, PAIRS)))


@pytest.fixture(scope="module")
def trained() -> DayForecaster:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("twin.day_forecast._STEPS", 150)
        patch.setattr("twin.day_forecast.MEMBERS", 1)
        return train_for_days(TOPOLOGY, days(7)[: 6 * DAY], STEP_S, AHEAD, seed=1)


def test_it_learns_the_day(trained: DayForecaster) -> None:
    rates = days(7)
    now = np.arange(6 * DAY, 7 * DAY - AHEAD)
    lower, point, upper = trained.forecasts(TOPOLOGY, rates, STEP_S, now)
    actual = rates[now + AHEAD]
    assert wape(point, actual) < 0.5 * wape(rates[now], actual)
    assert (lower <= point).all()
    assert (point <= upper).all()


def test_it_knows_nothing_of_what_comes_later(trained: DayForecaster) -> None:
    rates = days(7)
    now = 6 * DAY
    told = trained.forecasts(TOPOLOGY, rates, STEP_S, np.array([now]))[:, 0]
    rates[now + 1 :] *= 3
    assert told == pytest.approx(
        trained.forecasts(TOPOLOGY, rates, STEP_S, np.array([now]))[:, 0], rel=1e-4
    )
    assert told == pytest.approx(trained.forecast(TOPOLOGY, rates[: now + 1], STEP_S), rel=1e-4)


def test_features_are_finite_even_without_traffic() -> None:
    rates = np.zeros((4 * DAY, PAIRS))
    features = DayFeatures(Indexing(TOPOLOGY), rates, STEP_S)
    seen, naive = features.at(torch.tensor([features.first, 3 * DAY]), AHEAD)
    assert torch.isfinite(seen).all()
    assert naive.shape == (2, PAIRS, NAIVE)
    assert (naive == 0).all()


def test_too_few_days_are_refused(trained: DayForecaster) -> None:
    with pytest.raises(HistoryTooShortError, match=r"3\.\d days"):
        train_for_days(TOPOLOGY, days(3), STEP_S, AHEAD, seed=1)
    with pytest.raises(HistoryTooShortError, match="steps of history"):
        trained.forecast(TOPOLOGY, days(2), STEP_S)
