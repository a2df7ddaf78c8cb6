"""Cumulative counters over time, and the rates they imply."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import numpy as np

from twin.indexing import FloatArray

STALE_S = 1.5
"""Counters are polled every 250 to 500 ms: a hole longer than this is a gap in the telemetry."""


class CounterSeries:
    """The last `keep_s` seconds of a vector of counters that are read together.

    Nothing is made up for times without readings: a rate that they do not support is NaN.
    """

    def __init__(self, width: int, keep_s: float) -> None:
        self._width = width
        self._keep_s = keep_s
        self._times_s: list[float] = []
        self._values: list[FloatArray] = []
        self._known = self._unknown()
        """(width,) the last finite value of each counter."""
        self.hole: tuple[float, float] | None = None
        """The last gap: times of the readings before and after it."""

    def add(self, t_s: float, values: FloatArray) -> None:
        """Append a reading.

        A counter that went backwards belongs to a switch that lost its state: the readings
        before it are forgotten. A counter that is NaN was not read: it is compared with what it was
        when it was. A reading that is not newer than the last one is ignored.
        """
        if self._times_s and t_s <= self._times_s[-1]:
            return
        if (values < self._known).any():
            self._times_s.clear()
            self._values.clear()
            self._known = self._unknown()
            self.hole = None
        self._known = np.where(np.isnan(values), self._known, values)
        if self._times_s and t_s - self._times_s[-1] > STALE_S:
            self.hole = (self._times_s[-1], t_s)
        self._times_s.append(t_s)
        self._values.append(values)
        expired = bisect_left(self._times_s, t_s - self._keep_s)
        del self._times_s[:expired], self._values[:expired]

    @property
    def newest_s(self) -> float:
        """Time of the last reading; minus infinity before the first."""
        return self._times_s[-1] if self._times_s else -np.inf

    @property
    def newest(self) -> FloatArray:
        """(width,) the last reading; NaN before the first."""
        return self._values[-1] if self._values else self._unknown()

    def rates(self, now_s: float, window_s: float) -> FloatArray:
        """Mean growth per second over about `window_s` up to the last reading.

        NaN where the last reading is stale at `now_s`, or the window is not covered.
        """
        if now_s - self.newest_s > STALE_S:
            return self._unknown()
        start_s = self.newest_s - window_s
        # Half a polling period of tolerance: whole periods, never a shorter window by jitter.
        first = bisect_right(self._times_s, start_s + 0.12) - 1
        if first < 0 or self._times_s[first] < start_s - STALE_S:
            return self._unknown()
        return self._growth(first, len(self._times_s) - 1)

    def mean_rates(self, start_s: float, end_s: float) -> FloatArray:
        """Mean growth per second over [start_s, end_s), by interpolation between readings.

        NaN where either end lies outside the readings or inside a gap.
        """
        return (self.at(end_s) - self.at(start_s)) / (end_s - start_s)

    def at(self, t_s: float) -> FloatArray:
        """The counters at `t_s`, by interpolation; NaN outside the readings and inside a gap."""
        after = bisect_left(self._times_s, t_s)
        if after == len(self._times_s) or (after == 0 and self._times_s[0] != t_s):
            return self._unknown()
        if self._times_s[after] == t_s:
            return self._values[after]
        t0, t1 = self._times_s[after - 1], self._times_s[after]
        if t1 - t0 > STALE_S:
            return self._unknown()
        share = (t_s - t0) / (t1 - t0)
        return self._values[after - 1] + share * (self._values[after] - self._values[after - 1])

    def _growth(self, first: int, last: int) -> FloatArray:
        seconds = self._times_s[last] - self._times_s[first]
        return (self._values[last] - self._values[first]) / seconds

    def _unknown(self) -> FloatArray:
        return np.full(self._width, np.nan)
