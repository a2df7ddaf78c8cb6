"""Counters that are not to be trusted: stuck ones and jumping ones.

Two witnesses are heard. The model says how likely a rate is, given all the others; the links say
whether what enters them is what they carry. A surge is unlikely, but the links carry it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generators.gaps import BoolArray
from generators.link_constraints import error_of_loads
from generators.schedule import FloatArray

_LEAST_EVIDENCE = 5.0
"""Of the links, in nats, that a rate is another one."""
_MOST_SQUARED = 25.0
"""Squared errors of a load beyond which it says nothing more: other counters are off, too."""
_EXPLAINED = 3.0
"""What the links miss is this many times what the model misses of a rate, or a third, at most."""
_LEAST_LOAD = 1e-4
"""Of the largest: what an idle link carries is not exactly known, either."""


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

    Outside of its interval, or exactly zero against expectation, a rate is corrupt if the links
    that it crosses are likelier to carry another one, about as far off as the model says. Where no
    link is known, none is: a surge would look the same.

    Args:
        rates_bps: as counted, NaN for gaps.
        expected_bps: what the model would put in the place of each.
        implausible: by `implausibility`.
        link_bps: (links,) loads, NaN where unknown.
        crossing: (links, pairs) share of the pair's traffic that reaches the link.
    """
    heard = np.isfinite(link_bps)[:, None] & (crossing > 0)
    unlikely = (implausible > 0) | ((rates_bps == 0) & (expected_bps > 0))
    unlikely &= heard.any(axis=0)
    suspects = np.zeros(len(rates_bps), dtype=bool)
    best_bps = np.where(np.isnan(rates_bps), expected_bps, rates_bps)
    while True:  # what one corrupt counter hides shows once that one is put right
        links = _Links.left_by(best_bps, link_bps, crossing)
        evidence, change_bps = np.zeros(len(rates_bps)), np.zeros(len(rates_bps))
        for pair in np.flatnonzero(unlikely & ~suspects):
            over = heard[:, pair]
            missed_bps = expected_bps[pair] - rates_bps[pair]
            evidence[pair], change_bps[pair] = links.evidence(
                over, crossing[over, pair], missed_bps
            )
        strongest = np.where(heard, evidence, 0.0).max(axis=1, initial=0.0)
        foremost = ((evidence >= strongest[:, None]) | ~heard).all(axis=0)
        found = (evidence > _LEAST_EVIDENCE) & foremost
        if not found.any():
            return suspects
        suspects |= found
        best_bps[found] = np.maximum(best_bps + change_bps, 0.0)[found]


@dataclass(frozen=True)
class _Links:
    """What the rates leave unexplained of the loads, and how far those may be off, (links,)."""

    left_bps: FloatArray
    error_bps: FloatArray

    @classmethod
    def left_by(cls, rates_bps: FloatArray, link_bps: FloatArray, crossing: FloatArray) -> _Links:
        left_bps = link_bps - crossing @ rates_bps
        least_bps = _LEAST_LOAD * np.nan_to_num(link_bps).max(initial=0.0) + 1.0
        error = error_of_loads(left_bps, link_bps)
        return cls(left_bps, error * np.maximum(link_bps, least_bps))

    def evidence(
        self, over: BoolArray, share: FloatArray, missed_bps: float
    ) -> tuple[float, float]:
        """Log-likelihood ratio of a rate that is off by the likeliest change, and that change.

        Each link that the pair crosses proposes a change, and so do all of them together.

        Args:
            over: (links,) those that the pair crosses.
            share: of the pair that reaches each of them.
            missed_bps: by which the rate should change according to the model.
        """
        left, error = self.left_bps[over], self.error_bps[over]
        precision = (share / error) ** 2
        together = (precision * left / share).sum() / precision.sum()
        changes = np.append(left / share, together)
        changes = changes[changes * missed_bps > 0]
        ratio = changes / missed_bps
        changes = changes[(ratio < _EXPLAINED) & (ratio > 1 / _EXPLAINED)]
        if not len(changes):
            return 0.0, 0.0
        before = np.minimum((left / error) ** 2, _MOST_SQUARED)
        off = (left - share * changes[:, None]) / error
        gains = (before - np.minimum(off**2, _MOST_SQUARED)).sum(axis=1) / 2
        best = int(gains.argmax())
        return float(gains[best]), float(changes[best])
