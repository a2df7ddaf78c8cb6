"""One direction of an emulated link, against the arithmetic of a transmitter with a queue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.links.channel import Channel
from topologies.model import LinkShape

MS = 1_000_000
FRAME = 1250
"""Bytes: one millisecond at 10 Mbit/s."""
SHAPE = LinkShape(rate_bps=10e6, delay_ms=5.0, queue_packets=3)


def test_a_lone_frame_takes_transmission_and_propagation() -> None:
    assert Channel(SHAPE, seed=0).admit(0, FRAME) == 6 * MS


def test_frames_queue_behind_one_another() -> None:
    channel = Channel(SHAPE, seed=0)
    assert [channel.admit(0, FRAME) for _ in range(3)] == [6 * MS, 7 * MS, 8 * MS]


def test_the_queue_holds_so_many_besides_the_one_in_transmission() -> None:
    channel = Channel(SHAPE, seed=0)
    due = [channel.admit(0, FRAME) for _ in range(6)]
    assert due[:4] == [6 * MS, 7 * MS, 8 * MS, 9 * MS]
    assert due[4:] == [None, None]
    assert channel.dropped_by_queue == 2
    assert channel.admit(1 * MS, FRAME) == 10 * MS, "one has left, so there is room for one"


def test_without_carrier_everything_is_lost() -> None:
    channel = Channel(SHAPE, seed=0)
    channel.up = False
    assert channel.admit(0, FRAME) is None
    assert channel.dropped_by_fault == 1
    channel.up = True
    assert channel.admit(0, FRAME) == 6 * MS


def test_a_new_shape_holds_for_what_comes_after() -> None:
    channel = Channel(SHAPE, seed=0)
    assert channel.admit(0, FRAME) == 6 * MS
    channel.reshape(LinkShape(rate_bps=20e6, delay_ms=1.0))
    assert channel.admit(2 * MS, FRAME) == 2 * MS + MS // 2 + MS


@pytest.mark.parametrize("percent", [1.0, 10.0])
def test_loss_is_the_binomial_it_says(percent: float) -> None:
    channel = Channel(LinkShape(rate_bps=1e12, delay_ms=0.0, loss_percent=percent), seed=1)
    frames = 100_000
    lost = sum(channel.admit(n * MS, FRAME) is None for n in range(frames))
    share = percent / 100
    assert abs(lost - frames * share) < 4 * (frames * share * (1 - share)) ** 0.5
    assert channel.dropped_by_loss == lost


@given(
    gaps_ns=st.lists(st.integers(0, 3 * MS), min_size=1, max_size=60),
    lengths=st.lists(st.integers(60, 1500), min_size=60, max_size=60),
    jitter_ms=st.floats(0, 3),
)
def test_order_is_kept_and_the_rate_is_never_exceeded(
    gaps_ns: list[int], lengths: list[int], jitter_ms: float
) -> None:
    shape = LinkShape(rate_bps=10e6, delay_ms=5.0, jitter_ms=jitter_ms, queue_packets=20)
    channel = Channel(shape, seed=2)
    now_ns, dues, sent = 0, [], 0
    for gap_ns, length in zip(gaps_ns, lengths, strict=False):
        now_ns += gap_ns
        due_ns = channel.admit(now_ns, length)
        if due_ns is not None:
            dues.append(due_ns)
            sent += length
            assert due_ns >= now_ns
    assert dues == sorted(dues)
    if dues and not jitter_ms:
        assert dues[-1] - 5 * MS >= sent * 8 / 10e6 * 1e9 - len(dues)
