"""Is there a trend in a short series, and how steep is it? By ranks, which wild values do not bend.

The slope of H. Theil (1950) and P. K. Sen ("Estimates of the regression coefficient based on
Kendall's tau", JASA 63, 1968), and the test of H. B. Mann (Econometrica 13, 1945) by the exact
distribution of M. G. Kendall ("A new measure of rank correlation", Biometrika 30, 1938).
scipy.stats has both, but takes a second of processor time to import, and a killed twin has to be
back in two.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from twin.indexing import FloatArray


def slope(times: FloatArray, values: FloatArray) -> float:
    """The median of the slopes between all pairs of points, which are at different times."""
    earlier, later = np.triu_indices(len(times), 1)
    return float(np.median((values[later] - values[earlier]) / (times[later] - times[earlier])))


def growth_confidence(values: FloatArray) -> float:
    """The probability that a series without trend would not grow so steadily.

    Equal values count as neither order, which only makes it smaller.
    """
    earlier, later = np.triu_indices(len(values), 1)
    score = int(np.sign(values[later] - values[earlier]).sum())
    inversions = (len(earlier) - score + 1) // 2
    counts = _permutations(len(values))
    return 1 - float(counts[: inversions + 1].sum() / counts.sum())


@lru_cache
def _permutations(length: int) -> FloatArray:
    """How many orders of so many values have 0, 1, ... inversions (the Mahonian numbers)."""
    counts = np.ones(1)
    for choices in range(2, length + 1):
        counts = np.convolve(counts, np.ones(choices))
    return counts
