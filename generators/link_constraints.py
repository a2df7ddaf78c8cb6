"""OD rates that agree with the loads of the links that carry them.

Tomogravity (Zhang, Roughan, Duffield, Greenberg, "Fast accurate computation of large-scale IP
traffic matrices from link loads", SIGMETRICS 2003): of all rates that explain the loads take those
nearest to a first guess, by least squares that weigh each rate by how uncertain it is. Here the
guess is the VAE's rather than a gravity model's, the loads may be a little wrong, and no rate is
negative.
"""

from __future__ import annotations

import numpy as np

from generators.gaps import BoolArray
from generators.schedule import FloatArray

_ROUNDS = 20
_TINY = 1e-9
"""Of the largest load or guess."""


def agreeing_with_links(
    guess_bps: FloatArray,
    spread_bps: FloatArray,
    missing: BoolArray,
    link_bps: FloatArray,
    crossing: FloatArray,
    tolerance: float,
) -> FloatArray:
    """Return the rates (pairs,) with those that are `missing` moved to explain the loads.

    Args:
        guess_bps: (pairs,) observed rates, and guesses where they are missing.
        spread_bps: (pairs,) how far a guess may be off.
        missing: (pairs,) which are guesses.
        link_bps: (links,) loads, NaN where unknown.
        crossing: (links, pairs) share of the pair's traffic that reaches the link.
        tolerance: how far a load may be off, as a share of it.
    """
    known = np.isfinite(link_bps) & crossing[:, missing].any(axis=1)
    if not known.any():
        return guess_bps
    over = crossing[np.ix_(known, missing)]
    left_bps = link_bps[known] - crossing[np.ix_(known, ~missing)] @ guess_bps[~missing]
    scale = max(link_bps[known].max(), guess_bps.max(), 1.0)
    slack = (tolerance * link_bps[known] / scale) ** 2 + _TINY
    guess, spread = guess_bps[missing] / scale, spread_bps[missing] / scale + _TINY
    agreed = guess_bps.copy()
    agreed[missing] = scale * _nearest(guess, spread**2, over, left_bps / scale, slack)
    return agreed


def _nearest(
    guess: FloatArray,
    variance: FloatArray,
    over: FloatArray,
    load: FloatArray,
    slack: FloatArray,
) -> FloatArray:
    """Minimise (x - guess)^2 / variance + (over x - load)^2 / slack over x >= 0.

    Solved in closed form, again and again without the rates that came out negative: they are zero.
    """
    free = np.ones(len(guess), dtype=bool)
    rates = guess
    for _ in range(_ROUNDS):
        part = over[:, free]
        covariance = variance[free, None] * part.T
        gain = np.linalg.solve(part @ covariance + np.diag(slack), load - part @ guess[free])
        rates = np.zeros(len(guess))
        rates[free] = guess[free] + covariance @ gain
        if (rates >= 0).all():
            return rates
        free &= rates >= 0
    return np.maximum(rates, 0.0)
