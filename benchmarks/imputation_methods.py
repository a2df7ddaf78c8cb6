"""Plain ways to fill gaps in a record of OD rates, (steps, pairs) with NaN for gaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from generators.schedule import FloatArray

Fill = Callable[[FloatArray, FloatArray], FloatArray]
"""Told the gapless history before and a record; returns the record without gaps."""

_FADING = 0.7
_NEIGHBOURS = 10
_SHRINKAGES = (0.3, 0.1, 0.03, 0.01)
_ITERATIONS = 30
_SET_ASIDE = 0.05


def mean(history: FloatArray, seen: FloatArray) -> FloatArray:
    """The mean of the history."""
    return np.where(np.isnan(seen), history.mean(axis=0), seen)


def last_value(history: FloatArray, seen: FloatArray) -> FloatArray:
    """The last known rate."""
    return _carried(history[-1], seen, 0.0)


def smoothing(history: FloatArray, seen: FloatArray) -> FloatArray:
    """The exponentially weighted mean of what was known."""
    return _carried(history[-1], seen, _FADING)


def _carried(before: FloatArray, seen: FloatArray, inertia: float) -> FloatArray:
    filled = seen.copy()
    for row in filled:
        known = ~np.isnan(row)
        before = np.where(known, inertia * before + (1 - inertia) * row, before)
        row[~known] = before[~known]
    return filled


def linear(history: FloatArray, seen: FloatArray) -> FloatArray:
    """A straight line from the last known rate to the next: knows the future."""
    filled = np.vstack([history[-1], seen])
    steps = np.arange(len(filled))
    for rates in filled.T:
        known = ~np.isnan(rates)
        rates[~known] = np.interp(steps[~known], steps[known], rates[known])
    return filled[1:]


def nearest_steps(history: FloatArray, seen: FloatArray) -> FloatArray:
    """K nearest neighbours: the steps of the history most like what is known of the step."""
    spread = history.std(axis=0) + 1e-9 * history.std()
    library = history / spread
    known = ~np.isnan(seen)
    rows = np.nan_to_num(seen) / spread
    square = (rows**2).sum(axis=1, keepdims=True) - 2 * rows @ library.T + known @ (library**2).T
    nearest = np.argpartition(square, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]
    return np.where(known, seen, history[nearest].mean(axis=1))


def low_rank(history: FloatArray, seen: FloatArray) -> FloatArray:
    """Soft-impute (Mazumder, Hastie, Tibshirani, JMLR 2010) on the record and as much before it.

    The shrinkage is the one that fills known cells, set aside, best. Knows the future.
    """
    together = np.vstack([history[-len(seen) :], seen])
    middle, spread = history.mean(axis=0), history.std(axis=0) + 1e-9 * history.std()
    scaled = (together - middle) / spread
    known = ~np.isnan(scaled)
    aside = known & (np.random.default_rng(0).random(scaled.shape) < _SET_ASIDE)
    trial = np.where(aside, np.nan, scaled)

    def error(shrinkage: float) -> float:
        return float((np.abs(_soft_imputed(trial, shrinkage) - scaled) * spread)[aside].sum())

    best = _soft_imputed(scaled, min(_SHRINKAGES, key=error))[-len(seen) :]
    return np.where(np.isnan(seen), np.maximum(best * spread + middle, 0.0), seen)


def _soft_imputed(scaled: FloatArray, shrinkage: float) -> FloatArray:
    known = ~np.isnan(scaled)
    filled = np.nan_to_num(scaled)
    for _ in range(_ITERATIONS):
        left, values, right = np.linalg.svd(filled, full_matrices=False)
        values = np.maximum(values - shrinkage * values[0], 0.0)
        filled = np.where(known, scaled, (left * values) @ right)
    return filled


CAUSAL: Mapping[str, Fill] = {
    "mean": mean,
    "last value": last_value,
    "smoothing": smoothing,
    "KNN": nearest_steps,
}
"""Go by the past, and by the rest of the step."""
LOOKING_BACK: Mapping[str, Fill] = {**CAUSAL, "linear": linear, "SVD": low_rank}
"""Those, and the ones that know the whole record."""
