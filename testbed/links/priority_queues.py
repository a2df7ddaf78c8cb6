"""The queues before a transmitter that serves one class of frames before another."""

from __future__ import annotations

from collections import deque

from testbed.links.service_class import (
    BEST_EFFORT,
    CLASSES,
    EXPEDITED,
    NETWORK_CONTROL,
    class_of,
)
from topologies.model import LinkShape


class PriorityQueues:
    """Strict priority: next is the earliest frame of the highest class of which any waits.

    Each class has the link's bound for itself, and drops from its own tail.
    """

    __slots__ = (
        "_bytes",
        "_most_bytes",
        "_most_packets",
        "_queues",
        "dropped",
        "high_water_packets",
        "waiting",
    )

    def __init__(self, shape: LinkShape) -> None:
        self._queues: tuple[deque[bytes], ...] = tuple(deque() for _ in CLASSES)
        self._bytes = [0 for _ in CLASSES]
        self.waiting = 0
        """Frames of all classes."""
        self.high_water_packets = 0
        """The most that ever waited at once."""
        self.dropped = [0 for _ in CLASSES]
        """Frames that found the queue of their class full."""
        self.reshape(shape)

    def reshape(self, shape: LinkShape) -> None:
        """Frames put in from now on meet the bound of `shape`."""
        self._most_packets = shape.queue_packets
        self._most_bytes = shape.queue_bytes

    def clear(self) -> int:
        """Forget all frames; return how many there were."""
        for queue in self._queues:
            queue.clear()
        self._bytes = [0 for _ in CLASSES]
        forgotten, self.waiting = self.waiting, 0
        return forgotten

    def put(self, frame: bytes) -> bool:
        """Let a frame wait; False: it was dropped."""
        service_class = class_of(frame)
        queue = self._queues[service_class]
        if self._most_bytes is None:
            full = len(queue) >= self._most_packets
        else:
            full = self._bytes[service_class] + len(frame) > self._most_bytes
        if full:
            self.dropped[service_class] += 1
            return False
        queue.append(frame)
        self._bytes[service_class] += len(frame)
        self.waiting += 1
        if self.waiting > self.high_water_packets:
            self.high_water_packets = self.waiting
        return True

    def next(self) -> bytes:
        """The frame whose turn it is; one waits at least."""
        return self._queues[self._next_class()][0]

    def take(self) -> bytes:
        """The same, which waits no longer."""
        service_class = self._next_class()
        frame = self._queues[service_class].popleft()
        self._bytes[service_class] -= len(frame)
        self.waiting -= 1
        return frame

    def _next_class(self) -> int:
        if self._queues[NETWORK_CONTROL]:
            return NETWORK_CONTROL
        return EXPEDITED if self._queues[EXPEDITED] else BEST_EFFORT
