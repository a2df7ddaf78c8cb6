"""Gaps in telemetry: how they look in training, and what is last known of every pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generators.schedule import FloatArray

RECENT = 12
"""Vectors before the current one that the VAE is trained with."""
MAX_AGE = RECENT
"""Steps; what is older counts as so old."""

_FADING = 0.7

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class LastKnown:
    """What went before: (..., pairs) each, NaN for a rate where nothing is known."""

    rates_bps: FloatArray
    """The newest."""
    mean_bps: FloatArray
    """Of all that is known, each step weighing `_FADING` times the next."""
    age_steps: FloatArray
    """Of the newest, from 1 to MAX_AGE; MAX_AGE where nothing is known."""


def last_known(recent_bps: FloatArray) -> LastKnown:
    """Read `recent_bps` (..., W, pairs), oldest first, NaN for gaps; W may be zero."""
    steps, pairs = recent_bps.shape[-2:]
    newest = np.full((*recent_bps.shape[:-2], pairs), np.nan)
    age = np.full(newest.shape, float(MAX_AGE))
    for step in range(steps):
        row = recent_bps[..., step, :]
        known = ~np.isnan(row)
        newest = np.where(known, row, newest)
        age = np.where(known, float(min(steps - step, MAX_AGE)), age)
    weight = _FADING ** np.arange(steps)[::-1, None] * ~np.isnan(recent_bps)
    total = (weight * np.nan_to_num(recent_bps)).sum(axis=-2)
    weights = weight.sum(axis=-2)
    mean = np.where(weights > 0, total / np.where(weights > 0, weights, 1.0), np.nan)
    return LastKnown(newest, mean, age)


def random_cells(random: np.random.Generator, count: int, pairs: int) -> BoolArray:
    """Return (count, RECENT + 1, pairs): cells missing independently, 5 to 50 % of them."""
    share = random.uniform(0.05, 0.5, (count, 1, 1))
    return np.asarray(random.random((count, RECENT + 1, pairs)) < share)


def silent_sources(random: np.random.Generator, count: int, source: FloatArray) -> BoolArray:
    """Return (count, RECENT + 1, pairs): all pairs of one or two sources missing up to now.

    `source` (pairs,) is the index of each pair's origin. A silence has lasted for 1 to RECENT + 1
    steps: the longest leaves nothing known of its pairs.
    """
    hosts = int(source.max()) + 1
    silent = random.integers(0, hosts, (count, 2))
    lone = random.random(count) < 0.7
    silent[lone, 1] = silent[lone, 0]
    blocked = (source == silent[:, :1]) | (source == silent[:, 1:])
    since = random.integers(0, RECENT + 1, (count, 1))
    gone = np.arange(RECENT + 1) >= since
    return np.asarray(gone[:, :, None] & blocked[:, None, :])
