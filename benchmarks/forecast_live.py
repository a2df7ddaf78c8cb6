"""The forecaster of runs, with and without the GAN's windows among what it learns from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from generators.gan_training import train_gan
from generators.history import History
from topologies.model import Topology
from twin.forecaster import HORIZONS, LOOKBACK, Forecaster, PersistenceForecaster
from twin.indexing import FloatArray
from twin.live_forecast import LiveForecast
from twin.training import train, wape

_WINDOWS = 500
_BUDGET_S = 60.0
_OTHER_SEED = 1_000  # apart from that of the windows learnt from
_ORIGINS = 288

Figures = Mapping[str, float]


def live_figures(
    topology: Topology, training: History, held_out: History, seed: int
) -> dict[str, dict[str, Figures]]:
    """Train both ways; measure on held-out history and on windows made from another seed.

    Returns:
        By what is forecast, by forecaster: WAPE of each horizon, coverage in percent.
    """
    gan = train_gan(training, seed, _BUDGET_S)
    made = list(gan.benign_bps(_WINDOWS, seed))
    rates = training.rates_bps
    forecasters: dict[str, Forecaster] = {
        "persistence": PersistenceForecaster(),
        "without GAN": train(topology, rates, seed, _BUDGET_S),
        "with GAN": train(topology, rates, seed, _BUDGET_S, made),
    }
    replayed = list(gan.benign_bps(_WINDOWS // 5, seed + _OTHER_SEED))
    series = {"history": [held_out.rates_bps[:_ORIGINS]], "made traffic": replayed}
    return {
        what: {name: _figures(one, parts) for name, one in forecasters.items()}
        for what, parts in series.items()
    }


def _figures(forecaster: Forecaster, parts: list[FloatArray]) -> Figures:
    """The forecaster alone, and adapted as in a run, over series that do not follow each other."""
    alone, adapted, inside, actual = [], [], [], []
    for rates in parts:
        live = LiveForecast(forecaster, rates.shape[1])
        for now in range(LOOKBACK, len(rates) - HORIZONS + 1):
            band = live.complete(rates[now - 1], rates[:now][-60:])
            later = rates[now : now + HORIZONS]
            alone.append(forecaster.forecast(rates[:now]))
            adapted.append(band.point_bps)
            inside.append(band.covers(later))
            actual.append(later)
    figures = {"coverage %": 100 * float(np.mean(inside))}
    for row in range(HORIZONS):
        rows = [np.stack([one[row] for one in each]) for each in (alone, adapted, actual)]
        figures[f"+{row + 1}"] = wape(rows[0], rows[2])
        figures[f"+{row + 1} adapted"] = wape(rows[1], rows[2])
    return figures
