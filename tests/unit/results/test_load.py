from __future__ import annotations

import numpy as np
import pytest
from recorded_run import triangle

from controller.messages import OdCounters, OdStats, PortCounters, PortStats, Route, Routes
from generators.records import Segment
from generators.schedule import Schedule
from results.metrics.load import link_loads, te_ratios
from results.metrics.utilisation import deliverable_bits, utilisation_percent
from results.run_directory import Event
from results.timeline import Window


def ports(t_s: float, tx_bytes: int) -> PortStats:
    return PortStats(t_s=t_s, datapath="a", ports=(PortCounters("b", 0, 0, 0, tx_bytes, 0, 0),))


def pairs(t_s: float, to_b: int) -> OdStats:
    return OdStats(t_s=t_s, datapath="a", pairs=(OdCounters("ha", "hb", 0, to_b),))


DIRECT = Routes(t_s=0.0, cause="baseline", routes=(Route("ha", "hb", ("a", "b")),))


def test_counters_are_read_off_at_whole_steps() -> None:
    # 1 Mbit/s until 1.0 s, 5 Mbit/s after: a poll at 0.5 and at 2.5 must not smear them
    telemetry = [ports(0.0, 0), ports(0.5, 62_500), ports(1.0, 125_000), ports(2.5, 1_062_500)]
    loads = link_loads(telemetry, triangle(), Window(0.0, 9.0), 1.0)
    assert loads is not None
    first = triangle().core_directions.index(("a", "b"))
    assert loads.utilisation[:, first] == pytest.approx([0.1, 0.5])
    assert loads.max_over_time == pytest.approx([0.1, 0.5])


def test_no_counters_no_loads() -> None:
    assert link_loads([], triangle(), Window(0.0, 9.0), 1.0) is None
    assert te_ratios([DIRECT], triangle(), [], Window(0.0, 9.0), 1.0) is None


def test_te_ratio_of_the_direct_path_against_both_paths() -> None:
    # 8 Mbit/s on one of two disjoint paths: 0.8 where the optimum splits to 0.4
    telemetry = [DIRECT, pairs(0.0, 0), pairs(4.0, 4_000_000)]
    down = Event(t_s=2.0, event="link-down", detail={"link": ["b", "c"]})
    te = te_ratios(telemetry, triangle(), [down], Window(0.0, 4.0), 1.0)
    assert te is not None
    assert te.ratios == pytest.approx([2.0, 2.0, 1.0, 1.0])
    assert te.within(Window(1.5, 4.0)) == pytest.approx([1.0, 1.0])


def test_what_is_sent_stands_for_counters_that_no_controller_asked_for() -> None:
    sent = Segment(
        src="ha",
        dst="hb",
        attack=False,
        requested_bps=9e9,
        start_s=1.0,
        started_s=1.0,
        duration_s=3.0,
        sent_packets=3_000,
        sent_bytes=3_000_000,
    )
    down = Event(t_s=2.9, event="link-down", detail={"link": ["a", "b"]})
    seen = Routes(t_s=0.0, cause="observed", routes=DIRECT.routes)
    te = te_ratios([seen], triangle(), [down], Window(0.0, 4.0), 1.0, [sent])
    assert te is not None
    # nothing is sent at first; the new path has not been seen at the end
    assert te.ratios == (None, pytest.approx(2.0), pytest.approx(2.0), None)


def test_steps_without_routes_or_traffic_have_no_ratio() -> None:
    late = Routes(t_s=2.0, cause="baseline", routes=DIRECT.routes)
    telemetry = [pairs(0.0, 0), pairs(3.0, 3_000_000), pairs(4.0, 3_000_000), late]
    te = te_ratios(telemetry, triangle(), [], Window(0.0, 4.0), 1.0)
    assert te is not None
    assert te.ratios == (None, None, pytest.approx(2.0), None)


def test_deliverable_weighs_matrices_and_failures_by_time() -> None:
    # ha -> hb asks 30 Mbit/s: two paths of 10 can carry 20; after the failure of a-b, 10
    matrices = np.zeros((4, 3, 3))
    matrices[:, 0, 1] = 30e6
    schedule = Schedule(("ha", "hb", "hc"), 1.0, matrices)
    down = Event(t_s=102.5, event="link-down", detail={"link": ["a", "b"]})
    bits = deliverable_bits(triangle(), schedule, 100.0, [down], Window(101.0, 104.0))
    assert bits == pytest.approx(1.5 * 20e6 + 1.5 * 10e6)
    assert utilisation_percent([], bits, Window(101.0, 104.0)) is None


def test_a_switch_that_lost_its_counters_carries_no_less_than_nothing() -> None:
    telemetry = [ports(0.0, 500_000), ports(1.0, 625_000), ports(2.0, 125_000), ports(3.0, 250_000)]
    loads = link_loads(telemetry, triangle(), Window(0.0, 9.0), 1.0)
    assert loads is not None
    assert loads.max_over_time == pytest.approx([0.1, 0.1, 0.1])
