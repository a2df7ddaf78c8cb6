"""Forecasts that learn while they are used: from every rate that comes in after it was forecast.

The point forecast is mixed from rivals: what was learnt beforehand, the same corrected by how far
it has been too high or too low of late, and naive forecasts. For every series (OD pair or link) the
weights follow from how far each has been off: the exponentially weighted average forecaster with
discounted losses (Cesa-Bianchi, Lugosi, "Prediction, Learning, and Games", 2006, chapter 2), which
is not much worse than the best of the rivals for long. The band around it is widened and narrowed
until the share of actual rates outside is the wanted one, however the traffic behaves (adaptive
conformal inference: Gibbs, Candes, NeurIPS 2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin.band import MISSES, Band
from twin.indexing import FloatArray

_MEMORY = 72  # rates after which an error counts 1/e
_BELIEF = 6.0  # logits for an error as large as persistence's
_FAVOURED = 2.0  # logits of what was learnt beforehand
_LARGEST_CORRECTION = 2.0  # factor, either way
_COMMON_STEP, _OWN_STEP = 0.5, 0.05  # of the logarithm of the width, per share of misses
_NARROWEST = 1e-3  # of the mean rate
_WIDEST = 4.0  # logarithm of the width over the learnt one


@dataclass(frozen=True)
class Adapted:
    """A forecast (series,), and what it was mixed from, to be learnt from later."""

    band: Band
    rivals_bps: FloatArray
    """(rivals, series): the learnt forecast first, persistence last."""


class Adaptation:
    """What experience says about the forecasts of one horizon."""

    def __init__(self, naive: int, series: int, ahead: int = 1) -> None:
        """Take how many naive forecasts and series there are, and the steps looked ahead."""
        self._errors = np.zeros((naive + 2, series))
        self._forecast, self._actual = np.zeros(series), np.zeros(series)
        self._widths = np.zeros((2, series))  # logarithms: below, above
        # What is done about a miss shows only `ahead` steps later: more at once would overshoot.
        self._patience = 1 / ahead

    def adapt(self, learnt: Band, naive_bps: FloatArray) -> Adapted:
        """Mix, and put a band like the learnt one around the result.

        Args:
            learnt: (series,), as forecast by what was trained beforehand.
            naive_bps: (naive, series), persistence last.
        """
        corrected = learnt.point_bps * self._correction()
        rivals = np.vstack([learnt.point_bps, corrected, naive_bps])
        point = (self._weights() * rivals).sum(axis=0)
        narrowest = _NARROWEST * point.mean()
        down, up = np.exp(self._widths)
        below = np.maximum(learnt.point_bps - learnt.lower_bps, narrowest)
        above = np.maximum(learnt.upper_bps - learnt.point_bps, narrowest)
        band = Band(np.maximum(point - down * below, 0.0), point, point + up * above)
        return Adapted(band, rivals)

    def learn(self, adapted: Adapted, actual_bps: FloatArray) -> None:
        """Take in what became of a forecast; series whose actual rate is NaN learn nothing."""
        known = ~np.isnan(actual_bps)
        if not known.any():
            return
        kept = np.exp(-1 / _MEMORY)
        errors = np.abs(adapted.rivals_bps - actual_bps)
        self._errors = np.where(known, kept * self._errors + errors, self._errors)
        learnt = adapted.rivals_bps[0]
        self._forecast = np.where(known, kept * self._forecast + learnt, self._forecast)
        self._actual = np.where(known, kept * self._actual + actual_bps, self._actual)
        band = adapted.band
        missed = np.stack([actual_bps < band.lower_bps, actual_bps > band.upper_bps])
        excess = np.where(known, missed - MISSES / 2, 0.0)
        common = excess[:, known].mean(axis=1, keepdims=True)
        self._widths += self._patience * (_COMMON_STEP * common + _OWN_STEP * excess)
        np.clip(self._widths, -_WIDEST, _WIDEST, out=self._widths)

    def _correction(self) -> FloatArray:
        """(series,): what the learnt forecast should have been multiplied by."""
        doubt = max(float(self._forecast.mean()) * 1e-2, 1.0)  # little traffic teaches little
        ratio = (self._actual + doubt) / (self._forecast + doubt)
        return np.clip(ratio, 1 / _LARGEST_CORRECTION, _LARGEST_CORRECTION)

    def _weights(self) -> FloatArray:
        """(rivals, series): the share of each, 1 in sum."""
        relative = self._errors / np.maximum(self._errors[-1], 1.0)
        logits = -_BELIEF * relative
        logits[0] += _FAVOURED
        raised = np.exp(logits - logits.max(axis=0))
        return np.asarray(raised / raised.sum(axis=0))
