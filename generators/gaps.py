"""Gaps in telemetry: how they look in training, and what is known around one instant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generators.schedule import FloatArray

SPAN = 72
"""Steps before, and after, an instant that are looked at."""
NEIGHBOURS = 6
"""Known rates on either side of an instant that the VAE goes by."""

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Around:
    """The known rates nearest to an instant, nearest first: past ones, then future ones.

    (..., pairs, 2 x NEIGHBOURS) each; NaN and SPAN + 1 where there are fewer.
    """

    rates_bps: FloatArray
    age_steps: FloatArray
    """Distance in time, 1 or more."""


def around(past_bps: FloatArray, future_bps: FloatArray) -> Around:
    """Read (cases, steps, pairs) on either side, in the order of time, NaN for gaps."""
    rates, ages = zip(_nearest(past_bps[:, ::-1]), _nearest(future_bps), strict=True)
    return Around(np.concatenate(rates, axis=2), np.concatenate(ages, axis=2))


def _nearest(rates_bps: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The first NEIGHBOURS known of (cases, steps, pairs), with their distances."""
    cases, steps, pairs = rates_bps.shape
    nearest = np.full((cases * pairs, NEIGHBOURS), np.nan)
    age = np.full(nearest.shape, SPAN + 1.0)
    found = np.zeros(len(nearest), dtype=int)
    wanting = np.arange(len(nearest))
    for step in range(min(steps, SPAN)):
        row = rates_bps[:, step].ravel()[wanting]
        known = ~np.isnan(row)
        at = wanting[known]
        nearest[at, found[at]], age[at, found[at]] = row[known], step + 1.0
        found[at] += 1
        wanting = wanting[found[wanting] < NEIGHBOURS]
    shape = (cases, pairs, NEIGHBOURS)
    return nearest.reshape(shape), age.reshape(shape)


def random_cells(random: np.random.Generator, count: int, pairs: int) -> BoolArray:
    """Return (count, 2 SPAN + 1, pairs): cells missing independently, 5 to 95 % of them."""
    of_256 = random.integers(13, 244, (count, 1, 1))
    cells = random.integers(0, 256, (count, 2 * SPAN + 1, pairs), dtype=np.uint8)
    return np.asarray(cells < of_256)


def silent_sources(random: np.random.Generator, count: int, source: FloatArray) -> BoolArray:
    """Return (count, 2 SPAN + 1, pairs): all pairs of some sources missing in the middle.

    `source` (pairs,) is the index of each pair's origin: mostly one, or up to a third of them. A
    silence lasts for 1 to SPAN steps, short and long ones alike.
    """
    hosts = int(source.max()) + 1
    silent = random.integers(1, max(2, hosts // 3) + 1, (count, 1))
    silent[random.random(count) < 0.6] = 1
    rank = random.random((count, hosts)).argsort(axis=1)
    blocked = rank[:, source.astype(int)] < silent
    length = np.exp(random.uniform(0, np.log(SPAN + 1), (count, 1))).astype(int)
    since = SPAN - (random.random((count, 1)) * length).astype(int)
    step = np.arange(2 * SPAN + 1)
    gone = (step >= since) & (step < since + length)
    return np.asarray(gone[:, :, None] & blocked[:, None, :])
