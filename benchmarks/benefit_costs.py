"""What a forecaster's errors cost: WAPE, and routes farther from the optimum than need be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.benefit_conditions import Episode
from benchmarks.benefit_forecasters import said
from benchmarks.decider import Decider
from generators.schedule import FloatArray
from twin.forecaster import HORIZONS, Forecaster

WAPE, WAPE_ALONE, TE_RATIO = "WAPE", "WAPE alone", "TE ratio"

_MATRICES = 2  # routed, of each episode

Costs = Mapping[str, FloatArray]
"""By figure, (episodes,), or (seeds, episodes): the mean is the figure of them all. WAPE is that at
work over the next `HORIZONS` intervals, and of each of them; alone: without adaptation."""


@dataclass(frozen=True)
class Trial:
    """An episode, and the steps in it that are routed."""

    episode: Episode
    scales: Mapping[int, float]
    """By step: what rates are multiplied by, so that the optimum loads the network as wanted."""


def trials(decider: Decider, episodes: Sequence[Episode], seed: int) -> list[Trial]:
    """Choose what is routed at random among what is judged."""
    random = np.random.default_rng(seed)
    found = []
    for episode in episodes:
        judged = np.flatnonzero(episode.judged.any(axis=1))
        steps = random.choice(judged, min(_MATRICES, len(judged)), replace=False)
        scales = {int(at): decider.scale(episode.rates_bps[at]) for at in steps}
        found.append(Trial(episode, scales))
    return found


def costs(decider: Decider, forecaster: Forecaster, trials: Sequence[Trial]) -> Costs:
    """Forecast all episodes, and route by the forecasts."""
    errors, ratios = [], []
    for trial in trials:
        rates_bps, judged = trial.episode.rates_bps, trial.episode.judged
        made_bps = said(forecaster, rates_bps)
        errors.append(np.abs(made_bps - rates_bps).sum(axis=(-2, -1), where=judged))
        ratios.append(te_ratio(decider, trial, made_bps[1, 0]))
    carried_bps = np.mean([t.episode.rates_bps.sum(where=t.episode.judged) for t in trials])
    alone, live = np.moveaxis(np.array(errors) / carried_bps, 1, 0)
    return {
        WAPE: live.mean(axis=1),
        **{f"{WAPE} +{ahead + 1}": live[:, ahead] for ahead in range(HORIZONS)},
        WAPE_ALONE: alone.mean(axis=1),
        TE_RATIO: np.array(ratios),
    }


def te_ratio(decider: Decider, trial: Trial, forecast_bps: FloatArray) -> float:
    """The mean TE ratio of a trial that is routed by a forecast of its steps (steps, pairs)."""
    ratios = [
        decider.ratio(decider.route(scale * forecast_bps[at]), scale * trial.episode.rates_bps[at])
        for at, scale in trial.scales.items()
    ]
    return float(np.mean(ratios))
