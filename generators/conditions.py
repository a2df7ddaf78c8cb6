"""What made traffic is conditional on, step by step: the time of the week and the load.

The load is the normal score of the network's total, averaged over the twelve steps around (an hour,
where a step is five minutes): 0 is the median of the history, 1.28 its busiest tenth. Where nobody
asks for a load, it is drawn from a model of its own: the daily and weekly course, and noise that
remembers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.ndimage import uniform_filter1d
from scipy.special import ndtri
from scipy.stats import rankdata

from generators.history.structure import WEEK_S, History
from generators.noise import fit_noise, processes
from generators.schedule import FloatArray

_DAY_S = 86_400.0
_HARMONICS = 3
_SMOOTHED_STEPS = 12
_RIDGE = 1.0
"""Observations that say zero: a coefficient that the history cannot tell stays small."""
_LEVEL_NOISE = 0.3
"""Of the load's noise, around a load that was asked for."""
PEAK_SHARE = 0.1
_MOST_TIMES = 512


def calendar(times_s: FloatArray) -> FloatArray:
    """Return (steps, features) of times in seconds after Monday 00:00."""
    angle = 2 * np.pi * times_s / _DAY_S
    daily = [f(k * angle) for k in range(1, _HARMONICS + 1) for f in (np.sin, np.cos)]
    weekend = (times_s % WEEK_S >= 5 * _DAY_S).astype(float)
    weekly = [weekend, weekend * daily[0], weekend * daily[1]]
    return np.stack([np.ones_like(times_s), *daily, *weekly], axis=1)


FEATURES = calendar(np.zeros(1)).shape[1] + 1


def features(times_s: FloatArray, load: FloatArray) -> FloatArray:
    """Return (steps, FEATURES): the calendar, and the load."""
    return np.column_stack([calendar(times_s), load])


def measured_load(totals_bps: FloatArray) -> FloatArray:
    """Return (steps,): the load that the totals (steps,) of a history mean."""
    smooth = uniform_filter1d(totals_bps, min(_SMOOTHED_STEPS, len(totals_bps)), mode="nearest")
    return np.asarray(ndtri((rankdata(smooth) - 0.5) / len(smooth)))


def regress(inputs: FloatArray, outputs: FloatArray) -> FloatArray:
    """Return the coefficients (features, outputs) of a ridge regression."""
    gram = inputs.T @ inputs + _RIDGE * np.eye(inputs.shape[1])
    return np.asarray(np.linalg.solve(gram, inputs.T @ outputs))


@dataclass(frozen=True)
class LoadModel:
    """Draws loads, and times of the week at which the network is busy."""

    course: FloatArray
    """Coefficients of the calendar."""
    noise: FloatArray
    """Standard deviation of each relaxation time."""
    busy_s: FloatArray
    """Times of the week of the busiest tenth of the history."""

    @classmethod
    def fit(cls, history: History) -> LoadModel:
        """Learn from a history without gaps."""
        load = measured_load(history.rates_bps.sum(axis=1))
        times_s = calendar(history.times_s)
        course = regress(times_s, load)
        noise = fit_noise((load - times_s @ course)[:, None])
        deviations = np.sqrt((noise.loadings**2).sum(axis=1) + noise.own**2)[:, 0]
        busy_s = history.times_s[load >= np.quantile(load, 1 - PEAK_SHARE)]
        return cls(course, deviations, busy_s[:: 1 + len(busy_s) // _MOST_TIMES])

    def draw(self, times_s: FloatArray, random: torch.Generator) -> FloatArray:
        """Return (steps,): a load as it may be at these times."""
        return np.asarray(calendar(times_s) @ self.course + self._noise(len(times_s), random))

    def around(self, level: float, steps: int, random: torch.Generator) -> FloatArray:
        """Return (steps,): a load around `level`."""
        return np.asarray(level + _LEVEL_NOISE * self._noise(steps, random))

    def _noise(self, steps: int, random: torch.Generator) -> FloatArray:
        made = processes(random, 1, steps, 1, 1).double().numpy()[:, 0, :, 0]
        return np.asarray(self.noise @ made)

    def document(self) -> dict[str, Any]:
        """Return what `from_document` reads."""
        return {
            name: torch.from_numpy(np.ascontiguousarray(getattr(self, name)))
            for name in ("course", "noise", "busy_s")
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> LoadModel:
        """Read what `document` gave."""
        return cls(*(document[name].numpy() for name in ("course", "noise", "busy_s")))
