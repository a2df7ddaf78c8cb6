"""The replay with real iperf processes: what was asked for, sent, received and recorded."""

from __future__ import annotations

import time
from collections import defaultdict
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from namespaces_lab import NamespacesLab, open_namespaces

from generators.records import Received, Segment, TrafficRecord, Transport
from generators.replay import Replay
from generators.replay_plan import PlannedSegment, Stream, plan
from generators.schedule import Flood, Schedule
from results.run_directory import read_lines

pytestmark = pytest.mark.sandbox

HOSTS = ("a", "b", "c")
OFFSET_S = time.time() - time.monotonic()


def replay(lab: NamespacesLab, streams: list[Stream], output: Path) -> tuple[Replay, float]:
    run = Replay(streams, lab.hosts, lab.ipv4, output, OFFSET_S)
    run.start_servers()
    t0_s = time.monotonic() + run.lead_s + 0.1
    run.start(t0_s)
    return run, t0_s


def read(output: Path) -> tuple[list[Segment], list[Received]]:
    records = list(read_lines(output, TrafficRecord))  # type: ignore[arg-type]
    return (
        [record for record in records if isinstance(record, Segment)],
        [record for record in records if isinstance(record, Received)],
    )


def test_everything_sent_on_free_links_is_received_and_recorded(tmp_path: Path) -> None:
    matrices = np.zeros((3, 3, 3))
    matrices[:, 0, 1] = [2e6, 2e6, 4e6]
    matrices[:, 0, 2] = 20e3
    matrices[:, 2, 1] = [0, 500e3, 100e3]
    schedule = Schedule(HOSTS, 1.0, matrices, (Flood("c", "b", np.array([0.0, 3e6, 0.0])),))
    streams = plan(schedule)
    with open_namespaces(*HOSTS) as lab:
        run, t0_s = replay(lab, streams, tmp_path / "traffic.jsonl")
        run.wait(20)

    assert run.problems == ()
    sent, received = read(tmp_path / "traffic.jsonl")
    assert len(sent) == sum(len(stream.segments) for stream in streams) == 6
    for segment in sent:
        asked = segment.requested_bps * segment.duration_s / 8
        frame = segment.sent_bytes / segment.sent_packets
        assert segment.sent_bytes == pytest.approx(asked, rel=0.01, abs=frame)
        assert 0 <= segment.started_s - segment.start_s < 0.5
    sent_by, received_by = defaultdict(int), defaultdict(int)
    for segment in sent:
        sent_by[segment.pair, segment.attack] += segment.sent_packets
    for interval in received:
        received_by[interval.pair, interval.attack] += interval.packets
        assert interval.lost_packets == 0
        assert sum(count for _, count in interval.latency_counts) == interval.packets
        assert 0 < interval.latency_mean_ms < 20
        assert t0_s <= interval.start_s < interval.end_s < t0_s + 3.5
    assert received_by == sent_by
    flood = [interval for interval in received if interval.attack]
    assert min(interval.start_s for interval in flood) == pytest.approx(t0_s + 1, abs=0.05)
    assert len(flood) >= 10


def test_the_first_packet_of_a_rare_pair_is_not_early(tmp_path: Path) -> None:
    (stream,) = plan(Schedule(("a", "b"), 4.0, np.array([[[0, 1100.0], [0, 0]]])))
    due_s = [at_s for _, at_s in stream.due()]
    assert due_s[1] - due_s[0] > 1.0
    with open_namespaces(*HOSTS) as lab:
        run, t0_s = replay(lab, [stream], tmp_path / "traffic.jsonl")
        run.wait(20)
    assert run.problems == ()
    _, received = read(tmp_path / "traffic.jsonl")
    assert sum(interval.packets for interval in received) == len(due_s)
    assert received[0].start_s >= t0_s + due_s[0]


