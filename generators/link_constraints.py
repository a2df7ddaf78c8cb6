"""OD rates that agree with the loads of the links that carry them.

Tomogravity (Zhang, Roughan, Duffield, Greenberg, "Fast accurate computation of large-scale IP
traffic matrices from link loads", SIGMETRICS 2003): of all rates that explain the loads take those
nearest to a first guess, by least squares that weigh each rate by how uncertain it is. Here the
guess is the VAE's rather than a gravity model's, the loads may be a little wrong, and no rate is
negative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generators.gaps import BoolArray
from generators.schedule import FloatArray

LEAST_LOAD_ERROR = 0.01
"""Standard error of a load, as a share of it: counters of ports and of flows are not read at the
same instant. Where loads disagree with rates by more all over the network, that counts."""

_FREEDOM = 3.0
"""Degrees of freedom of Student's t, by which guesses are off: a few of them far."""
_REWEIGHTINGS = 3
_ROUNDS = 20
_TINY = 1e-9
"""Of the largest load or guess."""
_SIGMAS_OF_MEDIAN = 1.4826
"""Of a normal distribution, per median of the absolute errors."""
_TOLD = 0.5
_ENOUGH_LINKS = 5
"""For a median that says something."""


@dataclass(frozen=True)
class Agreed:
    """Rates that explain the loads, and how sure they are, (pairs,) each."""

    rates_bps: FloatArray
    error_bps: FloatArray
    """Standard error; zero of what was observed."""
    told: BoolArray
    """Guesses that the loads have made twice as sure, at least."""


def agreeing_with_links(
    guess_bps: FloatArray,
    error_bps: FloatArray,
    missing: BoolArray,
    link_bps: FloatArray,
    crossing: FloatArray,
    load_error: float,
) -> Agreed:
    """Return the rates (pairs,) with those that are `missing` moved to explain the loads.

    Args:
        guess_bps: (pairs,) observed rates, and guesses where they are missing.
        error_bps: (pairs,) how far guesses are off: the scale of Student's t.
        missing: (pairs,) which are guesses.
        link_bps: (links,) loads, NaN where unknown.
        crossing: (links, pairs) share of the pair's traffic that reaches the link.
        load_error: standard error of a load, as a share of it.
    """
    agreed, error = guess_bps.copy(), np.where(missing, error_bps, 0.0)
    known = np.isfinite(link_bps) & crossing[:, missing].any(axis=1)
    if not known.any():
        return Agreed(agreed, error, np.zeros(len(missing), dtype=bool))
    over = crossing[np.ix_(known, missing)]
    left_bps = link_bps[known] - crossing[np.ix_(known, ~missing)] @ guess_bps[~missing]
    scale = max(link_bps[known].max(), guess_bps.max(), 1.0)
    slack = (load_error * link_bps[known] / scale) ** 2 + _TINY
    guess, variance = guess_bps[missing] / scale, (error_bps[missing] / scale + _TINY) ** 2
    rates, variance = _likeliest(guess, variance, over, left_bps / scale, slack)
    agreed[missing] = scale * rates
    error[missing] = scale * np.sqrt(_remaining(variance, over, slack))
    return Agreed(agreed, error, missing & (error < _TOLD * error_bps))


def error_of_known_loads(
    rates_bps: FloatArray, missing: BoolArray, link_bps: FloatArray, crossing: FloatArray
) -> float:
    """Standard error of loads, as a share, from the links that no missing pair crosses."""
    sure = np.isfinite(link_bps) & ~crossing[:, missing].any(axis=1)
    carried_bps = crossing[np.ix_(sure, ~missing)] @ rates_bps[~missing]
    return error_of_loads(link_bps[sure] - carried_bps, link_bps[sure])


def error_of_loads(left_bps: FloatArray, link_bps: FloatArray) -> float:
    """Standard error of loads, as a share; from the median, which single counters do not move.

    `left_bps` (links,) is what the rates leave unexplained of the loads.
    """
    loaded = link_bps > 0
    if loaded.sum() < _ENOUGH_LINKS:
        return LEAST_LOAD_ERROR
    median = np.median(np.abs(left_bps[loaded]) / link_bps[loaded])
    return max(LEAST_LOAD_ERROR, _SIGMAS_OF_MEDIAN * float(median))


def _likeliest(
    guess: FloatArray,
    variance: FloatArray,
    over: FloatArray,
    load: FloatArray,
    slack: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """The rates, and how variable each guess is in the light of them.

    Least squares, reweighted: whatever moved far had been that uncertain.
    """
    weighed = variance
    for _ in range(_REWEIGHTINGS):
        off = _nearest(guess, weighed, over, load, slack) - guess
        weighed = variance + off**2 / (_FREEDOM + 1)
    return _nearest(guess, weighed, over, load, slack), weighed


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


def _remaining(variance: FloatArray, over: FloatArray, slack: FloatArray) -> FloatArray:
    """Variance of each rate once the loads are known."""
    covariance = variance[:, None] * over.T
    gain = np.linalg.solve(over @ covariance + np.diag(slack), covariance.T)
    return np.asarray(np.maximum(variance - (covariance * gain.T).sum(axis=1), 0.0))
