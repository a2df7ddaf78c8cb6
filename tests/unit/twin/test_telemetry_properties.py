"""Telemetry that is late, repeated, out of order, or of a switch that restarted: no rate is below
zero, and none is above what was ever counted in the time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from twin.counters import CounterSeries

RATE = 1000.0
"""The most that the counter grows in a second."""


@st.composite
def disturbed(draw: st.DrawFn) -> list[tuple[float, float]]:
    """Readings (t_s, value) of a counter every 250 ms, as they may come in."""
    growth = draw(st.lists(st.floats(0, RATE / 4), min_size=2, max_size=60))
    restarts = draw(st.sets(st.integers(1, len(growth) - 1), max_size=3))
    readings, value = [], 0.0
    for number, step in enumerate(growth):
        value = 0.0 if number in restarts else value + step
        readings.append((number * 0.25, value))
    lost = draw(st.sets(st.integers(0, len(growth) - 1), max_size=20))
    kept = [one for number, one in enumerate(readings) if number not in lost]
    order = [
        (t_s + draw(st.sampled_from([0.0, 0.0, 0.3, 2.0])), number)
        for number, (t_s, _) in enumerate(kept)
    ]
    arriving = [kept[number] for _, number in sorted(order)]
    again = draw(st.lists(st.sampled_from(arriving), max_size=5)) if arriving else []
    return arriving + again


@given(disturbed(), st.floats(0.25, 3.0))
def test_rates_are_neither_negative_nor_more_than_was_counted(
    readings: list[tuple[float, float]], window_s: float
) -> None:
    series = CounterSeries(1, 60.0)
    for t_s, value in readings:
        series.add(t_s, np.array([value]))
        for now_s in (t_s, t_s + 0.5, t_s + 5):
            for rate in (
                series.rates(now_s, window_s)[0],
                series.mean_rates(now_s - window_s, now_s)[0],
            ):
                assert np.isnan(rate) or -1e-9 <= rate <= RATE * (1 + 1e-9)
