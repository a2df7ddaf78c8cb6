"""Simple makers of traffic that the GAN must be better than: they go on where a history ends."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from generators.schedule import FloatArray

_BLOCK_S = 2 * 3600.0
_DAY_S = 86_400.0


def block_bootstrap(
    training_bps: FloatArray, steps: int, step_s: float, random: np.random.Generator
) -> FloatArray:
    """Return (steps, pairs): blocks of two hours of the history, at their time of the day.

    Künsch, "The jackknife and the bootstrap for general stationary observations", Annals of
    Statistics 17(3), 1989; seasonal: a block keeps its time of the day.
    """
    known = len(training_bps)
    block, day = min(known, max(1, round(_BLOCK_S / step_s))), max(1, round(_DAY_S / step_s))
    parts = []
    for first in range(0, steps, block):
        starts = np.arange((known + first) % day, known - block + 1, day)
        start = int(random.choice(starts) if len(starts) else random.integers(known - block + 1))
        parts.append(training_bps[start : start + block])
    return np.concatenate(parts)[:steps]


def copula_ar(
    training_bps: FloatArray, steps: int, step_s: float, random: np.random.Generator
) -> FloatArray:
    """Return (steps, pairs): the mean course of a day, and correlated AR(1) noise, as ranks.

    A Gaussian copula over the pairs with the empirical distribution of each (Cario and Nelson,
    "Modeling and generating random vectors with arbitrary marginal distributions", 1997).
    """
    known, pairs = training_bps.shape
    scores = ndtri((rankdata(training_bps, axis=0) - 0.5) / known)
    day = min(known, max(1, round(_DAY_S / step_s)))
    course = np.stack([scores[phase::day].mean(axis=0) for phase in range(day)])
    rest = scores - course[np.arange(known) % day]
    power = np.maximum((rest**2).sum(axis=0), 1e-12)
    persistence = np.clip((rest[1:] * rest[:-1]).sum(axis=0) / power, -0.99, 0.999)
    shocks = rest[1:] - persistence * rest[:-1]
    covariance = np.cov(shocks, rowvar=False).reshape(pairs, pairs)
    made = np.empty((steps, pairs))
    state = rest[int(random.integers(known))]
    drawn = random.multivariate_normal(np.zeros(pairs), covariance, steps, method="eigh")
    for step, shock in enumerate(drawn):
        state = persistence * state + shock
        made[step] = course[(known + step) % day] + state
    ranks = ndtr(made)
    ordered = np.sort(training_bps, axis=0)
    shares = (np.arange(known) + 0.5) / known
    columns = [np.interp(r, shares, c) for r, c in zip(ranks.T, ordered.T, strict=True)]
    return np.stack(columns, axis=1)
