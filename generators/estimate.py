"""What is thought of rates, how sure that is, and how loads of links make it surer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from generators.link_constraints import Agreed, agreeing_with_links, error_of_known_loads
from generators.schedule import FloatArray

_SIGMAS = 1.645
"""On either side, of a normal distribution: 90 %."""
_SCALES = 2.353
"""On either side, of Student's t with 3 degrees of freedom: 90 %."""


@dataclass(frozen=True)
class Estimate:
    """What is thought of every rate, observed or not, (..., pairs) each."""

    median_bps: FloatArray
    low_bps: FloatArray
    high_bps: FloatArray
    """With `low_bps`: holds the rate with a probability of 90 %."""

    @classmethod
    def stacked(cls, parts: Sequence[Estimate]) -> Estimate:
        """Estimates (steps, pairs), one after the other."""
        return cls(
            np.vstack([part.median_bps for part in parts]),
            np.vstack([part.low_bps for part in parts]),
            np.vstack([part.high_bps for part in parts]),
        )

    def at(self, index: Any) -> Estimate:
        """Part of it, by an index of arrays."""
        return Estimate(self.median_bps[index], self.low_bps[index], self.high_bps[index])

    def around_known(self, rates_bps: FloatArray) -> Estimate:
        """What is known, NaN for gaps, and in the gaps what is thought."""
        return Estimate(
            *(
                np.where(np.isnan(rates_bps), thought, rates_bps)
                for thought in (self.median_bps, self.low_bps, self.high_bps)
            )
        )

    def agreeing(
        self,
        rates_bps: FloatArray,
        around_error_bps: FloatArray,
        link_bps: FloatArray,
        crossing: FloatArray,
    ) -> Agreed:
        """Rates (pairs,), NaN replaced by what is thought and agrees with the links.

        `around_error_bps` is the standard error of the rates that the estimate goes by.
        """
        missing = np.isnan(rates_bps)
        thought_bps = np.where(missing, self.median_bps, rates_bps)
        error_bps = np.hypot((self.high_bps - self.low_bps) / (2 * _SCALES), around_error_bps)
        load_error = error_of_known_loads(thought_bps, missing, link_bps, crossing)
        return agreeing_with_links(thought_bps, error_bps, missing, link_bps, crossing, load_error)

    def told(self, rates_bps: FloatArray, agreed: Agreed) -> Estimate:
        """`rates_bps` (pairs,) with gaps as agreed; intervals stay where loads tell little."""
        reach_bps = _SIGMAS * agreed.error_bps
        known = self.around_known(rates_bps)
        low_bps = np.where(agreed.told, agreed.rates_bps - reach_bps, known.low_bps)
        high_bps = np.where(agreed.told, agreed.rates_bps + reach_bps, known.high_bps)
        return Estimate(
            agreed.rates_bps,
            np.clip(low_bps, 0.0, agreed.rates_bps),
            np.maximum(high_bps, agreed.rates_bps),
        )
