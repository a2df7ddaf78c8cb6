"""How sure a gain is that was measured by some seeds on some episodes: both were drawn by chance.

The pigeonhole bootstrap draws seeds and episodes anew, independently of each other, and takes the
cells where drawn rows and drawn columns meet: A. B. Owen, "The pigeonhole bootstrap", Annals of
Applied Statistics 1(2), 2007. Its intervals are rather too wide than too narrow.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.report import Interval

FloatArray = npt.NDArray[np.float64]

_RESAMPLES = 4000
_PERCENTILES = (2.5, 97.5)


def gain_percent(costs: FloatArray, against: FloatArray) -> float:
    """By how much the sum of costs is below that of others; both (seeds, episodes), not negative.

    Returns:
        Percent of the others; negative: a loss.
    """
    return 100 * (1 - float(costs.sum() / against.sum()))


def gain_interval(costs: FloatArray, against: FloatArray) -> Interval:
    """Where `gain_percent` lies with a probability of 95 %; the same figures give the same."""
    random = np.random.default_rng(0)
    seeds, episodes = (
        random.multinomial(count, np.full(count, 1 / count), _RESAMPLES) for count in costs.shape
    )

    def drawn(cells: FloatArray) -> FloatArray:
        return np.asarray(((seeds @ cells) * episodes).sum(axis=1))

    gains = 100 * (1 - drawn(costs) / drawn(against))
    low, high = np.percentile(gains, _PERCENTILES)
    return Interval(float(low), float(high))
