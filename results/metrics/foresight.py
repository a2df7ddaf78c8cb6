"""What the twin foresaw beside what came: point by point, link by link, and over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from results.metrics.prediction import DelayComparison, wape
from results.timeline import FloatArray, Window
from twin.records import ForecastScored, Health, TwinRecord

MOST_POINTS = 1000
"""So many comparisons are kept for a scatter plot, evenly picked."""


@dataclass(frozen=True)
class Foreseen:
    """Predictions beside measurements of the same: both (spans, subjects)."""

    spans: Sequence[tuple[float, float]]
    """Of each row: from when to when, in seconds of CLOCK_MONOTONIC."""
    predicted: FloatArray
    measured: FloatArray
    """NaN where it was not."""

    def points(self) -> FloatArray:
        """(at most `MOST_POINTS`, 2): measured, predicted."""
        known = ~np.isnan(self.measured)
        both = np.column_stack([self.measured[known], self.predicted[known]])
        picked = np.linspace(0, len(both) - 1, min(len(both), MOST_POINTS))
        return np.asarray(both[picked.round().astype(int)])

    def accuracy_percent(self) -> list[float | None]:
        """100 x (1 - WAPE) of each subject; None where nothing was there."""
        errors = map(wape, self.predicted.T, self.measured.T)
        return [None if error is None else 100.0 * (1.0 - error) for error in errors]


def link_loads(twin: Iterable[TwinRecord], window: Window) -> Foreseen | None:
    """Return the forecasts of the next interval for every core direction, in bit/s."""
    scored = [
        record
        for record in twin
        if isinstance(record, ForecastScored)
        and record.horizon == 1
        and window.covers(record.start_s, record.end_s)
    ]
    if not scored:
        return None
    return Foreseen(
        spans=[(record.start_s, record.end_s) for record in scored],
        predicted=np.array([record.link_forecast_bps for record in scored]),
        measured=np.array([record.link_actual_bps for record in scored], float),
    )


def delays(comparisons: Iterable[DelayComparison]) -> Foreseen | None:
    """Return the mean delays of pairs in intervals, in ms: a row each."""
    known = list(comparisons)
    if not known:
        return None
    return Foreseen(
        spans=[(one.start_s, one.end_s) for one in known],
        predicted=np.array([[one.predicted_ms] for one in known]),
        measured=np.array([[one.measured_ms] for one in known]),
    )


def over_time(
    spans: Sequence[tuple[float, float]], values: FloatArray, window: Window, step_s: float
) -> list[float | None]:
    """Return, for each step, the mean of the values whose span holds its middle."""
    middles_s = window.edges(step_s)[:-1] + step_s / 2
    start_s, end_s = np.array(spans).reshape(-1, 2).T
    held = (start_s <= middles_s[:, None]) & (middles_s[:, None] < end_s)
    return [float(values[row].mean()) if row.any() else None for row in held]


def staleness_over_time_ms(
    twin: Iterable[TwinRecord], window: Window, step_s: float
) -> list[float | None]:
    """Return, for each step, the p95 of the newest counter's age, as the twin told it last.

    It speaks of the seconds before; None after its last word.
    """
    told = [record for record in twin if isinstance(record, Health)]
    before_s = [-np.inf, *(record.t_s for record in told)]
    spans = list(pairwise(before_s))
    ages_ms = np.array([record.telemetry_age_ms_p95 for record in told])
    return over_time(spans, ages_ms, window, step_s)
