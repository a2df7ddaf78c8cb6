"""Gaps of a whole record filled with loads, every step by those before and after it."""

from __future__ import annotations

import numpy as np

from generators.estimate import Estimate
from generators.schedule import FloatArray
from generators.vae import TelemetryVae

_PASSES = 2
"""More make it worse again: what was told by loads is then taken for counted."""


def filled_with_loads(
    vae: TelemetryVae, rates_bps: FloatArray, link_bps: FloatArray, crossing: FloatArray
) -> Estimate:
    """What is thought of a record (steps, pairs), NaN for gaps, with the loads of every step.

    In the second pass each step goes by what the loads have told of those around it, too, as in
    iterated conditional modes (Besag, "On the statistical analysis of dirty pictures", JRSS B 48,
    1986).

    Args:
        vae: by which to go.
        rates_bps: the record.
        link_bps: (steps, links) loads, NaN where unknown.
        crossing: (links, pairs) share of the pair's traffic that reaches the link.
    """
    around_bps, error_bps = rates_bps, np.zeros(rates_bps.shape)
    for _ in range(_PASSES):
        guessed = vae.estimate(rates_bps, future=True, surroundings_bps=around_bps)
        steps, informed = [], []
        for step, rates in enumerate(rates_bps):
            thought = guessed.at(step)
            agreed = thought.agreeing(rates, error_bps[step], link_bps[step], crossing)
            steps.append(agreed)
            informed.append(thought.told(rates, agreed))
        known = np.array([one.told for one in steps]) | ~np.isnan(rates_bps)
        around_bps = np.where(known, [one.rates_bps for one in steps], np.nan)
        error_bps = _of_neighbours(np.where(known, [one.error_bps for one in steps], 0.0))
    return Estimate(
        np.array([one.median_bps for one in informed]),
        np.array([one.low_bps for one in informed]),
        np.array([one.high_bps for one in informed]),
    )


def _of_neighbours(error_bps: FloatArray) -> FloatArray:
    """Standard error of the mean of the steps before and after each, (steps, pairs)."""
    padded = np.pad(error_bps, ((1, 1), (0, 0)))
    return np.hypot(padded[:-2], padded[2:]) / 2
