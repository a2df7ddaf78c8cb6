from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.records import Received
from results.metrics.latency import (
    latency_over_time_ms,
    merge_histograms,
    probe_latency_ms,
    workload_latency_ms,
)
from results.timeline import Window
from testbed.records import ProbeStream


def received(start_s: float, counts: dict[int, int], mean_ms: float = 0.0) -> Received:
    return Received(
        src="a",
        dst="b",
        attack=False,
        start_s=start_s,
        end_s=start_s + 1.0,
        packets=sum(counts.values()),
        bytes=1000 * sum(counts.values()),
        lost_packets=0,
        latency_mean_ms=mean_ms,
        latency_bin_ms=0.5,
        latency_counts=tuple(counts.items()),
    )


def test_quantiles_are_interpolated_inside_the_bin() -> None:
    histogram = merge_histograms([received(0.0, {10: 50}), received(1.0, {10: 30, 40: 20})])
    assert histogram is not None
    # 80 packets in [5, 5.5), 20 in [20, 20.5)
    assert histogram.quantile_ms(0.5) == pytest.approx(5.0 + 0.5 * 50 / 80)
    assert histogram.quantile_ms(0.8) == pytest.approx(5.5)
    assert histogram.quantile_ms(0.95) == pytest.approx(20.0 + 0.5 * 15 / 20)


def test_mean_is_weighted_by_packets_and_only_the_window_counts() -> None:
    records = [
        received(0.0, {100: 1000}, mean_ms=50.0),
        received(10.0, {10: 30}, mean_ms=5.2),
        received(11.0, {20: 10}, mean_ms=10.2),
    ]
    latency = workload_latency_ms(records, Window(10.0, 12.0))
    assert latency is not None
    assert latency["mean"] == pytest.approx((30 * 5.2 + 10 * 10.2) / 40)
    assert latency["p99"] < 11.0


def test_no_packet_gives_no_latency() -> None:
    assert workload_latency_ms([received(0.0, {})], Window(0.0, 5.0)) is None
    assert workload_latency_ms([], Window(0.0, 5.0)) is None
    assert probe_latency_ms([], Window(0.0, 5.0)) is None


def test_over_time_has_holes_where_nothing_arrived() -> None:
    series = latency_over_time_ms([received(1.0, {4: 10})], Window(0.0, 3.0), 1.0)
    assert series["p50"] == [None, pytest.approx(2.25), None]


def test_probes_count_both_ways_and_leave_out_the_lost_and_other_purposes() -> None:
    def stream(purpose: str, forward: list[float | None]) -> ProbeStream:
        return ProbeStream(
            src="a",
            dst="b",
            purpose=purpose,
            spacing_ms=100.0,
            sent_s=(0.0, 1.0, 2.0),
            forward_ms=tuple(forward),
            backward_ms=(4.0, None, 6.0),
        )

    streams = [stream("latency", [2.0, None, 4.0]), stream("outage", [500.0, 500.0, 500.0])]
    latency = probe_latency_ms(streams, Window(0.0, 3.0))
    assert latency is not None
    assert latency["mean"] == pytest.approx((2.0 + 4.0 + 4.0 + 6.0) / 4)


@given(st.dictionaries(st.integers(0, 500), st.integers(1, 1000), min_size=1))
def test_quantiles_rise_and_stay_within_the_histogram(counts: dict[int, int]) -> None:
    histogram = merge_histograms([received(0.0, counts)])
    assert histogram is not None
    quantiles = [histogram.quantile_ms(share) for share in (0.01, 0.5, 0.95, 0.99, 1.0)]
    assert quantiles == sorted(quantiles)
    assert 0.5 * min(counts) <= quantiles[0]
    assert quantiles[-1] == pytest.approx(0.5 * (max(counts) + 1))
