"""What loads have told of gaps is remembered, as long as the gaps lie in the recent past."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from generators.gaps import NEIGHBOURS
from generators.link_constraints import Agreed
from generators.schedule import FloatArray

_ROWS = 10 * NEIGHBOURS
"""Answers that are kept; several to an interval, for who looks more often than that."""


@dataclass
class LinkMemory:
    """Answers with loads, found again by the incomplete rates that they completed.

    A pair whose rate the links have told once is not as unknown a step later as it would be
    without: the loads of successive steps add up, as in a Kalman filter.
    """

    _rows: dict[bytes, Agreed] = field(default_factory=dict)

    def remember(self, rates_bps: FloatArray, agreed: Agreed) -> None:
        """`rates_bps` (pairs,), NaN for gaps, have been completed so."""
        key = _key(rates_bps)
        self._rows.pop(key, None)
        self._rows[key] = agreed
        if len(self._rows) > _ROWS:
            del self._rows[next(iter(self._rows))]

    def completed(self, recent_bps: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return `recent_bps` (steps, pairs) with what the loads told of its gaps.

        And the standard error (pairs,) of the newest rate of each pair: zero if it was counted.
        """
        complete = recent_bps.copy()
        error_bps = np.zeros(recent_bps.shape[1])
        for row in complete[-NEIGHBOURS:]:
            gaps = np.isnan(row)
            agreed = self._rows.get(_key(row)) if gaps.any() else None
            error_bps[~gaps] = 0.0
            if agreed is not None:
                told = gaps & agreed.told
                row[told], error_bps[told] = agreed.rates_bps[told], agreed.error_bps[told]
        return complete, error_bps


def _key(rates_bps: FloatArray) -> bytes:
    return np.where(np.isnan(rates_bps), np.nan, rates_bps).tobytes()