def test_a_bottleneck_shows_as_loss_and_delay(tmp_path: Path) -> None:
    streams = [Stream("a", "b", False, (PlannedSegment(4e6, 0.0, 3.0),))]
    with open_namespaces(*HOSTS) as lab:
        lab.limit("b", "2mbit")
        run, _ = replay(lab, streams, tmp_path / "traffic.jsonl")
        run.wait(20)

    (sent,), received = read(tmp_path / "traffic.jsonl")
    packets = sum(interval.packets for interval in received)
    lost = sum(interval.lost_packets for interval in received)
    assert packets == pytest.approx(sent.sent_packets / 2, rel=0.1)
    assert 0 <= sent.sent_packets - packets - lost <= 5  # lost after the last that came
    full_queue_ms = 50_000 * 8 / 2e6 * 1e3
    assert received[1].latency_mean_ms == pytest.approx(full_queue_ms, rel=0.1)


def test_tcp_on_free_links_sends_what_it_is_asked_for(tmp_path: Path) -> None:
    matrices = np.zeros((3, 3, 3))
    matrices[:, 0, 1] = [1e6, 3e6, 500e3]
    matrices[:, 0, 2] = [20e3, 0, 20e3]
    matrices[:, 2, 1] = 200e3
    tcp_pairs = frozenset({("a", "b"), ("a", "c")})
    streams = plan(Schedule(HOSTS, 1.0, matrices, tcp_pairs=tcp_pairs))
    with open_namespaces(*HOSTS) as lab:
        run, t0_s = replay(lab, streams, tmp_path / "traffic.jsonl")
        run.wait(20)

    assert run.problems == ()
    sent, received = read(tmp_path / "traffic.jsonl")
    sent_by, received_by, bytes_by = defaultdict(int), defaultdict(int), defaultdict(int)
    for segment in sent:
        assert segment.transport == ("tcp" if segment.pair in tcp_pairs else "udp")
        asked = segment.requested_bps * segment.duration_s / 8
        frame = segment.sent_bytes / segment.sent_packets
        assert segment.sent_bytes == pytest.approx(asked, rel=0.01, abs=frame)
        sent_by[segment.pair] += segment.sent_packets
        bytes_by[segment.pair] += segment.sent_bytes
    for interval in received:
        assert interval.transport == ("tcp" if interval.pair in tcp_pairs else "udp")
        received_by[interval.pair] += interval.packets
        bytes_by[interval.pair] -= interval.bytes
        assert interval.end_s < t0_s + 3.5
    assert received_by == sent_by
    assert set(bytes_by.values()) == {0}


def test_tcp_gives_way_at_a_bottleneck_and_ends_with_its_schedule(tmp_path: Path) -> None:
    def stream(source: str, rate_bps: float, transport: Transport) -> Stream:
        segments = (PlannedSegment(rate_bps, 0.0, 4.0),)
        return Stream(source, "b", False, segments, transport=transport)

    with open_namespaces(*HOSTS) as lab:
        lab.limit("b", "2mbit")
        streams = [stream("a", 4e6, "tcp"), stream("c", 1e6, "udp")]
        run, t0_s = replay(lab, streams, tmp_path / "traffic.jsonl")
        run.wait(20)
        assert time.monotonic() < t0_s + 4.0 + 4.0

    assert run.problems == ()
    sent, received = read(tmp_path / "traffic.jsonl")
    arrived = {kind: [r for r in received if r.transport == kind] for kind in ("tcp", "udp")}
    late = {kind: [r.packets for r in of if r.start_s > t0_s + 1.5] for kind, of in arrived.items()}
    # Once TCP has found its place, UDP gets what it asks for and TCP the rest of 173 packets/s.
    assert sum(late["udp"][:2]) > 0.8 * 2 * 87
    assert 0.7 * 2 * 86 < sum(late["tcp"][:2]) < 1.3 * 2 * 86
    assert arrived["tcp"][-1].end_s < t0_s + 4.0 + 2.5
    (tcp,) = (segment for segment in sent if segment.transport == "tcp")
    assert 8 * tcp.sent_bytes < 0.7 * 16e6  # the rest was not put off


def tcp_stream(source: str, target: str, rate_bps: float, *lasting_s: float) -> Stream:
    """Of one rate, with a segment for each of the times."""
    starts_s = [0.0, *accumulate(lasting_s)]
    spans = zip(starts_s, lasting_s, strict=False)
    segments = tuple(PlannedSegment(rate_bps, start_s, for_s) for start_s, for_s in spans)
    return Stream(source, target, False, segments, transport="tcp")


