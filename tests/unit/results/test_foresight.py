from __future__ import annotations

from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest

from results.metrics.foresight import (
    MOST_POINTS,
    Foreseen,
    delays,
    link_loads,
    over_time,
    staleness_over_time_ms,
)
from results.metrics.prediction import DelayComparison
from results.scatter import scatter_chart
from results.timeline import Window
from twin.records import ForecastScored, Health

WINDOW = Window(10.0, 16.0)


def scored(start_s: float, forecast: tuple[float, ...], horizon: int = 1) -> ForecastScored:
    return ForecastScored(
        t_s=start_s + 2,
        made_at_s=start_s,
        start_s=start_s,
        end_s=start_s + 2,
        horizon=horizon,
        od_forecast_bps=(),
        od_persistence_bps=(),
        od_mean_bps=(),
        od_actual_bps=(),
        link_forecast_bps=forecast,
        link_actual_bps=(10.0, 20.0, 0.0),
    )


def health(t_s: float, age_ms: float) -> Health:
    return Health(
        t_s=t_s, cpu_percent=1.0, tick_ms_p95=1.0, messages=1, telemetry_age_ms_p95=age_ms
    )


def test_each_link_is_judged_by_its_own_errors() -> None:
    far = (0.0, 0.0, 0.0)
    records = [scored(10.0, (12.0, 20.0, 0.0)), scored(12.0, (9.0, 15.0, 3.0))]
    records += [scored(15.0, far), scored(10.0, far, horizon=2)]
    found = link_loads(records, WINDOW)
    assert found is not None
    assert found.spans == [(10.0, 12.0), (12.0, 14.0)]
    assert found.accuracy_percent() == [pytest.approx(85.0), pytest.approx(87.5), None]
    assert link_loads(records, Window(0.0, 5.0)) is None


def test_a_link_that_was_not_counted_is_left_out() -> None:
    gap = msgspec.structs.replace(scored(12.0, (9.0, 99.0, 3.0)), link_actual_bps=(10.0, None, 0.0))
    found = link_loads([scored(10.0, (12.0, 20.0, 0.0)), gap], WINDOW)
    assert found is not None
    assert found.accuracy_percent()[:2] == [pytest.approx(85.0), pytest.approx(100.0)]
    assert len(found.points()) == 5


def test_delays_keep_their_pairs_of_figures() -> None:
    found = delays([DelayComparison(10.0, 12.0, 5.0, 6.0), DelayComparison(12.0, 14.0, 7.0, 8.0)])
    assert found is not None
    assert found.points().tolist() == [[6.0, 5.0], [8.0, 7.0]]
    assert delays([]) is None


def test_of_many_points_some_are_kept_from_first_to_last() -> None:
    values = np.arange(5000.0).reshape(-1, 1)
    points = Foreseen([(0.0, 1.0)] * 5000, values, values + 1).points()
    assert len(points) == MOST_POINTS
    assert points[0].tolist() == [1.0, 0.0]
    assert points[-1].tolist() == [5000.0, 4999.0]


def test_a_step_has_the_mean_of_the_spans_that_hold_it() -> None:
    spans = [(10.0, 12.0), (10.0, 12.0), (13.0, 14.0)]
    found = over_time(spans, np.array([1.0, 3.0, 5.0]), WINDOW, 1.0)
    assert found == [2.0, 2.0, None, 5.0, None, None]


def test_staleness_is_that_of_the_seconds_before_it_was_told() -> None:
    told = [health(11.0, 4.0), health(13.0, 9.0)]
    found = staleness_over_time_ms(told, WINDOW, 1.0)
    assert found == [4.0, 9.0, 9.0, None, None, None]
    assert staleness_over_time_ms([], WINDOW, 1.0) == [None] * 6


def test_a_scatter_plot_is_a_drawing_with_a_dot_for_each_point() -> None:
    drawing = scatter_chart([(1.0, 1.2), (3.0, 2.0)], "ms", "delays < & >")
    dots = ElementTree.fromstring(drawing).find("path[@class='dots']")
    assert dots is not None
    assert dots.attrib["d"].count("h0") == 2
    assert scatter_chart([], "ms", "nothing") == ""
    assert scatter_chart([(0.0, 0.0)], "ms", "idle")
