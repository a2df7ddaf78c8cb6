"""What a run's files tell of its traffic and routes at an instant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pytest
from recorded_telemetry import network, recorded, telemetry

from controller.messages import Hello
from generators.schedule import Schedule
from playbooks.situations import NoSituationError, When, of_run
from results.run_directory import RunDirectory
from topologies.paths import shortest_paths
from twin.records import Calibration, CapacityLearnt, LinkFailing, LinkMended, TwinRecord
from twin.whatif import predict


def rates_mbps(run_dir: RunDirectory, when: When = "busiest") -> list[float]:
    return [float(rate) / 1e6 for rate in of_run(run_dir, when).situation.od_bps]


def test_the_interval_with_most_traffic_is_meant_unless_another_is_named(tmp_path: Path) -> None:
    run_dir = recorded(tmp_path, telemetry(110.0))
    assert rates_mbps(run_dir) == pytest.approx([4.0, 0.5], rel=0.1)
    assert rates_mbps(run_dir, 0.5) == pytest.approx([1.0, 0.5], rel=0.1)
    assert "2 to 4 s" in of_run(run_dir, "busiest").source
    assert rates_mbps(run_dir, "newest") == pytest.approx([2.0, 0.5], rel=0.1)
    assert "4 to 6 s" in of_run(run_dir, "newest").source


def test_links_and_routes_are_those_of_the_time(tmp_path: Path) -> None:
    run_dir = recorded(tmp_path, telemetry(110.0))
    assert of_run(run_dir, 0.5).situation.down == frozenset()
    later = of_run(run_dir, 2.5).situation
    assert later.down == {("s2", "s3"), ("s3", "s2")}
    assert later.routing == shortest_paths(network())


def test_what_a_new_controller_has_not_found_out_yet_is_as_it_was_before(tmp_path: Path) -> None:
    """It comes within the second interval, and knows nothing until the fourth has begun."""
    new = Hello(t_s=103.5, version=1, topology="triangle")
    lines = [m for m in telemetry(110.0) if not 103.5 <= m.t_s < 105.0]
    later = next(number for number, message in enumerate(lines) if message.t_s >= 105.0)
    run_dir = recorded(tmp_path, [*lines[:later], new, *lines[later:]])
    for at_s in (2.5, 4.5):
        situation = of_run(run_dir, at_s).situation
        assert situation.routing == shortest_paths(network())
        assert situation.down == {("s2", "s3"), ("s3", "s2")}


def test_a_live_run_has_the_intervals_that_are_over(tmp_path: Path) -> None:
    run_dir = recorded(tmp_path, telemetry(103.5))
    assert rates_mbps(run_dir) == pytest.approx([1.0, 0.5], rel=0.1)
    with pytest.raises(NoSituationError, match="the traffic lasts from 0 to 2 s"):
        of_run(run_dir, 4.5)


def test_before_the_traffic_there_is_nothing_to_ask_about(tmp_path: Path) -> None:
    with pytest.raises(NoSituationError, match="no complete interval"):
        of_run(recorded(tmp_path, telemetry(99.5), events=()), "newest")
    with pytest.raises(NoSituationError, match="no complete interval"):
        of_run(recorded(tmp_path, telemetry(101.0)), "newest")


def test_a_gap_is_told_and_filled_with_what_was_last_counted(tmp_path: Path) -> None:
    pictured = of_run(recorded(tmp_path, telemetry(110.0, silent_from_s=103.0)), 4.5)
    assert pictured.gaps == 2
    assert pictured.situation.od_bps[0] == pytest.approx(1e6, rel=0.1)


def note(run_dir: RunDirectory, *records: TwinRecord) -> None:
    run_dir.twin.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in records))


def failing(t_s: float, sign: Literal["loss", "delay"], level: float) -> LinkFailing:
    return LinkFailing(
        t_s=t_s,
        sender="s1",
        receiver="s3",
        sign=sign,
        level=level,
        per_s=0.0,
        failing=level,
        lead_s=0.0,
        confidence=1.0,
    )


def test_links_are_as_the_twin_has_found_them_and_paths_as_configured(tmp_path: Path) -> None:
    run_dir = recorded(tmp_path, telemetry(110.0))
    half = CapacityLearnt(
        t_s=101.0,
        sender="s2",
        receiver="s1",
        configured_bps=10e6,
        before_bps=10e6,
        after_bps=5e6,
        loss=0.1,
    )
    mended = LinkMended(t_s=103.5, sender="s1", receiver="s3", after_s=2.0)
    note(run_dir, half, failing(101.0, "loss", 0.04), failing(101.5, "delay", 40.0), mended)
    early, late = of_run(run_dir, 0.5), of_run(run_dir, 2.5)
    usual = network().core_links[0].shape
    assert late.situation.shapes == {("s1", "s2"): replace(usual, rate_bps=5e6)}
    assert early.situation.shapes["s1", "s3"] == replace(usual, loss_percent=4.0, delay_ms=41.0)
    assert early.situation.topology == network()
    assert early.correction is not None
    assert not early.correction.capacity_factor, "it is in the shapes"
    assert predict(late.situation, late.correction).max_utilisation == pytest.approx(0.8, abs=0.05)


def test_pairs_of_tcp_are_those_of_the_schedule(tmp_path: Path) -> None:
    run_dir = recorded(tmp_path, telemetry(110.0))
    pairs = frozenset({("h1", "h2")})
    Schedule(("h1", "h2"), 2.0, np.zeros((3, 2, 2)), tcp_pairs=pairs).save(run_dir.schedule)
    assert of_run(run_dir, "newest").situation.tcp_pairs == pairs


def test_what_the_twin_had_learnt_by_then_counts(tmp_path: Path) -> None:
    run_dir = recorded(tmp_path, telemetry(110.0))
    learnt = (
        Calibration(t_s=101.0, name="load-gain", before=1.0, after=1.1, error=0.1),
        Calibration(t_s=105.0, name="variance", before=0.3, after=0.4, error=0.1),
    )
    note(run_dir, *learnt)
    early, late = of_run(run_dir, 0.5).correction, of_run(run_dir, 5.0).correction
    assert early
    assert late
    assert (early.load_gain, early.variance) == (1.1, 0.3)
    assert (late.load_gain, late.variance) == (1.1, 0.4)
