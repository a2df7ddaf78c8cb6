from __future__ import annotations

import numpy as np
import pytest

from generators.records import Received
from results.metrics.security import (
    delivery_edges,
    detection_s,
    false_alarms,
    mitigation_s,
    restoration,
)
from results.timeline import Flood, Window
from twin.records import Alarm, Health

FLOOD = Flood("v", ("x",), start_s=20.0, end_s=40.0)
WINDOW = Window(0.0, 60.0)


def alarm(t_s: float, victim: str = "v") -> Alarm:
    return Alarm(t_s=t_s, victim=victim, sources=("x",), score=2.0, explanation="")


def received(start_s: float, packets: float, *, attack: bool = False) -> Received:
    return Received(
        src="x",
        dst="v",
        attack=attack,
        start_s=start_s,
        end_s=start_s + 0.5,
        packets=int(packets),
        bytes=int(packets) * 1000,
        lost_packets=0,
        latency_mean_ms=1.0,
        latency_bin_ms=1.0,
        latency_counts=((1, int(packets)),),
    )


def test_detection_is_the_first_alarm_that_names_the_victim() -> None:
    assert detection_s([alarm(10.0), alarm(21.0, "w"), alarm(22.5), alarm(23.0)], FLOOD) == 2.5
    assert detection_s([alarm(10.0), alarm(45.0)], FLOOD) is None


def test_mitigation_is_when_the_attack_stays_below_a_tenth_of_its_peak() -> None:
    times = np.arange(20.0, 40.0, 0.5)
    stopped = [received(t, 100 if t < 23.0 else 4, attack=True) for t in times]
    assert mitigation_s(stopped, FLOOD) == pytest.approx(3.0)
    # a relapse counts
    relapsed = [*stopped[:-10], received(36.0, 50, attack=True)]
    assert mitigation_s(relapsed, FLOOD) == pytest.approx(16.5)


def test_dropped_packets_leave_no_report_at_all() -> None:
    stopped = [received(t, 100, attack=True) for t in (20.0, 20.5, 21.0)]
    assert mitigation_s(stopped, FLOOD) == pytest.approx(1.5)


def test_an_attack_that_only_ends_by_itself_was_not_mitigated() -> None:
    whole = [received(t, 100, attack=True) for t in np.arange(20.0, 40.0, 0.5)]
    assert mitigation_s(whole, FLOOD) is None
    assert mitigation_s([], FLOOD) is None


def test_false_alarms_are_those_that_no_flood_explains() -> None:
    watching = Health(t_s=1, cpu_percent=5, tick_ms_p95=1, messages=1, telemetry_age_ms_p95=1)
    twin = [watching, alarm(10.0), alarm(21.0), alarm(30.0, "w"), alarm(42.0), alarm(70.0)]
    found = false_alarms(twin, [FLOOD], WINDOW)
    assert found is not None
    assert found.count == 2
    assert found.per_hour == pytest.approx(2 / (40.0 / 3600.0))
    assert false_alarms([watching], [], WINDOW).count == 0  # type: ignore[union-attr]
    assert false_alarms([], [], WINDOW) is None


def delivered(level: dict[float, float]) -> list[Received]:
    """A workload of 1.6 Mbit/s of which, from each time on, a share arrives."""
    times = np.arange(0.0, 60.0, 0.5)
    shares = [
        next(s for since, s in sorted(level.items(), reverse=True) if t >= since) for t in times
    ]
    return [received(t, 100 * share) for t, share in zip(times, shares, strict=True)]


def restored(level: dict[float, float]) -> tuple[float | None, float | None]:
    edges = delivery_edges(WINDOW)
    found = restoration(delivered(level), np.full(len(edges) - 1, 1.6e6), edges, FLOOD)
    assert found is not None
    return found.restored_s, found.restored_percent


def test_the_workload_comes_back() -> None:
    seconds, percent = restored({0.0: 1.0, 20.0: 0.5, 23.0: 1.0})
    # the last second is averaged: 90 % of the level is reached 0.8 s after the repair
    assert seconds == pytest.approx(4.0, abs=0.26)
    assert percent == pytest.approx(100.0)


def test_it_is_measured_against_its_own_level_before() -> None:
    seconds, percent = restored({0.0: 0.8, 20.0: 0.4, 22.0: 0.76})
    assert seconds == pytest.approx(3.0, abs=0.26)
    assert percent == pytest.approx(95.0, abs=0.1)


def test_a_workload_that_was_never_hurt_took_no_time() -> None:
    assert restored({0.0: 1.0}) == (0.0, pytest.approx(100.0))


def test_without_mitigation_it_comes_back_after_the_flood() -> None:
    seconds, percent = restored({0.0: 1.0, 20.0: 0.5, 40.0: 1.0})
    assert seconds == pytest.approx(21.0, abs=0.26)
    assert percent == pytest.approx(50.0, abs=1.0)


def test_it_may_never_come_back() -> None:
    assert restored({0.0: 1.0, 20.0: 0.5})[0] is None


def test_no_figure_without_a_level_before() -> None:
    edges = delivery_edges(WINDOW)
    assert restoration([], np.full(len(edges) - 1, 1e6), edges, FLOOD) is None
