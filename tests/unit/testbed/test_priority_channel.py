"""A direction of a link with strict priority, against a textbook simulation of one."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.links.channel import LOOK_AGAIN, Arrivals, Channel
from testbed.links.priority_channel import TRANSMIT_RING_NS, PriorityChannel
from testbed.links.service_class import BEST_EFFORT, EXPEDITED, NETWORK_CONTROL, class_of
from topologies.model import LinkShape

MS = 1_000_000
SHAPE = LinkShape(rate_bps=10e6, delay_ms=5.0, queue_packets=3, queueing="priority")
_DSCP = {NETWORK_CONTROL: 48, EXPEDITED: 46, BEST_EFFORT: 0}


def frame_of(service_class: int, length: int = 1250, number: int = 0) -> bytes:
    """1250 bytes are a millisecond at 10 Mbit/s."""
    start = bytes(12) + bytes.fromhex("0800 45") + bytes([_DSCP[service_class] << 2])
    return (start + number.to_bytes(4, "big")).ljust(length, b"\0")


BEST, CONTROL, VOICE = (frame_of(each) for each in (BEST_EFFORT, NETWORK_CONTROL, EXPEDITED))

SHAPES = st.builds(
    LinkShape,
    rate_bps=st.floats(1e5, 1e9),
    delay_ms=st.sampled_from([0.0, 0.3, 20.0]),
    queue_packets=st.integers(1, 8),
    queue_bytes=st.none() | st.integers(1514, 8_000),
    queueing=st.just("priority"),
)


@st.composite
def offers(draw: st.DrawFn) -> list[tuple[int, bytes]]:
    """Frames, each with the instant that it comes."""
    gaps = st.integers(0, 3 * MS) | st.just(0)
    drawn = draw(
        st.lists(st.tuples(gaps, st.sampled_from(list(_DSCP)), st.integers(60, 1514)), max_size=60)
    )
    now_ns, offered = 0, []
    for number, (gap_ns, service_class, length) in enumerate(drawn):
        now_ns += gap_ns
        offered.append((now_ns, frame_of(service_class, length, number)))
    return offered


class Daemon:
    """Holds what a channel lets out until it is due, and asks it when it wants to be asked."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.arrived: list[tuple[int, bytes]] = []
        self._held: list[tuple[int, int, bytes]] = []
        self._pushed = 0

    def hold(self, arrivals: Arrivals, now_ns: int) -> None:
        for due_ns, frame in arrivals:
            assert due_ns >= now_ns, "known too late"
            heapq.heappush(self._held, (due_ns, self._pushed, frame))
            self._pushed += 1

    def release(self, until_ns: int) -> None:
        while self._held and self._held[0][0] <= until_ns:
            due_ns, _, frame = heapq.heappop(self._held)
            if frame == LOOK_AGAIN:
                self.hold(self.channel.proceed(due_ns), due_ns)
            else:
                self.arrived.append((due_ns, frame))

    def carry(self, offered: Iterable[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """All frames that arrive, each with its instant."""
        for now_ns, frame in offered:
            self.release(now_ns)
            self.hold(self.channel.admit(now_ns, frame), now_ns)
        self.release(1 << 62)
        return self.arrived


@dataclass
class Textbook:
    """Every frame from its start to its finish, one after the other."""

    shape: LinkShape

    def carry(self, offered: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        coming, free_ns, arrived = deque(offered), 0, []
        queues: dict[int, deque[bytes]] = {each: deque() for each in sorted(_DSCP)}
        while coming or any(queues.values()):
            ready = [queue for queue in queues.values() if queue]
            if ready and (not coming or free_ns <= coming[0][0]):
                start_ns, frame = free_ns, ready[0].popleft()
            else:
                now_ns, frame = coming.popleft()
                if ready or now_ns + TRANSMIT_RING_NS < free_ns:
                    self._queue(queues[class_of(frame)], frame)
                    continue
                start_ns = max(now_ns, free_ns)
            free_ns = start_ns + ceil(len(frame) * (8e9 / self.shape.rate_bps))
            arrived.append((free_ns + round(self.shape.delay_ms * MS), frame))
        return arrived

    def _queue(self, queue: deque[bytes], frame: bytes) -> None:
        if self.shape.queue_bytes is None:
            full = len(queue) >= self.shape.queue_packets
        else:
            full = sum(map(len, queue)) + len(frame) > self.shape.queue_bytes
        if not full:
            queue.append(frame)


@given(SHAPES, offers())
def test_every_frame_arrives_when_the_textbook_says(
    shape: LinkShape, offered: list[tuple[int, bytes]]
) -> None:
    channel = PriorityChannel(shape, seed=0)
    arrived = Daemon(channel).carry(offered)
    assert arrived == Textbook(shape).carry(offered)
    counted = channel.counters()
    assert counted.received == len(arrived) + counted.dropped_by_queue
    assert counted.dropped_by_class is not None
    assert sum(counted.dropped_by_class) == counted.dropped_by_queue


@given(SHAPES, offers())
def test_the_rate_is_never_exceeded(shape: LinkShape, offered: list[tuple[int, bytes]]) -> None:
    arrived = Daemon(PriorityChannel(shape, seed=0)).carry(offered)
    for (before_ns, _), (after_ns, frame) in pairwise(arrived):
        assert after_ns - before_ns >= int(len(frame) * 8e9 / shape.rate_bps)


@given(SHAPES, offers())
def test_no_frame_waits_for_more_than_one_of_a_lower_class(
    shape: LinkShape, offered: list[tuple[int, bytes]]
) -> None:
    """That is in transmission, or in the transmit ring; see there."""
    came_ns = {frame: now_ns for now_ns, frame in offered}
    arrived = Daemon(PriorityChannel(shape, seed=0)).carry(offered)
    for place, (_, frame) in enumerate(arrived):
        for due_ns, before in arrived[:place]:
            if class_of(before) > class_of(frame):
                sent_ns = len(before) * 8e9 / shape.rate_bps
                start_ns = due_ns - shape.delay_ms * MS - sent_ns
                assert start_ns <= came_ns[frame] + TRANSMIT_RING_NS + 1


@given(SHAPES, offers())
def test_one_class_alone_is_served_as_by_one_queue(
    shape: LinkShape, offered: list[tuple[int, bytes]]
) -> None:
    roomy = replace(shape, queue_packets=len(offered) + 1, queue_bytes=None)
    offered = [
        (now_ns, frame_of(EXPEDITED, len(frame), n)) for n, (now_ns, frame) in enumerate(offered)
    ]
    arrived = Daemon(PriorityChannel(roomy, seed=0)).carry(offered)
    assert arrived == Daemon(Channel(replace(roomy, queueing="fifo"), seed=0)).carry(offered)


@given(
    SHAPES,
    offers(),
    st.builds(
        dict,
        jitter_ms=st.sampled_from([0.0, 0.5, 20.0]),
        reordering=st.booleans(),
        loss_percent=st.sampled_from([0.0, 50.0]),
        duplicate_percent=st.sampled_from([0.0, 30.0]),
    ),
)
def test_every_frame_of_an_impaired_link_is_accounted_for(
    shape: LinkShape, offered: list[tuple[int, bytes]], impaired: dict[str, float]
) -> None:
    channel = PriorityChannel(replace(shape, **impaired), seed=1)  # type: ignore[arg-type]
    arrived = Daemon(channel).carry(offered)
    counted = channel.counters()
    dropped = counted.dropped_by_queue + counted.dropped_by_loss
    assert counted.received + channel.duplicated == len(arrived) + dropped


def test_the_higher_class_goes_first_and_interrupts_nothing() -> None:
    offered = [(0, BEST), (0, BEST), (MS // 2, VOICE), (MS // 2, CONTROL)]
    arrived = Daemon(PriorityChannel(SHAPE, seed=0)).carry(offered)
    assert arrived == [(6 * MS, BEST), (7 * MS, CONTROL), (8 * MS, VOICE), (9 * MS, BEST)]


def test_each_class_has_the_bound_for_itself() -> None:
    channel = PriorityChannel(SHAPE, seed=0)
    offered = [*[(0, BEST)] * 6, *[(0, CONTROL)] * 4, *[(0, VOICE)] * 3]
    arrived = Daemon(channel).carry(offered)
    order = [BEST, *[CONTROL] * 3, *[VOICE] * 3, *[BEST] * 3]
    assert [frame for _, frame in arrived] == order
    counted = channel.counters()
    assert counted.dropped_by_class == (1, 0, 2)
    assert counted.queue_high_water_packets == 9


def test_a_failed_link_loses_what_waits() -> None:
    channel = PriorityChannel(SHAPE, seed=0)
    for frame in (BEST, BEST, VOICE):
        channel.admit(0, frame)
    channel.fail()
    assert channel.dropped_by_fault == 2, "the first is on its way; its carrier counts it"
    assert channel.admit(0, BEST) == ()
    channel.mend()
    assert Daemon(channel).carry([(MS, BEST)]) == [(7 * MS, BEST)]


@pytest.mark.parametrize("delay_ms", [1.0, 50.0])
def test_a_new_shape_holds_for_what_has_not_been_sent(delay_ms: float) -> None:
    daemon = Daemon(PriorityChannel(SHAPE, seed=0))
    for _ in range(3):
        daemon.hold(daemon.channel.admit(0, BEST), 0)
    # The second is being sent, the third waits.
    new = LinkShape(20e6, delay_ms, queueing="priority")
    daemon.hold(daemon.channel.reshape(3 * MS // 2, new), 3 * MS // 2)
    third_ns = round(max(7.0, 2.5 + delay_ms) * MS)  # it overtakes none
    assert daemon.carry([]) == [(6 * MS, BEST), (7 * MS, BEST), (third_ns, BEST)]
