"""From a schedule to clients, and what a replay says when it cannot start."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from generators.replay import Replay, ReplayError
from generators.replay_plan import LEAD_S, PlannedSegment, plan
from generators.schedule import Flood, Schedule

RATES = st.sampled_from([0.0, 50e3, 200e3, 1e6])


def two_hosts(*rates_bps: float, flood: Sequence[float] = ()) -> Schedule:
    matrices = np.zeros((len(rates_bps), 2, 2))
    matrices[:, 0, 1] = rates_bps
    floods = (Flood("b", "a", np.array(flood)),) if flood else ()
    return Schedule(("a", "b"), 4.0, matrices, floods)


def spans(segments: Sequence[PlannedSegment]) -> list[tuple[float, float, float]]:
    return [(s.start_s, s.duration_s, s.rate_bps) for s in segments]


def test_equal_rates_make_one_client_and_no_rate_makes_none() -> None:
    segments = plan(two_hosts(1e6, 1e6, 0, 2e6))
    assert spans(segments) == [(0, 8, 1e6), (12, 4, 2e6)]


def test_a_cut_splits_a_client() -> None:
    assert spans(plan(two_hosts(1e6, 1e6), cuts_s=[6.0, 99.0])) == [(0, 6, 1e6), (6, 2, 1e6)]


def test_a_flood_starts_with_its_step() -> None:
    (flood,) = plan(two_hosts(0, 0, flood=[0, 5e6]))
    assert (flood.source, flood.target, flood.attack) == ("b", "a", True)
    assert spans([flood]) == [(4, 4, 5e6)]


def test_too_little_to_send_is_left_out() -> None:
    assert plan(two_hosts(1e3)) == []


@given(matrices=arrays(float, (5, 3, 3), elements=RATES), interval_s=st.sampled_from([1.0, 4.0]))
def test_a_plan_carries_the_schedule(matrices: np.ndarray, interval_s: float) -> None:
    matrices = matrices * (1 - np.eye(3))
    segments = plan(Schedule(("a", "b", "c"), interval_s, matrices))
    planned_bits = sum(segment.rate_bps * segment.duration_s for segment in segments)
    assert planned_bits == pytest.approx(matrices.sum() * interval_s)
    assert [s.start_s for s in segments] == sorted(s.start_s for s in segments)

    lanes: dict[tuple[str, str, int], float] = {}
    for segment in segments:
        lane = (segment.source, segment.target, segment.lane)
        assert lanes.get(lane, -9.0) <= segment.start_s - LEAD_S  # its server has forgotten it
        lanes[lane] = segment.start_s + segment.duration_s + 1.0
    if interval_s == 4.0:
        assert all(segment.lane < 2 for segment in segments)


class BrokenHosts:
    """Hosts in which every command ends at once with one line of complaint."""

    def start(
        self,
        host: str,
        argv: Sequence[str],
        stdout: IO[bytes] | int = subprocess.DEVNULL,
        stderr: IO[bytes] | int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        complaint = f"echo {host} has no {argv[0]}; exit 1"
        return subprocess.Popen(["sh", "-c", complaint], stdout=stdout, stderr=stderr)


def test_servers_that_do_not_start_are_all_named(tmp_path: Path) -> None:
    segments = plan(two_hosts(1e6, flood=[1e6]))
    replay = Replay(segments, BrokenHosts(), {}, tmp_path / "traffic.jsonl", 0.0)
    with pytest.raises(ReplayError, match=r"on a: a has no iperf; b: b has no iperf"):
        replay.start_servers()
