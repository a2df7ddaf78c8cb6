"""How like real traffic made windows are, measured against history that was held out.

Distances of marginals and correlations are zero for a perfect maker; the other figures are read
beside those of the held-out windows themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generators.schedule import FloatArray

_FLOOR_OF_PAIR = 1e-3
_FLOOR_OF_NETWORK = 1e-6
_LARGEST_PAIRS = 60
"""Correlations are compared among the pairs that carry most of the traffic."""


@dataclass(frozen=True)
class Quality:
    """Figures of a set of windows; "log" is the natural logarithm of a rate."""

    marginal_distance: float
    """Wasserstein-1 distance of the log rates to the held-out ones, mean over pairs."""
    total_deviation: float
    """Standard deviation of the log total traffic."""
    total_deviation_within: float
    """The same around each window's own mean: without the daily cycle."""
    autocorrelation: float
    """Lag 1, of the log rates around each window's mean, averaged over pairs."""
    correlation_distance: float
    """Mean absolute difference to the held-out correlation matrix of the log rates."""
    nearest_training: float
    """Median over the windows of the root mean square difference of log rates to the nearest
    training window; one that repeats its training has nearly zero."""


def split_windows(rates_bps: FloatArray, window: int) -> FloatArray:
    """Return every window of `rates_bps` (steps, pairs) as (count, window, pairs), a view."""
    views = np.lib.stride_tricks.sliding_window_view(rates_bps, window, axis=0)
    return views.transpose(0, 2, 1)


def measure_quality(
    windows_bps: FloatArray, held_out_bps: FloatArray, training_bps: FloatArray
) -> Quality:
    """Measure `windows_bps` (count, window, pairs) against histories of shape (steps, pairs)."""
    window = windows_bps.shape[1]
    mean_bps = training_bps.mean(axis=0)
    floor_bps = _FLOOR_OF_PAIR * mean_bps + _FLOOR_OF_NETWORK * mean_bps.mean()
    made, held_out, training = (
        np.log(rates + floor_bps)
        for rates in (windows_bps, held_out_bps, split_windows(training_bps, window)[::3])
    )
    log_totals = np.log(windows_bps.sum(axis=2))
    within = log_totals - log_totals.mean(axis=1, keepdims=True)
    largest = np.argsort(-mean_bps)[:_LARGEST_PAIRS]
    flat = made.reshape(-1, made.shape[2])
    return Quality(
        marginal_distance=_marginal_distance(flat, held_out),
        total_deviation=float(log_totals.std()),
        total_deviation_within=float(within.std()),
        autocorrelation=_autocorrelation(made),
        correlation_distance=_correlation_distance(flat[:, largest], held_out[:, largest]),
        nearest_training=float(np.median(_nearest(made, training))),
    )


def bootstrap_windows(
    training_bps: FloatArray, window: int, count: int, random: np.random.Generator
) -> FloatArray:
    """The baseline: real training windows, each cell times lognormal noise of 10 %."""
    windows = split_windows(training_bps, window)
    drawn = windows[random.integers(0, len(windows), count)]
    return np.asarray(drawn * np.exp(0.1 * random.standard_normal(drawn.shape)))


def _marginal_distance(made: FloatArray, held_out: FloatArray) -> float:
    probabilities = np.linspace(0.005, 0.995, 100)
    difference = np.quantile(made, probabilities, axis=0) - np.quantile(
        held_out, probabilities, axis=0
    )
    return float(np.abs(difference).mean())


def _autocorrelation(windows: FloatArray) -> float:
    around = windows - windows.mean(axis=1, keepdims=True)
    power = (around**2).sum(axis=(0, 1))
    lagged = (around[:, 1:] * around[:, :-1]).sum(axis=(0, 1))
    moving = power > 0
    return float((lagged[moving] / power[moving]).mean())


def _correlation_distance(made: FloatArray, held_out: FloatArray) -> float:
    moving = (made.std(axis=0) > 0) & (held_out.std(axis=0) > 0)
    difference = _correlations(made[:, moving]) - _correlations(held_out[:, moving])
    return float(np.abs(difference[np.triu_indices(len(difference), 1)]).mean())


def _correlations(values: FloatArray) -> FloatArray:
    return np.atleast_2d(np.corrcoef(values, rowvar=False))


def _nearest(windows: FloatArray, training: FloatArray) -> npt.NDArray[np.float64]:
    """(count,) root mean square differences."""
    made = windows.reshape(len(windows), -1)
    known = training.reshape(len(training), -1)
    squares = (made**2).sum(1)[:, None] + (known**2).sum(1)[None, :] - 2 * made @ known.T
    return np.asarray(np.sqrt(squares.clip(min=0.0).min(axis=1) / made.shape[1]))
