from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.machine import (
    ProcessorTime,
    clock,
    parse_processor_time,
    processor_time,
    stolen_percent,
    timer_lateness,
)


@pytest.mark.parametrize(
    ("stat", "time"),
    [
        ("cpu  10 1 5 80 2 0 1 4 30 0\ncpu0 1 2 3\n", ProcessorTime(4, 103)),
        ("cpu  10 1 5 80 2 0 1\n", ProcessorTime(0, 99)),  # before Linux 2.6.11
    ],
)
def test_reads_stolen_time(stat: str, time: ProcessorTime) -> None:
    assert parse_processor_time(stat) == time


@given(st.lists(st.integers(0, 10**9), min_size=16, max_size=16))
def test_a_share_is_a_share(fields: list[int]) -> None:
    earlier, more = fields[:8], fields[8:]
    later = [old + new for old, new in zip(earlier, more, strict=True)]
    before, now = (
        parse_processor_time("cpu  " + " ".join(map(str, one)) + "\n") for one in (earlier, later)
    )
    assert 0 <= stolen_percent(now, before) <= 100
    if sum(more):
        assert stolen_percent(now, before) == pytest.approx(100 * more[7] / sum(more))


def test_no_time_has_passed() -> None:
    now = processor_time()
    assert stolen_percent(now, now) == 0
    assert now.total > 0


def test_this_machine_has_a_clock_and_timers() -> None:
    assert clock().source
    assert 0 < clock().resolution_ns < 1e9
    lateness = timer_lateness(timers=5)
    assert 0 <= lateness.median_ms <= lateness.p99_ms
