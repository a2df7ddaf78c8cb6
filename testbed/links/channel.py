"""One direction of an emulated link: when a frame arrives at the other end, and as what.

A transmitter with a finite tail-drop queue, followed by a medium that delays, loses, repeats and
damages frames, as in every textbook. The arithmetic is in integer nanoseconds; it knows no socket
and no clock.
"""

from __future__ import annotations

import random

from testbed.links.jitter import jitter_of
from testbed.links.loss import loss_of
from testbed.links.transmitter import Transmitter
from testbed.records import LinkCounters
from topologies.model import LinkShape

_NS_PER_MS = 1_000_000

Arrivals = tuple[tuple[int, bytes], ...]
"""What comes out at the far end: due instant in nanoseconds, and frame.

Or, in place of a frame, `LOOK_AGAIN`.
"""

LOOK_AGAIN = b""
"""Frames may be due at that instant that are not known yet: `proceed` is to be called then."""


class Channel:
    """One direction of a link.

    Whoever carries the frames counts those that come out (`sent`) and those that a fault takes on
    their way (`dropped_by_fault`). At any time received + duplicated = sent + dropped + in flight.
    """

    __slots__ = (
        "_arrives_after_ns",
        "_corrupt",
        "_delay_ns",
        "_duplicate",
        "_jitter",
        "_keeps_order",
        "_least_delay_ns",
        "_loss",
        "_plain",
        "_random",
        "_transmitter",
        "corrupted",
        "dropped_by_fault",
        "dropped_by_loss",
        "dropped_by_queue",
        "duplicated",
        "received",
        "sent",
        "works",
    )

    def __init__(self, shape: LinkShape, seed: int) -> None:
        self._random = random.Random(seed)
        self._transmitter = Transmitter(shape)
        self._arrives_after_ns = 0
        self.works = True
        """False while a fault lets no frame through; see `fail`."""
        self.received = 0
        self.sent = 0
        self.dropped_by_queue = 0
        self.dropped_by_loss = 0
        self.dropped_by_fault = 0
        self.duplicated = 0
        self.corrupted = 0
        self._take_shape(shape)

    def reshape(self, now_ns: int, shape: LinkShape) -> Arrivals:  # noqa: ARG002
        """Frames admitted from now on meet `shape`; those in flight keep their due time."""
        self._transmitter.reshape(shape)
        self._take_shape(shape)
        return ()

    def _take_shape(self, shape: LinkShape) -> None:
        self._delay_ns = round(shape.delay_ms * _NS_PER_MS)
        self._jitter = jitter_of(shape, self._random)
        self._loss = loss_of(shape, self._random)
        self._least_delay_ns = 0 if self._jitter else self._delay_ns
        self._keeps_order = not shape.reordering
        self._duplicate = shape.duplicate_percent / 100
        self._corrupt = shape.corrupt_percent / 100
        self._plain = not (self._jitter or self._loss or self._duplicate or self._corrupt)

    def fail(self) -> None:
        """Let nothing through until `mend`; whoever carries the frames in flight loses them."""
        self.works = False
        self._transmitter.clear()
        self._arrives_after_ns = 0

    def mend(self) -> None:
        """Let frames through again."""
        self.works = True

    def admit(self, now_ns: int, frame: bytes) -> Arrivals:
        """What becomes of a frame that comes now: nothing, if it is dropped.

        A frame lost on the way has taken its turn at the transmitter, as on a real medium.
        """
        self.received += 1
        if not self.works:
            self.dropped_by_fault += 1
            return ()
        finish_ns = self._transmitter.take(now_ns, len(frame))
        if finish_ns is None:
            self.dropped_by_queue += 1
            return ()
        return self._emerge(finish_ns, frame)

    def proceed(self, at_ns: int) -> Arrivals:  # noqa: ARG002
        """What has become known by `at_ns`, after `LOOK_AGAIN`: here, all is known at once."""
        return ()

    def counters(self) -> LinkCounters:
        """Frames since the start."""
        return LinkCounters(
            received=self.received,
            sent=self.sent,
            dropped_by_queue=self.dropped_by_queue,
            dropped_by_loss=self.dropped_by_loss,
            dropped_by_fault=self.dropped_by_fault,
            duplicated=self.duplicated,
            corrupted=self.corrupted,
            queue_high_water_packets=self._transmitter.high_water_packets,
        )

    def _emerge(self, finish_ns: int, frame: bytes) -> Arrivals:
        """What the medium makes of a frame that has been sent at `finish_ns`."""
        due_ns = finish_ns + self._delay_ns
        if not self._plain:
            return self._impaired(finish_ns, due_ns, frame)
        if self._keeps_order:
            if due_ns < self._arrives_after_ns:
                due_ns = self._arrives_after_ns
            self._arrives_after_ns = due_ns
        return ((due_ns, frame),)

    def _impaired(self, finish_ns: int, due_ns: int, frame: bytes) -> Arrivals:
        if self._loss and self._loss():
            self.dropped_by_loss += 1
            return ()
        if self._jitter:
            due_ns = max(finish_ns, due_ns + self._jitter())
        if self._keeps_order:
            due_ns = self._arrives_after_ns = max(due_ns, self._arrives_after_ns)
        if self._duplicate and self._random.random() < self._duplicate:
            self.duplicated += 1
            return (due_ns, self._damaged(frame)), (due_ns, self._damaged(frame))
        return ((due_ns, self._damaged(frame)),)

    def _damaged(self, frame: bytes) -> bytes:
        """The frame, perhaps with one bit flipped, anywhere in it, as netem does."""
        if not self._corrupt or self._random.random() >= self._corrupt:
            return frame
        self.corrupted += 1
        damaged = bytearray(frame)
        damaged[self._random.randrange(len(damaged))] ^= 1 << self._random.randrange(8)
        return bytes(damaged)
