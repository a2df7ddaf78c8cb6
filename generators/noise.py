"""Correlated noise over time and pairs: what a Gaussian model of the history's scores needs.

The noise is a sum of Ornstein-Uhlenbeck processes with fixed relaxation times, each with a
covariance of its own over the pairs: a mixture of exponentials fits the autocorrelation of traffic
from minutes to days, long memory included (as in superpositions of AR(1) processes: Granger,
"Long memory relationships and the aggregation of dynamic models", J. Econometrics 14, 1980).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from generators.schedule import FloatArray

RELAXATION_STEPS = (0.0, 3.0, 12.0, 48.0, 240.0)
"""Of each process; the first is white."""
FACTORS = 24
"""Directions common to all pairs that each process keeps; the rest is each pair's own."""


@dataclass(frozen=True)
class NoiseModel:
    """Covariance over the pairs for each relaxation time: low rank and a diagonal."""

    loadings: FloatArray
    """(times, factors, pairs)."""
    own: FloatArray
    """(times, pairs): standard deviation of what a pair has for itself."""


def fit_noise(series: FloatArray) -> NoiseModel:
    """Fit the autocovariances of `series` (steps, pairs; mean zero) by least squares.

    Each relaxation time gets the part that least squares gives it, made positive semidefinite.
    """
    steps, pairs = series.shape
    longest = max(2, min(steps // 3, 288))
    lags = np.unique(np.round(np.geomspace(1, longest, 24)).astype(int))
    lags = np.concatenate([[0], lags])
    basis = np.stack([_decay(lags, time) for time in RELAXATION_STEPS], axis=1)
    weights = np.linalg.pinv(basis, rcond=1e-3)
    parts = np.zeros((len(RELAXATION_STEPS), pairs, pairs))
    for column, lag in enumerate(lags):
        covariance = series[: steps - lag].T @ series[lag:] / (steps - lag)
        symmetric = (covariance + covariance.T) / 2
        parts += weights[:, column, None, None] * symmetric
    return _positive(parts, series.var(axis=0))


def _decay(lags: np.ndarray[tuple[int], np.dtype[np.int_]], time: float) -> FloatArray:
    return np.exp(-lags / time) if time else (lags == 0).astype(float)


def _positive(parts: FloatArray, variance: FloatArray) -> NoiseModel:
    """The nearest covariances, scaled per pair such that they sum up to the variance."""
    factors = min(FACTORS, parts.shape[1])
    loadings, own = [], []
    for part in parts:
        values, vectors = np.linalg.eigh(part)
        values = values.clip(min=0.0)
        diagonal = (vectors**2 * values).sum(axis=1)
        low_rank = np.sqrt(values[-factors:])[:, None] * vectors[:, -factors:].T
        loadings.append(low_rank)
        own.append(np.sqrt((diagonal - (low_rank**2).sum(axis=0)).clip(min=0.0)))
    total = (np.stack(loadings) ** 2).sum(axis=(0, 1)) + (np.stack(own) ** 2).sum(axis=0)
    scale = np.sqrt(variance / np.maximum(total, 1e-12))
    return NoiseModel(np.stack(loadings) * scale, np.stack(own) * scale)


def processes(random: torch.Generator, batch: int, steps: int, width: int, stride: int) -> Tensor:
    """Return (times, batch, steps, width) of unit variance, `stride` steps apart."""
    persistence = torch.tensor(
        [np.exp(-stride / time) if time else 0.0 for time in RELAXATION_STEPS]
    )
    persistence = persistence.float().view(-1, 1, 1)
    fresh = (1 - persistence**2).sqrt()
    shocks = torch.randn(steps, len(RELAXATION_STEPS), batch, width, generator=random)
    states = [shocks[0]]
    for shock in shocks[1:]:
        states.append(persistence * states[-1] + fresh * shock)
    return torch.stack(states, dim=2)
