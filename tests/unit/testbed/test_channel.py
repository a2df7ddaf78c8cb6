"""One direction of an emulated link, against the arithmetic of a transmitter with a queue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.links.channel import Channel
from topologies.model import LinkShape

MS = 1_000_000
FRAME = bytes(1250)
"""One millisecond at 10 Mbit/s."""
SHAPE = LinkShape(rate_bps=10e6, delay_ms=5.0, queue_packets=3)
FREE = LinkShape(rate_bps=1e12, delay_ms=10.0)
"""Nothing waits."""

SHAPES = st.builds(
    LinkShape,
    rate_bps=st.floats(1e5, 1e9),
    delay_ms=st.floats(0, 50),
    jitter_ms=st.sampled_from([0.0, 0.5, 20.0]),
    loss_percent=st.sampled_from([0.0, 1.0, 50.0]),
    queue_packets=st.integers(1, 20),
    queue_bytes=st.none() | st.integers(1514, 30_000),
    jitter_distribution=st.sampled_from(["normal", "uniform", "pareto"]),
    jitter_correlation_percent=st.floats(0, 100),
    loss_burst_packets=st.none() | st.floats(1, 10),
    duplicate_percent=st.sampled_from([0.0, 30.0]),
    corrupt_percent=st.sampled_from([0.0, 30.0]),
)
ARRIVALS = st.lists(st.tuples(st.integers(0, 3 * MS), st.integers(60, 1514)), max_size=60)
"""Gap before a frame in nanoseconds, its length in bytes."""


def due(channel: Channel, now_ns: int, frame: bytes = FRAME) -> int | None:
    """When a frame of a channel that duplicates none arrives."""
    arrivals = channel.admit(now_ns, frame)
    return arrivals[0][0] if arrivals else None


def carried(
    channel: Channel, arrivals: Iterable[tuple[int, int]]
) -> list[tuple[int, tuple[tuple[int, bytes], ...]]]:
    """The instant that each frame comes, and what becomes of it."""
    now_ns, fates = 0, []
    for gap_ns, length in arrivals:
        now_ns += gap_ns
        fates.append((now_ns, channel.admit(now_ns, bytes(length))))
    return fates


def test_a_lone_frame_takes_transmission_and_propagation() -> None:
    assert Channel(SHAPE, seed=0).admit(0, FRAME) == ((6 * MS, FRAME),)


def test_frames_queue_behind_one_another() -> None:
    channel = Channel(SHAPE, seed=0)
    assert [due(channel, 0) for _ in range(3)] == [6 * MS, 7 * MS, 8 * MS]


@pytest.mark.parametrize("shape", [SHAPE, replace(SHAPE, queue_packets=99, queue_bytes=3 * 1250)])
def test_the_queue_holds_so_many_besides_the_one_in_transmission(shape: LinkShape) -> None:
    channel = Channel(shape, seed=0)
    found = [due(channel, 0) for _ in range(6)]
    assert found[:4] == [6 * MS, 7 * MS, 8 * MS, 9 * MS]
    assert found[4:] == [None, None]
    assert due(channel, 1 * MS) == 10 * MS, "one has left, so there is room for one"
    counted = channel.counters()
    assert (counted.received, counted.dropped_by_queue) == (7, 2)
    assert counted.queue_high_water_packets == 3


def test_a_queue_in_bytes_has_room_for_a_small_frame_after_a_large_one_was_dropped() -> None:
    channel = Channel(replace(SHAPE, queue_bytes=2000), seed=0)
    lengths = [1250, 1250, 1250, 700]
    assert [bool(channel.admit(0, bytes(length))) for length in lengths] == [1, 1, 0, 1]


def test_a_failed_link_loses_everything_and_mends_with_an_empty_queue() -> None:
    channel = Channel(SHAPE, seed=0)
    for _ in range(4):
        channel.admit(0, FRAME)
    channel.fail()
    assert channel.admit(0, FRAME) == ()
    assert channel.dropped_by_fault == 1
    channel.mend()
    assert due(channel, 0) == 6 * MS


def test_a_new_shape_holds_for_what_comes_after_and_keeps_the_order() -> None:
    channel = Channel(SHAPE, seed=0)
    assert due(channel, 0) == 6 * MS
    channel.reshape(2 * MS, LinkShape(rate_bps=20e6, delay_ms=1.0))
    assert due(channel, 2 * MS) == 6 * MS, "behind the one before"
    assert due(channel, 7 * MS) == 7 * MS + MS // 2 + MS
    channel.reshape(2 * MS, LinkShape(rate_bps=20e6, delay_ms=0.0, reordering=True))
    assert due(channel, 8 * MS) == 8 * MS + MS // 2


@given(SHAPES, ARRIVALS)
def test_every_frame_is_accounted_for(shape: LinkShape, arrivals: list[tuple[int, int]]) -> None:
    channel = Channel(shape, seed=1)
    came_out = sum(len(out) for _, out in carried(channel, arrivals))
    counted = channel.counters()
    assert counted.received == len(arrivals)
    assert counted.duplicated is not None
    dropped = counted.dropped_by_queue + counted.dropped_by_loss + counted.dropped_by_fault
    assert counted.received + counted.duplicated == came_out + dropped


@given(SHAPES, ARRIVALS)
def test_order_is_kept_and_no_frame_outruns_its_transmission(
    shape: LinkShape, arrivals: list[tuple[int, int]]
) -> None:
    dues = []
    for now_ns, out in carried(Channel(shape, seed=2), arrivals):
        for due_ns, frame in out:
            assert due_ns >= now_ns + int(len(frame) * 8e9 / shape.rate_bps)
            dues.append(due_ns)
    assert dues == sorted(dues)


@given(SHAPES, ARRIVALS)
def test_the_rate_is_never_exceeded(shape: LinkShape, arrivals: list[tuple[int, int]]) -> None:
    plain = LinkShape(
        shape.rate_bps,
        shape.delay_ms,
        queue_packets=shape.queue_packets,
        queue_bytes=shape.queue_bytes,
    )
    out = [one for _, all_ in carried(Channel(plain, seed=3), arrivals) for one in all_]
    for (before_ns, _), (after_ns, frame) in pairwise(out):
        assert after_ns - before_ns >= int(len(frame) * 8e9 / shape.rate_bps)


@given(SHAPES, ARRIVALS)
def test_the_queue_never_holds_more_than_its_bound(
    shape: LinkShape, arrivals: list[tuple[int, int]]
) -> None:
    plain = LinkShape(
        shape.rate_bps, 0.0, queue_packets=shape.queue_packets, queue_bytes=shape.queue_bytes
    )
    channel = Channel(plain, seed=4)
    ahead: list[tuple[int, bytes]] = []
    for now_ns, out in carried(channel, arrivals):
        ahead = [entry for entry in (*ahead, *out) if entry[0] > now_ns]
        waiting = ahead[1:]
        if plain.queue_bytes is None:
            assert len(waiting) <= plain.queue_packets
        else:
            assert sum(len(frame) for _, frame in waiting) <= plain.queue_bytes


def test_jitter_reorders_when_it_is_allowed_to() -> None:
    channel = Channel(replace(FREE, jitter_ms=2.0, reordering=True), seed=5)
    dues = [due_ns for n in range(200) for due_ns, _ in channel.admit(n * MS, FRAME)]
    assert dues != sorted(dues)


def test_a_frame_is_duplicated_behind_itself() -> None:
    channel = Channel(replace(FREE, duplicate_percent=30.0), seed=6)
    outs = [channel.admit(n * MS, FRAME) for n in range(10_000)]
    assert all(len(out) == 1 or out[0] == out[1] for out in outs)
    assert 2700 < channel.duplicated < 3300
    assert sum(map(len, outs)) == 10_000 + channel.duplicated


def test_a_corrupted_frame_differs_in_one_bit_somewhere() -> None:
    channel = Channel(replace(FREE, corrupt_percent=20.0), seed=7)
    flipped = [
        int.from_bytes(frame, "big").bit_count()
        for n in range(10_000)
        for _, frame in channel.admit(n * MS, FRAME)
    ]
    assert set(flipped) == {0, 1}
    assert sum(flipped) == channel.corrupted
    assert 1800 < channel.corrupted < 2200
