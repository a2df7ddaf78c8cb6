"""What a run's files tell of its traffic and routes at an instant."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from recorded_telemetry import network, recorded, telemetry

from playbooks.situations import NoSituationError, of_run
from results.run_directory import RunDirectory
from topologies.paths import shortest_paths
from twin.records import Calibration


def rates_mbps(run_dir: RunDirectory, at_s: float | None = None) -> list[float]:
    return [float(rate) / 1e6 for rate in of_run(run_dir, at_s).situation.od_bps]


def test_the_interval_with_most_traffic_is_meant_unless_another_is_named(tmp_path: Path) -> None:
    run_dir = recorded(tmp_path, telemetry(110.0))
    assert rates_mbps(run_dir) == pytest.approx([4.0, 0.5], rel=0.1)
    assert rates_mbps(run_dir, at_s=0.5) == pytest.approx([1.0, 0.5], rel=0.1)
    assert "2 to 4 s" in of_run(run_dir, None).source


def test_links_and_routes_are_those_of_the_time(tmp_path: Path) -> None:
    run_dir = recorded(tmp_path, telemetry(110.0))
    assert of_run(run_dir, 0.5).situation.down == frozenset()
    later = of_run(run_dir, 2.5).situation
    assert later.down == {("s2", "s3"), ("s3", "s2")}
    assert later.routing == shortest_paths(network())


def test_a_live_run_has_the_intervals_that_are_over(tmp_path: Path) -> None:
    run_dir = recorded(tmp_path, telemetry(103.5))
    assert rates_mbps(run_dir) == pytest.approx([1.0, 0.5], rel=0.1)
    with pytest.raises(NoSituationError, match="the traffic lasts from 0 to 2 s"):
        of_run(run_dir, 4.5)


def test_before_the_traffic_there_is_nothing_to_ask_about(tmp_path: Path) -> None:
    with pytest.raises(NoSituationError, match="no complete interval"):
        of_run(recorded(tmp_path, telemetry(99.5), events=()), None)
    with pytest.raises(NoSituationError, match="no complete interval"):
        of_run(recorded(tmp_path, telemetry(101.0)), None)


def test_a_gap_is_told_and_filled_with_what_was_last_counted(tmp_path: Path) -> None:
    pictured = of_run(recorded(tmp_path, telemetry(110.0, silent_from_s=103.0)), 4.5)
    assert pictured.gaps == 2
    assert pictured.situation.od_bps[0] == pytest.approx(1e6, rel=0.1)


def test_what_the_twin_had_learnt_by_then_counts(tmp_path: Path) -> None:
    run_dir = recorded(tmp_path, telemetry(110.0))
    learnt = (
        Calibration(t_s=101.0, name="load-gain", before=1.0, after=1.1, error=0.1),
        Calibration(t_s=105.0, name="variance", before=0.3, after=0.4, error=0.1),
    )
    run_dir.twin.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in learnt))
    early, late = of_run(run_dir, 0.5).correction, of_run(run_dir, 5.0).correction
    assert early
    assert late
    assert (early.load_gain, early.variance) == (1.1, 0.3)
    assert (late.load_gain, late.variance) == (1.1, 0.4)
