"""Two-sided cumulative sums: is a series that should be around zero persistently off?

E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954, in the tabular form of
D. C. Montgomery, "Introduction to Statistical Quality Control", chapter 9.
"""

from __future__ import annotations

import numpy as np

from twin.indexing import BoolArray, FloatArray

_ALLOWANCE = 1.0  # in tolerances: what is no more than this off is right
_THRESHOLD = 5.0
_LARGEST = 3.0  # of one value: it takes three at least, so that no single reading raises an alarm
_CALM = 5  # values in a row that are right end a drift


class Cusum:
    """As many series as there are, each with its two sums.

    `drifting` (series,) is -1, 0 or 1: below zero, right, above zero.
    """

    def __init__(self, series: int) -> None:
        self._above = np.zeros(series)
        self._below = np.zeros(series)
        self._calm = np.zeros(series, dtype=int)
        self.drifting = np.zeros(series, dtype=int)

    def add(self, errors: FloatArray) -> BoolArray:
        """Take in the next value of each series; return (series,) whose state has changed.

        Args:
            errors: (series,) in tolerances; NaN leaves a series as it is.
        """
        known = ~np.isnan(errors)
        value = np.clip(np.nan_to_num(errors), -_LARGEST, _LARGEST)
        self._above[known] = np.maximum(0.0, self._above + value - _ALLOWANCE)[known]
        self._below[known] = np.maximum(0.0, self._below - value - _ALLOWANCE)[known]
        self._calm[known] = np.where(np.abs(value) <= _ALLOWANCE, self._calm + 1, 0)[known]
        before = self.drifting.copy()
        self.drifting[self._above > _THRESHOLD] = 1
        self.drifting[self._below > _THRESHOLD] = -1
        over = self._calm >= _CALM
        self.drifting[over] = 0
        changed = self.drifting != before
        self._above[changed | over] = 0.0
        self._below[changed | over] = 0.0
        return np.asarray(changed)