def test_tcp_is_handed_as_much_as_a_fast_link_carries(tmp_path: Path) -> None:
    with open_namespaces(*HOSTS) as lab:
        run, _ = replay(lab, [tcp_stream("a", "b", 20e6, 3.0)], tmp_path / "traffic.jsonl")
        run.wait(20)
    assert run.problems == ()
    (sent,), received = read(tmp_path / "traffic.jsonl")
    assert 8 * sent.sent_bytes == pytest.approx(60e6, rel=0.02)
    assert sum(interval.packets for interval in received) == sent.sent_packets


def test_tcp_that_gets_nothing_through_is_cut_off(tmp_path: Path) -> None:
    with open_namespaces(*HOSTS) as lab:
        run, t0_s = replay(lab, [tcp_stream("a", "b", 1e6, 3.0)], tmp_path / "traffic.jsonl")
        await_instant(t0_s + 1.5)
        lab.set_reachable("b", False)
        run.wait(20)
        assert time.monotonic() < t0_s + 3.0 + 8.0
    assert run.problems == ()
    (sent,), received = read(tmp_path / "traffic.jsonl")
    assert sent.error == ""
    assert 0.3e6 < 8 * sum(interval.bytes for interval in received) < 2e6


def test_tcp_connects_again_to_a_receiver_that_is_back(tmp_path: Path) -> None:
    with open_namespaces(*HOSTS) as lab:
        streams = [tcp_stream("a", "b", 1e6, 2.0, 2.0, 2.0)]
        run, t0_s = replay(lab, streams, tmp_path / "traffic.jsonl")
        await_instant(t0_s + 1.5)
        run.host_crashed("b", time.monotonic())
        lab.hosts.kill_all("b")
        await_instant(t0_s + 3.0)
        run.host_restarted("b")
        run.wait(20)
    assert run.problems == ()
    sent, received = read(tmp_path / "traffic.jsonl")
    assert [bool(segment.error) for segment in sent] == [True, True, False]
    assert sum(r.bytes for r in received if r.start_s >= t0_s + 3.9) * 8 > 1.5e6


def test_an_outage_at_start_and_end_neither_hangs_nor_invents_packets(tmp_path: Path) -> None:
    streams = [Stream("a", "b", False, (PlannedSegment(1e6, 0.0, 3.0),))]
    with open_namespaces(*HOSTS) as lab:
        lab.set_reachable("b", False)
        run, t0_s = replay(lab, streams, tmp_path / "traffic.jsonl")
        await_instant(t0_s + 1.0)
        lab.set_reachable("b", True)
        await_instant(t0_s + 2.0)
        lab.set_reachable("b", False)
        run.wait(20)

    (sent,), received = read(tmp_path / "traffic.jsonl")
    assert sent.error == ""
    packets = sum(interval.packets for interval in received)
    assert 0 < packets < 0.7 * sent.sent_packets
    for interval in received:
        assert sum(count for _, count in interval.latency_counts) == interval.packets
    # The first datagram was lost: the flow's time is known from the server's report alone.
    assert received[0].start_s == pytest.approx(t0_s + 1.0, abs=0.2)


def test_a_replay_can_be_stopped_early(tmp_path: Path) -> None:
    streams = plan(Schedule(("a", "b"), 60.0, np.array([[[0, 1e6], [1e6, 0]]])))
    with open_namespaces(*HOSTS) as lab:
        run, t0_s = replay(lab, streams, tmp_path / "traffic.jsonl")
        await_instant(t0_s + 1.6)
        begun_s = time.monotonic()
        run.stop()
        assert time.monotonic() - begun_s < 2.0
        assert lab.hosts.run("a", ["pgrep", "-x", "iperf"]).stdout == b""

    sent, received = read(tmp_path / "traffic.jsonl")
    assert [segment.sent_packets for segment in sent] == [-1, -1]
    assert {segment.error for segment in sent} == {"the replay was stopped"}
    assert sum(interval.packets for interval in received) > 100
    assert run.problems == ()


def await_instant(instant_s: float) -> None:
    time.sleep(max(0.0, instant_s - time.monotonic()))
