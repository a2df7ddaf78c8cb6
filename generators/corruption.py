"""Counters that are not to be trusted: stuck ones and jumping ones.

Two witnesses are heard. The model says how likely a rate is, given all the others; the links say
whether what enters them is what they carry. A surge is unlikely, but the links carry it.
"""

from __future__ import annotations

import numpy as np

from generators.gaps import BoolArray
from generators.schedule import FloatArray

_HARDLY = 2.0
"""Widths of the interval that holds 90 %, outside of it: nothing else need speak against a rate."""
_SIGMAS = 3.0


def implausibility(rates_bps: FloatArray, low_bps: FloatArray, high_bps: FloatArray) -> FloatArray:
    """How far outside of its interval each rate lies, in widths of it; 0 inside and for NaN."""
    outside = np.maximum(low_bps - rates_bps, rates_bps - high_bps)
    width = high_bps - low_bps
    return np.nan_to_num(np.maximum(outside, 0.0) / np.where(width > 0, width, 1.0))


def corrupt(
    rates_bps: FloatArray,
    expected_bps: FloatArray,
    implausible: FloatArray,
    link_bps: FloatArray | None,
    crossing: FloatArray | None,
    tolerance: float,
) -> BoolArray:
    """Say which rates (pairs,) are not to be trusted.

    Outside of its interval, a rate is corrupt if every link that it crosses and whose load is known
    misses, or has left over, more than its own noise, the way that the model expects. Where no
    link is known, a rate has to be far outside.

    Args:
        rates_bps: as counted, NaN for gaps.
        expected_bps: what the model would put in the place of each.
        implausible: by `implausibility`.
        link_bps: (links,) loads, NaN where unknown.
        crossing: (links, pairs) share of the pair's traffic that reaches the link.
        tolerance: standard error of a load, as a share of it.
    """
    if link_bps is None or crossing is None:
        return implausible > _HARDLY
    heard = np.isfinite(link_bps)[:, None] & (crossing > 0)
    unlikely = implausible > np.where(heard.any(axis=0), 0.0, _HARDLY)
    noise_bps = _SIGMAS * tolerance * link_bps[:, None]
    suspects = np.zeros(len(rates_bps), dtype=bool)
    while True:  # what one corrupt counter hides shows once that one is put right
        best_bps = np.where(np.isnan(rates_bps) | suspects, expected_bps, rates_bps)
        left_bps = (link_bps - crossing @ best_bps)[:, None]
        as_expected = np.sign(left_bps) == np.sign(expected_bps - best_bps)
        contradicts = (np.abs(left_bps) > noise_bps) & as_expected
        found = unlikely & ~suspects & (contradicts | ~heard).all(axis=0)
        if not found.any():
            return suspects
        suspects |= found
