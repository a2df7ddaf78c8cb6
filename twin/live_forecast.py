"""The forecaster of a run at work: it learns from every interval that completes."""

from __future__ import annotations

import numpy as np

from twin.adaptation import Adaptation, Adapted
from twin.band import Band
from twin.forecaster import BEGUN, HORIZONS, Forecaster
from twin.indexing import FloatArray

_NAIVE = 2  # the mean of what was seen, and persistence


class LiveForecast:
    """Adapts a forecaster to the traffic at hand, horizon by horizon."""

    def __init__(self, forecaster: Forecaster, pairs: int) -> None:
        self._forecaster = forecaster
        self._adaptations = [Adaptation(_NAIVE, pairs, 1 + row) for row in range(HORIZONS)]
        self._due: list[list[Adapted]] = [[] for _ in range(HORIZONS)]

    def complete(self, counted_bps: FloatArray, past_bps: FloatArray) -> Band:
        """Learn from the interval that has just ended, and forecast the next ones.

        Args:
            counted_bps: (pairs,) its rates, NaN in the gaps: nothing is learnt of those.
            past_bps: (intervals, pairs) up to and with it, the gaps filled.

        Returns:
            (HORIZONS, pairs)
        """
        # Forecasts made in the silence before the traffic say nothing of those made in it.
        begun = past_bps[:-1].sum(axis=1) > BEGUN * past_bps[-1].sum()
        for row, (adaptation, due) in enumerate(zip(self._adaptations, self._due, strict=True)):
            if len(due) > row:
                made = due.pop(0)
                if begun[-1 - row]:
                    adaptation.learn(made, counted_bps)
        forecast = self._adapted(past_bps)
        for due, adapted in zip(self._due, forecast, strict=True):
            due.append(adapted)
        return Band.stacked([one.band for one in forecast])

    def first(self, past_bps: FloatArray) -> FloatArray:
        """(pairs,): forecast of the interval after `past_bps`, from which nothing is learnt."""
        return self._adapted(past_bps)[0].band.point_bps

    def _adapted(self, past_bps: FloatArray) -> list[Adapted]:
        learnt = self._forecaster.band(past_bps)
        naive = np.stack([past_bps.mean(axis=0), past_bps[-1]])
        return [
            adaptation.adapt(learnt.at(row), naive)
            for row, adaptation in enumerate(self._adaptations)
        ]
