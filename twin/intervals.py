"""Complete intervals: the mean rate of every pair, in bins aligned to the traffic's own steps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from twin.indexing import FloatArray
from twin.mirror import Mirror

_PATIENCE_S = 1.2  # past the end of an interval: counters that have not come by then are missing


@dataclass(frozen=True)
class Interval:
    """Mean rates over [start_s, end_s)."""

    start_s: float
    end_s: float
    od_bps: FloatArray
    """(pairs,) as counted; NaN in the gaps."""
    filled_bps: FloatArray
    """(pairs,) as counted, the gaps filled by imputation."""
    link_bps: FloatArray
    """(links,) sent; NaN in the gaps."""


class IntervalClock:
    """Says which interval is complete next. Intervals begin at multiples of their length."""

    def __init__(self, length_s: float) -> None:
        self.length_s = length_s
        self._next_end_s: float | None = None

    def completed(self, mirror: Mirror, now_s: float) -> tuple[float, float] | None:
        """Return (start_s, end_s) of the next complete interval, once; None if there is none."""
        if self._next_end_s is None:
            self._next_end_s = (math.floor(now_s / self.length_s) + 2) * self.length_s
        end_s = self._next_end_s
        if now_s < end_s or not (mirror.flows_cover(end_s) or now_s > end_s + _PATIENCE_S):
            return None
        self._next_end_s += self.length_s
        return end_s - self.length_s, end_s


class History:
    """The last complete intervals."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self.intervals: list[Interval] = []

    def add(self, interval: Interval) -> None:
        """Append an interval."""
        self.intervals = [*self.intervals[-(self._keep - 1) :], interval]

    def filled_bps(self) -> FloatArray:
        """(intervals, pairs), oldest first, without gaps."""
        return np.array([interval.filled_bps for interval in self.intervals])

    def counted_bps(self, pairs: int) -> FloatArray:
        """(intervals, pairs), oldest first, NaN in the gaps."""
        return np.array([i.od_bps for i in self.intervals]).reshape(-1, pairs)
