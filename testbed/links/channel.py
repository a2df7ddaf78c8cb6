"""One direction of an emulated link: when a frame arrives at the other end, if it does.

The link is a transmitter with a finite tail-drop queue, followed by a propagation delay, as in
every textbook: start = max(now, transmitter free); finish = start + length / rate; due =
finish + delay. The arithmetic is in integer nanoseconds and knows no sockets.
"""

from __future__ import annotations

import random
from collections import deque

from topologies.model import LinkShape

_NS_PER_MS = 1_000_000
_NS_PER_S = 1_000_000_000


class Channel:
    """One direction of a link."""

    __slots__ = (
        "_delay_ns",
        "_finishes_ns",
        "_jitter_ns",
        "_last_due_ns",
        "_loss",
        "_ns_per_byte",
        "_queue_packets",
        "_random",
        "dropped_by_fault",
        "dropped_by_loss",
        "dropped_by_queue",
        "received",
        "up",
    )

    def __init__(self, shape: LinkShape, seed: int) -> None:
        self._random = random.Random(seed)
        self._finishes_ns: deque[int] = deque()
        self._last_due_ns = 0
        self.up = True
        self.received = 0
        self.dropped_by_queue = 0
        self.dropped_by_loss = 0
        self.dropped_by_fault = 0
        self.reshape(shape)

    def reshape(self, shape: LinkShape) -> None:
        """Frames admitted from now on meet `shape`."""
        self._ns_per_byte = 8 * _NS_PER_S / shape.rate_bps
        self._delay_ns = round(shape.delay_ms * _NS_PER_MS)
        self._jitter_ns = shape.jitter_ms * _NS_PER_MS
        self._loss = shape.loss_percent / 100.0
        self._queue_packets = shape.queue_packets

    def admit(self, now_ns: int, length: int) -> int | None:
        """When a frame of `length` bytes that arrives now is due at the far end; None if dropped.

        Frames keep their order, jitter or not. A frame lost by `loss_percent` still takes its
        turn at the transmitter, as on a real lossy medium.
        """
        self.received += 1
        if not self.up:
            self.dropped_by_fault += 1
            return None
        finishes = self._finishes_ns
        while finishes and finishes[0] <= now_ns:
            finishes.popleft()
        # One frame is in transmission, the others wait.
        if len(finishes) > self._queue_packets:
            self.dropped_by_queue += 1
            return None
        start_ns = finishes[-1] if finishes else now_ns
        finish_ns = start_ns + int(length * self._ns_per_byte)
        finishes.append(finish_ns)
        if self._loss and self._random.random() < self._loss:
            self.dropped_by_loss += 1
            return None
        due_ns = finish_ns + self._delay_ns
        if self._jitter_ns:
            due_ns += max(-self._delay_ns, int(self._random.gauss(0.0, self._jitter_ns)))
            due_ns = max(due_ns, self._last_due_ns)
            self._last_due_ns = due_ns
        return due_ns
