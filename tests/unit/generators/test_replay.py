"""From a schedule to streams and the instants of their packets; what cannot start says so."""

from __future__ import annotations

import subprocess
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from generators.replay import Replay
from generators.replay_plan import PlannedSegment, Stream, plan
from generators.replay_servers import ReplayError
from generators.schedule import Flood, Schedule

RATES = st.sampled_from([0.0, 50.0, 700.0, 50e3, 200e3, 1e6])


def two_hosts(*rates_bps: float, flood: Sequence[float] = ()) -> Schedule:
    matrices = np.zeros((len(rates_bps), 2, 2))
    matrices[:, 0, 1] = rates_bps
    floods = (Flood("b", "a", np.array(flood)),) if flood else ()
    return Schedule(("a", "b"), 4.0, matrices, floods)


def spans(stream: Stream) -> list[tuple[float, float, float]]:
    return [(s.start_s, s.duration_s, s.rate_bps) for s in stream.segments]


def test_equal_rates_make_one_segment_and_no_rate_makes_none() -> None:
    (stream,) = plan(two_hosts(1e6, 1e6, 0, 2e6))
    assert spans(stream) == [(0, 8, 1e6), (12, 4, 2e6)]


def test_a_cut_splits_a_segment() -> None:
    (stream,) = plan(two_hosts(1e6, 1e6), cuts_s=[6.0, 99.0])
    assert spans(stream) == [(0, 6, 1e6), (6, 2, 1e6)]


def test_a_flood_starts_with_its_step() -> None:
    (flood,) = plan(two_hosts(0, 0, flood=[0, 5e6]))
    assert (flood.source, flood.target, flood.attack) == ("b", "a", True)
    assert spans(flood) == [(4, 4, 5e6)]


def test_a_pair_of_tcp_is_one_with_larger_headers_and_floods_are_udp() -> None:
    schedule = replace(two_hosts(1e6, flood=[5e6]), tcp_pairs=frozenset({("a", "b"), ("b", "a")}))
    by_source = {stream.source: stream for stream in plan(schedule)}
    assert (by_source["a"].transport, by_source["b"].transport) == ("tcp", "udp")
    assert by_source["a"].frame_bytes - by_source["a"].payload_bytes == 66
    assert by_source["a"].packets * by_source["a"].frame_bytes * 8 == pytest.approx(4e6, rel=0.01)


def test_less_than_two_packets_are_left_out() -> None:
    assert plan(two_hosts(50)) == []


def test_packets_are_as_large_as_suits_the_mean_rate() -> None:
    def payload_bytes(*rates_bps: float) -> int:
        segments = (PlannedSegment(rate, 4.0 * n, 4.0) for n, rate in enumerate(rates_bps))
        return Stream("a", "b", False, tuple(segments)).payload_bytes

    assert payload_bytes(1e6) == 1400
    assert payload_bytes(1e3) == 128
    assert payload_bytes(10e3, 30e3) == 20_000 / 8 / 4 - 42


@given(rates_bps=arrays(float, 8, elements=RATES), phase=st.floats(0, 1, exclude_max=True))
def test_a_stream_is_right_to_a_packet_after_every_segment(
    rates_bps: np.ndarray, phase: float
) -> None:
    """Rates of less than a packet a step, too: what is left of one is carried over."""
    segments = [PlannedSegment(r, 2.0 * n, 2.0) for n, r in enumerate(rates_bps) if r > 0]
    if not segments:
        return
    stream = Stream("a", "b", False, tuple(segments), phase)
    due = list(stream.due())
    times_s = [at_s for _, at_s in due]
    assert times_s == sorted(times_s)
    asked_bits = 0.0
    for number, segment in enumerate(segments):
        asked_bits += segment.rate_bps * segment.duration_s
        sent = bisect_right([of for of, _ in due], number)
        assert abs(sent - asked_bits / (8 * stream.frame_bytes) - phase) <= 1 + 1e-6
    for of, at_s in due:
        assert segments[of].start_s <= at_s <= segments[of].end_s + 1e-9


@given(matrices=arrays(float, (5, 3, 3), elements=RATES))
def test_a_plan_carries_the_schedule(matrices: np.ndarray) -> None:
    matrices = matrices * (1 - np.eye(3))
    streams = plan(Schedule(("a", "b", "c"), 4.0, matrices))
    assert [s.start_s for s in streams] == sorted(s.start_s for s in streams)
    planned_bits = sum(8 * s.frame_bytes * len(list(s.due())) for s in streams)
    left_out_bits = 6 * 2 * 8 * 170  # of every pair
    assert planned_bits == pytest.approx(
        matrices.sum() * 4.0, abs=left_out_bits + sum(8 * s.frame_bytes for s in streams)
    )


class BrokenHosts:
    """Hosts in which every command ends at once with one line of complaint."""

    def start(
        self,
        host: str,
        argv: Sequence[str],
        stdout: IO[bytes] | int = subprocess.DEVNULL,
        stderr: IO[bytes] | int = subprocess.DEVNULL,
        stdin: IO[bytes] | int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        complaint = f"echo {host} has no {argv[0]}; exit 1"
        return subprocess.Popen(["sh", "-c", complaint], stdin=stdin, stdout=stdout, stderr=stderr)


def test_servers_that_do_not_start_are_all_named(tmp_path: Path) -> None:
    streams = plan(two_hosts(1e6, flood=[1e6]))
    replay = Replay(streams, BrokenHosts(), {}, tmp_path / "traffic.jsonl", 0.0)
    with pytest.raises(ReplayError, match=r"on a: a has no iperf; b: b has no iperf"):
        replay.start_servers()
