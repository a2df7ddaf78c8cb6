"""The pure part of the idle check: which frame goes when, and how many are needed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.idle_check import FRAMES, frame_delay_ms, frame_order, frames_needed
from topologies.model import LinkShape

FAST = LinkShape(10e6, 5.0)
FRAME_BYTES = 64


def test_a_frame_takes_its_way_and_its_length() -> None:
    assert frame_delay_ms(LinkShape(64e3, 5.0), FRAME_BYTES) == pytest.approx(5.0 + 8.0)


def test_a_hundred_links_are_checked_in_half_a_second() -> None:
    shapes = {(f"a{i}", f"b{i}"): FAST for i in range(200)}
    order = frame_order(shapes)
    assert len(order) == 200 * FRAMES
    assert order[-1][0] < 0.51


@given(
    st.lists(
        st.builds(
            LinkShape,
            rate_bps=st.floats(9600, 1e9),
            delay_ms=st.just(1.0),
            loss_percent=st.sampled_from([0.0, 10.0]),
        ),
        min_size=1,
        max_size=9,
    )
)
def test_no_frame_waits_for_the_one_before(shapes: list[LinkShape]) -> None:
    of_direction = {(f"a{i}", f"b{i}"): shape for i, shape in enumerate(shapes)}
    order = frame_order(of_direction)
    assert all(earlier <= later for (earlier, _), (later, _) in pairwise(order))
    for direction, shape in of_direction.items():
        times_s = [at_s for at_s, one in order if one == direction]
        transmission_s = (frame_delay_ms(shape, FRAME_BYTES) - shape.delay_ms) / 1e3
        assert all(later - earlier > transmission_s for earlier, later in pairwise(times_s))
    counted = Counter(direction for _, direction in order)
    assert counted == {one: frames_needed(shape) for one, shape in of_direction.items()}


@pytest.mark.parametrize(
    ("loss_percent", "burst", "frames"),
    [(0.0, None, FRAMES), (1.0, None, FRAMES), (50.0, None, 20), (10.0, 2.0, 18), (10.0, 40.0, 60)],
)
def test_lossy_links_need_more(loss_percent: float, burst: float | None, frames: int) -> None:
    shape = replace(FAST, loss_percent=loss_percent, loss_burst_packets=burst)
    assert frames_needed(shape) == frames


@given(st.floats(0.0, 100.0), st.none() | st.floats(1.0, 1e6))
def test_the_check_ends(loss_percent: float, burst: float | None) -> None:
    shape = replace(FAST, loss_percent=loss_percent, loss_burst_packets=burst)
    assert FRAMES <= frames_needed(shape) <= 60
