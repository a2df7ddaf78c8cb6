"""A forecast with the band in which 90 % of the actual rates are expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twin.indexing import BoolArray, FloatArray

MISSES = 0.1
"""Share of the actual rates outside the band: half below, half above."""
FLOOR = 0.02
"""Of the mean rate: rates below are as good as this on the log scale."""


@dataclass(frozen=True)
class Band:
    """Where rates are forecast to lie, and what they are forecast to be; arrays of one shape."""

    lower_bps: FloatArray
    point_bps: FloatArray
    upper_bps: FloatArray

    def covers(self, actual_bps: FloatArray) -> BoolArray:
        """Which of the actual rates lie in the band."""
        return np.asarray((actual_bps >= self.lower_bps) & (actual_bps <= self.upper_bps))

    def at(self, where: int | slice) -> Band:
        """That part of the band along the first axis."""
        return Band(self.lower_bps[where], self.point_bps[where], self.upper_bps[where])

    @staticmethod
    def stacked(bands: Sequence[Band]) -> Band:
        """Put bands on top of each other, along a new first axis."""
        ends = ("lower_bps", "point_bps", "upper_bps")
        return Band(*(np.stack([getattr(band, end) for band in bands]) for end in ends))

    @staticmethod
    def around(point_bps: FloatArray, margins: FloatArray, mean_bps: float) -> Band:
        """Put a band around a forecast, by (2, ...) margins below and above it on the log scale."""
        floor_bps = FLOOR * mean_bps
        lower = (point_bps + floor_bps) * np.exp(-margins[0]) - floor_bps
        upper = (point_bps + floor_bps) * np.exp(margins[1]) - floor_bps
        return Band(np.maximum(lower, 0.0), point_bps, upper)
