"""What forecasts the next intervals of every OD pair, and the naive one: persistence."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from twin.band import Band
from twin.indexing import FloatArray

HORIZONS = 3
"""Intervals ahead."""
LOOKBACK = 6
"""Intervals that a forecast rests on; where fewer are known, the first stands for those before."""
BEGUN = 0.2
"""Of the last total: an interval with less was before the traffic began."""
FEWEST = 2
"""Intervals without which there is no forecast but persistence."""
UNTAUGHT_MARGIN = 0.3
"""Half the width of a band that nothing was measured for, on the log scale."""


class Forecaster(Protocol):
    """Forecasts the mean rates of the next `HORIZONS` intervals."""

    @property
    def benign_share(self) -> float | None:
        """How far the traffic it learnt from strays (see detection.py); None if from none."""
        ...

    def forecast(self, history_bps: FloatArray) -> FloatArray:
        """From (intervals, pairs), oldest first, to (HORIZONS, pairs); all finite."""
        ...

    def band(self, history_bps: FloatArray) -> Band:
        """The same with the band in which 90 % of the actual rates are expected."""
        ...


class PersistenceForecaster:
    """The naive forecast: everything stays as in the last interval."""

    benign_share = None

    def forecast(self, history_bps: FloatArray) -> FloatArray:
        """Repeat the last row."""
        return np.repeat(history_bps[-1:], HORIZONS, axis=0)

    def band(self, history_bps: FloatArray) -> Band:
        """As `Forecaster.band`; how wide is a guess."""
        margins = np.full((2, HORIZONS, 1), UNTAUGHT_MARGIN)
        return Band.around(self.forecast(history_bps), margins, float(history_bps[-1].mean()))


class ForecasterError(Exception):
    """A file of weights cannot be used; the message says why."""
