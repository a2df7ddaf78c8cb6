"""A direction of a link with strict priority by service class, not preemptive.

Which frame is sent after the one in transmission is known only when that has been sent, so the due
time of a frame that waits is not known when it comes. It is settled, exactly, when somebody comes
with another frame, or asks: with the frames that it lets out the channel says when it wants to be
asked again (`LOOK_AGAIN`), which is the earliest instant that a frame which waits now can be due.

A frame before which none waits, and whose turn comes within 50 us, is settled at once, as if handed
to the transmit ring of a network card. So a frame of a higher class may wait for 50 us more than by
the textbook, which is less than the daemon can tell instants apart; on fast links frames that came
together, and on others those that find the link idle, cost as little as with one queue.
"""

from __future__ import annotations

import sys

from msgspec.structs import replace

from testbed.links.channel import LOOK_AGAIN, Arrivals, Channel
from testbed.links.priority_queues import PriorityQueues
from testbed.records import LinkCounters
from topologies.model import LinkShape

TRANSMIT_RING_NS = 50_000
"""How far ahead frames are settled that need not wait in a queue."""
_NEVER = sys.maxsize


class PriorityChannel(Channel):
    """One direction of a link, with a queue for each service class."""

    __slots__ = ("_look_ns", "_queues")

    def __init__(self, shape: LinkShape, seed: int) -> None:
        super().__init__(shape, seed)
        self._queues = PriorityQueues(shape)
        self._look_ns = _NEVER
        """When we shall be asked."""

    def reshape(self, now_ns: int, shape: LinkShape) -> Arrivals:
        """Frames whose turn comes from now on meet `shape`."""
        started = self._start(now_ns)
        super().reshape(now_ns, shape)
        self._queues.reshape(shape)
        return started + self._next_look()

    def fail(self) -> None:
        """Let nothing through until `mend`; the frames that wait are lost."""
        self.dropped_by_fault += self._queues.clear()
        self._look_ns = _NEVER
        super().fail()

    def admit(self, now_ns: int, frame: bytes) -> Arrivals:
        """What has become of the frames that waited, and of one that comes now."""
        self.received += 1
        if not self.works:
            self.dropped_by_fault += 1
            return ()
        queues = self._queues
        started = self._start(now_ns) if queues.waiting else ()
        free_ns = self._transmitter.free_ns
        if not queues.waiting and free_ns <= now_ns + TRANSMIT_RING_NS:
            return started + self._send(max(now_ns, free_ns), frame)
        if not queues.put(frame):
            self.dropped_by_queue += 1
            return started
        return started + self._next_look() if queues.next() is frame else started

    def proceed(self, at_ns: int) -> Arrivals:
        """What has become of the frames that waited until `at_ns`."""
        if at_ns >= self._look_ns:
            self._look_ns = _NEVER
        return self._start(at_ns) + self._next_look()

    def counters(self) -> LinkCounters:
        """Frames since the start."""
        return replace(
            super().counters(),
            dropped_by_class=tuple(self._queues.dropped),
            queue_high_water_packets=self._queues.high_water_packets,
        )

    def _start(self, until_ns: int) -> Arrivals:
        """Send the frames whose turn has come by then."""
        arrivals: Arrivals = ()
        while self._queues.waiting and self._transmitter.free_ns <= until_ns:
            arrivals += self._send(self._transmitter.free_ns, self._queues.take())
        return arrivals

    def _send(self, start_ns: int, frame: bytes) -> Arrivals:
        finish_ns = self._transmitter.take(start_ns, len(frame))
        assert finish_ns is not None, "the transmitter is free"
        return self._emerge(finish_ns, frame)

    def _next_look(self) -> Arrivals:
        """Have us asked when the next frame is due, unless we shall be by then anyway."""
        if not self._queues.waiting:
            return ()
        transmitter = self._transmitter
        finish_ns = transmitter.free_ns + transmitter.duration_ns(len(self._queues.next()))
        look_ns = finish_ns + self._least_delay_ns
        if look_ns >= self._look_ns:
            return ()
        self._look_ns = look_ns
        return ((look_ns, LOOK_AGAIN),)
