from __future__ import annotations

import numpy as np
import pytest

from twin.counters import CounterSeries


def series(*readings: tuple[float, float]) -> CounterSeries:
    counters = CounterSeries(1, 60.0)
    for t_s, value in readings:
        counters.add(t_s, np.array([value]))
    return counters


def steady(until_s: float, every_s: float = 0.25, rate: float = 100.0) -> CounterSeries:
    return series(*((t, rate * t) for t in np.arange(0.0, until_s, every_s)))


def test_rate_over_a_window() -> None:
    assert steady(5.0).rates(5.0, 1.0) == pytest.approx(100.0)


def test_rate_is_unknown_before_the_window_is_covered() -> None:
    assert np.isnan(steady(0.6).rates(0.6, 1.0)).all()


def test_rate_is_unknown_once_the_counters_are_stale() -> None:
    assert np.isfinite(steady(5.0).rates(6.0, 1.0)).all()
    assert np.isnan(steady(5.0).rates(7.0, 1.0)).all()


def test_window_tolerates_late_readings_but_does_not_shrink() -> None:
    counters = series((0.0, 0.0), (0.52, 50.0), (1.05, 100.0))
    assert counters.rates(1.1, 1.0) == pytest.approx(100 / 1.05)


def test_mean_rate_interpolates_between_readings() -> None:
    counters = series((0.0, 0.0), (1.0, 100.0), (2.0, 400.0))
    assert counters.mean_rates(0.5, 1.5) == pytest.approx(200.0)


def test_mean_rate_over_a_whole_gap_is_known_but_not_one_that_ends_in_it() -> None:
    counters = series((0.0, 0.0), (1.0, 100.0), (6.0, 600.0), (7.0, 700.0))
    assert counters.mean_rates(0.5, 6.5) == pytest.approx(100.0)
    assert np.isnan(counters.mean_rates(0.5, 3.0)).all()
    assert counters.hole == (1.0, 6.0)


def test_mean_rate_outside_the_readings_is_unknown() -> None:
    assert np.isnan(steady(2.0).mean_rates(1.0, 3.0)).all()


def test_counters_that_go_backwards_start_a_new_life() -> None:
    counters = series((0.0, 0.0), (1.0, 1000.0), (2.0, 10.0), (3.0, 110.0))
    assert counters.rates(3.0, 1.0) == pytest.approx(100.0)
    assert np.isnan(counters.mean_rates(0.5, 2.5)).all()


def test_a_counter_that_was_not_read_hides_no_restart() -> None:
    counters = series((0.0, 200.0), (0.5, 300.0), (1.0, np.nan), (1.5, 100.0), (2.0, 150.0))
    assert np.isnan(counters.rates(1.5, 1.0)).all()
    assert counters.rates(2.0, 0.5) == pytest.approx(100.0)
    assert np.isnan(counters.mean_rates(0.0, 2.0)).all()


def test_old_readings_are_forgotten() -> None:
    counters = CounterSeries(1, 2.0)
    for t_s in np.arange(0.0, 10.0, 0.5):
        counters.add(t_s, np.array([t_s]))
    assert np.isnan(counters.mean_rates(5.0, 9.0)).all()
    assert np.isfinite(counters.mean_rates(8.0, 9.0)).all()


def test_counters_at_an_instant() -> None:
    counters = series((0.0, 0.0), (1.0, 100.0))
    assert counters.at(0.25) == 25.0
    assert counters.at(1.0) == 100.0
    assert np.isnan(counters.at(1.1)).all()
