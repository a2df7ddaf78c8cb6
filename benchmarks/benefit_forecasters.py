"""The forecasters that `bench benefit` compares, and what they say as traffic comes in."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from generators.gan import TrafficGan
from generators.gan_training import train_gan
from generators.history import History, HistoryError
from generators.history.structure import MIN_STEPS, pair_mask
from generators.kinds import Kind
from generators.schedule import FloatArray
from topologies.model import Topology
from twin.forecaster import HORIZONS, LOOKBACK, Forecaster, PersistenceForecaster
from twin.live_forecast import LiveForecast
from twin.training import train

NAIVE, ONE_DAY = "persistence", "one day"
MORE: Mapping[str, str] = {
    "one day + GAN": "GAN samples",
    "one day + GAN with incidents": "GAN samples with incidents",
    "all days": "all days",
}
"""What is compared with one day, and what it has beside it."""
_DAY_S = 86_400.0
_WINDOWS = 500  # of the GAN, as for the forecaster of a run
_INCIDENTS: tuple[Kind, ...] = ("flash-crowd", "failure-aftermath")
_OF_EACH = 100  # among the windows, where there are incidents


def days(history: History) -> list[History]:
    """Return the whole days of a history, each from midnight on.

    Raises:
        HistoryError: there is none, or its steps are too long to learn from one.
    """
    length = round(_DAY_S / history.step_s)
    first = round(-history.start_s % _DAY_S / history.step_s)
    starts = range(first, history.steps - length + 1, length)
    if length < MIN_STEPS or not starts:
        raise HistoryError(
            f"to learn from one day, it takes a whole day of at least {MIN_STEPS} steps"
        )
    return [history.part(start, start + length) for start in starts]


def trained(
    topology: Topology, day: History, training: History, seed: int, budget_s: float
) -> dict[str, Forecaster]:
    """Train on one day, with and without samples of a GAN that knows no more, and on everything."""
    gan = train_gan(day, seed, budget_s)
    samples: dict[str, list[FloatArray]] = {
        ONE_DAY: [],
        "one day + GAN": list(gan.benign_bps(_WINDOWS, seed)),
        "one day + GAN with incidents": _with_incidents(gan, seed),
    }
    found: dict[str, Forecaster] = {NAIVE: PersistenceForecaster()}
    for name, made in samples.items():
        found[name] = train(topology, day.rates_bps, seed, budget_s, made)
    found["all days"] = train(topology, training.rates_bps, seed, budget_s)
    return found


def said(forecaster: Forecaster, rates_bps: FloatArray) -> FloatArray:
    """Return (2, HORIZONS, steps, pairs): how each step (steps, pairs) was forecast before it.

    First by the forecaster alone, then as in a run, where it adapts to the traffic. NaN where it
    was not: in the first steps.
    """
    made = np.full((2, HORIZONS, *rates_bps.shape), np.nan)
    live = LiveForecast(forecaster, rates_bps.shape[1])
    for now in range(LOOKBACK, len(rates_bps)):
        past = rates_bps[:now]
        each = np.stack([forecaster.forecast(past), live.complete(past[-1], past).point_bps])
        for ahead in range(min(HORIZONS, len(rates_bps) - now)):
            made[:, ahead, now + ahead] = each[:, ahead]
    return made


def _with_incidents(gan: TrafficGan, seed: int) -> list[FloatArray]:
    """As many windows, some with flash crowds and aftermaths of failures in them."""
    benign = gan.benign_bps(_WINDOWS - _OF_EACH * len(_INCIDENTS), seed)
    pairs = pair_mask(len(gan.hosts))
    made = [gan.sample(kind, _OF_EACH, seed).matrices_bps[..., pairs] for kind in _INCIDENTS]
    return list(np.concatenate([benign, *made]))
