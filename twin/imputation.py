"""Filling gaps in the telemetry, and scoring the filling when the counters come back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from twin.indexing import BoolArray, FloatArray
from twin.mirror import Mirror
from twin.records import Imputation

AFTER_S = 1.0
"""How long after a gap the rates count as those after it."""


class Imputer(Protocol):
    """Fills the gaps of one snapshot of rates, and says which rates not to trust.

    Told in both cases: `rates_bps` (pairs,), NaN for gaps; `recent` (intervals, pairs), oldest
    first, the mean rates of the complete intervals before, NaN for gaps; `link_bps` (links,) what
    the ports say, NaN where unknown; `crossing` (links, pairs) the share of each pair's traffic
    that reaches a link.
    """

    def impute(
        self, rates_bps: FloatArray, recent: FloatArray, link_bps: FloatArray, crossing: FloatArray
    ) -> FloatArray:
        """Return (pairs,) rates, NaN replaced by estimates; what was known is kept.

        Not called before anything has been observed.
        """
        ...

    def suspects(
        self, rates_bps: FloatArray, recent: FloatArray, link_bps: FloatArray, crossing: FloatArray
    ) -> BoolArray:
        """Return (pairs,) which rates come from counters that are stuck, or jump."""
        ...


class Persistence:
    """Fills a gap with the last rate that was known; with zero before any was. Suspects nobody."""

    def __init__(self, pairs: int) -> None:
        self._last = np.zeros(pairs)

    def impute(self, rates_bps: FloatArray, *_: FloatArray) -> FloatArray:
        """Return `rates_bps` with every NaN replaced by the last known rate of its pair."""
        self._last = np.where(np.isnan(rates_bps), self._last, rates_bps)
        return self._last

    def suspects(self, rates_bps: FloatArray, *_: FloatArray) -> BoolArray:
        """Return False for every pair."""
        return np.zeros(len(rates_bps), dtype=bool)


@dataclass
class _Gap:
    start_s: float
    """Time of the last counters before the gap."""
    before_bps: FloatArray
    guesses: list[FloatArray] = field(default_factory=list)


class GapScorer:
    """Watches for silent switches, and compares what was imputed with what was then counted.

    The plain method to beat is linear interpolation between the rates before and after the gap.
    """

    def __init__(self) -> None:
        self._before: dict[str, FloatArray] = {}
        self._gaps: dict[str, _Gap] = {}

    def observe(
        self, mirror: Mirror, now_s: float, rates_bps: FloatArray, filled_bps: FloatArray
    ) -> list[Imputation]:
        """Take in the rates of this instant, with gaps and filled; return what can be scored."""
        scores = []
        for switch, pairs in mirror.indexing.pairs_of_switch.items():
            known = not np.isnan(rates_bps[pairs]).all()
            if not known and switch in self._before:
                start_s = mirror.newest_flow_s(switch)
                gap = self._gaps.setdefault(switch, _Gap(start_s, self._before[switch]))
                gap.guesses.append(filled_bps[pairs])
            elif known and switch in self._gaps:
                scores += self._scored(mirror, switch, now_s, rates_bps[pairs])
            elif known:
                self._before[switch] = rates_bps[pairs]
        return scores

    def _scored(
        self, mirror: Mirror, switch: str, now_s: float, after_bps: FloatArray
    ) -> list[Imputation]:
        gap = self._gaps[switch]
        hole = mirror.flow_hole(switch)
        if hole is None or hole[0] < gap.start_s:  # the switch lost its counters meanwhile
            del self._gaps[switch]
            return []
        if mirror.newest_flow_s(switch) < hole[1] + AFTER_S:
            return []
        del self._gaps[switch]
        return [
            Imputation(
                t_s=now_s,
                datapath=switch,
                start_s=hole[0],
                end_s=hole[1],
                vae_bps=_numbers(np.mean(gap.guesses, axis=0)),
                linear_bps=_numbers((gap.before_bps + after_bps) / 2),
                actual_bps=_numbers(mirror.raw_od_bps(switch, *hole)),
            )
        ]


def _numbers(values: FloatArray) -> tuple[float, ...]:
    return tuple(np.nan_to_num(values).tolist())
