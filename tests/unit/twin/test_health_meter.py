from __future__ import annotations

import pytest

from twin.health import REPORT_S, HealthMeter


def test_figures_of_one_period_are_reported_once() -> None:
    meter = HealthMeter(100.0)
    for age_s in (0.1, 0.2, float("inf")):
        meter.received()
        meter.stepped(0.004, age_s)
    assert meter.report(100.0 + REPORT_S - 0.1) is None
    health = meter.report(100.0 + REPORT_S)
    assert health is not None
    assert health.messages == 3
    assert health.tick_ms_p95 == pytest.approx(4)
    assert health.telemetry_age_ms_p95 == pytest.approx(195)
    assert health.cpu_percent >= 0
    assert meter.report(100.0 + REPORT_S + 0.1) is None


def test_nothing_is_reported_before_there_are_counters() -> None:
    meter = HealthMeter(100.0)
    meter.stepped(0.001, float("inf"))
    assert meter.report(200.0) is None
