"""Counters that are not to be trusted: stuck ones and jumping ones.

Two witnesses are heard. The model says how likely a rate is, given all the others; the links say
whether what enters them is what they carry. A surge is unlikely, but the links carry it.
"""

from __future__ import annotations

import numpy as np

from generators.gaps import BoolArray
from generators.schedule import FloatArray

_SIGMAS = 2.0
_LEAST_ERROR = 0.01
"""Standard error of a load, as a share of it: counters of ports and of flows are not read at the
same instant. Where loads disagree with rates by more all over the network, that counts."""
_EXPLAINED = 3.0
"""What the links miss is this many times what the model misses of a rate, or a third, at most."""
_SIGMAS_OF_MEDIAN = 1.4826
"""Of a normal distribution, per median of the absolute errors."""


def implausibility(rates_bps: FloatArray, low_bps: FloatArray, high_bps: FloatArray) -> FloatArray:
    """How far outside of its interval each rate lies, in widths of it; 0 inside and for NaN."""
    outside = np.maximum(low_bps - rates_bps, rates_bps - high_bps)
    width = high_bps - low_bps
    return np.nan_to_num(np.maximum(outside, 0.0) / np.where(width > 0, width, 1.0))


def corrupt(
    rates_bps: FloatArray,
    expected_bps: FloatArray,
    implausible: FloatArray,
    link_bps: FloatArray,
    crossing: FloatArray,
) -> BoolArray:
    """Say which rates (pairs,) are not to be trusted.

    Outside of its interval, a rate is corrupt if every link that it crosses and whose load is known
    misses, or has left over, about what the model does. Where no link is known, none is: a
    surge would look the same.

    Args:
        rates_bps: as counted, NaN for gaps.
        expected_bps: what the model would put in the place of each.
        implausible: by `implausibility`.
        link_bps: (links,) loads, NaN where unknown.
        crossing: (links, pairs) share of the pair's traffic that reaches the link.
    """
    heard = np.isfinite(link_bps)[:, None] & (crossing > 0)
    unlikely = (implausible > 0) & heard.any(axis=0)
    suspects = np.zeros(len(rates_bps), dtype=bool)
    while True:  # what one corrupt counter hides shows once that one is put right
        best_bps = np.where(np.isnan(rates_bps) | suspects, expected_bps, rates_bps)
        left_bps = link_bps - crossing @ best_bps
        noise_bps = _SIGMAS * _load_error(left_bps, link_bps) * link_bps
        change_bps = expected_bps - best_bps
        supports_bps = left_bps[:, None] * np.sign(change_bps)
        contradicted = (supports_bps > noise_bps[:, None]) | ~heard
        least_bps = np.where(heard, supports_bps, np.inf).min(axis=0)
        as_much = least_bps < _EXPLAINED * np.abs(change_bps)
        as_much &= least_bps > np.abs(change_bps) / _EXPLAINED
        found = unlikely & ~suspects & contradicted.all(axis=0) & as_much
        if not found.any():
            return suspects
        suspects |= found


def _load_error(left_bps: FloatArray, link_bps: FloatArray) -> float:
    """Standard error of loads, as a share; from the median, which single counters do not move."""
    loaded = link_bps > 0
    if not loaded.any():
        return _LEAST_ERROR
    median = np.median(np.abs(left_bps[loaded]) / link_bps[loaded])
    return max(_LEAST_ERROR, _SIGMAS_OF_MEDIAN * float(median))
