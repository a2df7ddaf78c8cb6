from __future__ import annotations

import numpy as np
import pytest

from twin.forecaster import HORIZONS, PersistenceForecaster
from twin.indexing import FloatArray
from twin.live_forecast import LiveForecast

PAIRS = 30


def observed(live: LiveForecast, rates: FloatArray) -> FloatArray:
    """(intervals, pairs): whether each interval was in the band forecast just before."""
    inside, band = [], None
    for now in range(1, len(rates) + 1):
        if band is not None:
            inside.append(
                (rates[now - 1] >= band.lower_bps[0]) & (rates[now - 1] <= band.upper_bps[0])
            )
        band = live.complete(rates[now - 1], rates[:now])
    return np.array(inside)


def test_it_is_persistence_where_that_is_all_there_is() -> None:
    live = LiveForecast(PersistenceForecaster(), PAIRS)
    rates = np.full((5, PAIRS), 1e6)
    band = live.complete(rates[-1], rates)
    assert band.point_bps == pytest.approx(np.full((HORIZONS, PAIRS), 1e6))
    assert live.first(rates) == pytest.approx(rates[-1])


def test_its_band_follows_the_traffic() -> None:
    random = np.random.default_rng(5)
    rates = 1e6 * np.exp(0.5 * random.normal(size=(120, PAIRS)))
    inside = observed(LiveForecast(PersistenceForecaster(), PAIRS), rates)
    assert inside[:3].mean() < 0.8
    assert inside[60:].mean() == pytest.approx(0.9, abs=0.06)


def test_the_silence_before_the_traffic_teaches_nothing() -> None:
    live = LiveForecast(PersistenceForecaster(), PAIRS)
    rates = np.vstack([np.zeros((6, PAIRS)), np.full((HORIZONS, PAIRS), 1e6)])
    for now in range(1, len(rates) + 1):
        band = live.complete(rates[now - 1], rates[:now])
    fresh = LiveForecast(PersistenceForecaster(), PAIRS).complete(rates[-1], rates)
    above, at_first = band.upper_bps - band.point_bps, fresh.upper_bps - fresh.point_bps
    assert (above[0] <= at_first[0]).all()


def test_gaps_are_no_reason_to_fail() -> None:
    live = LiveForecast(PersistenceForecaster(), PAIRS)
    rates = np.full((6, PAIRS), 1e6)
    for now in range(1, len(rates) + 1):
        band = live.complete(np.full(PAIRS, np.nan), rates[:now])
    assert np.isfinite(band.point_bps).all()
