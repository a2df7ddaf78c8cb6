"""The sending end of a link: one frame at a time at a rate, the others wait or are tail-dropped."""

from __future__ import annotations

from collections import deque
from math import ceil

from topologies.model import LinkShape

_BIT_NS_PER_BYTE_S = 8 * 1_000_000_000


class Transmitter:
    """start = max(now, free); finish = start + length / rate, in nanoseconds, rounded up.

    The frame in transmission is not in the queue, so a frame that finds the transmitter free is
    always taken, whatever the bound.
    """

    __slots__ = (
        "_bytes_ahead",
        "_finishes_ns",
        "_lengths",
        "_most_bytes",
        "_most_packets",
        "_ns_per_byte",
        "free_ns",
        "high_water_packets",
    )

    def __init__(self, shape: LinkShape) -> None:
        self._finishes_ns: deque[int] = deque()
        self._lengths: deque[int] = deque()
        self._bytes_ahead = 0
        self.free_ns = 0
        """When all that has been taken has been sent."""
        self.high_water_packets = 0
        """The most frames that ever waited at once."""
        self.reshape(shape)

    def reshape(self, shape: LinkShape) -> None:
        """Frames taken from now on meet `shape`; those that wait keep their turn."""
        self._ns_per_byte = _BIT_NS_PER_BYTE_S / shape.rate_bps
        self._most_packets = shape.queue_packets
        self._most_bytes = shape.queue_bytes

    def clear(self) -> None:
        """Forget the frames in transmission and waiting."""
        self._finishes_ns.clear()
        self._lengths.clear()
        self._bytes_ahead = 0
        self.free_ns = 0

    def duration_ns(self, length: int) -> int:
        """How long it takes to send a frame of `length` bytes."""
        return ceil(length * self._ns_per_byte)

    def take(self, now_ns: int, length: int) -> int | None:
        """When a frame of `length` bytes that comes now has been sent; None: the queue is full."""
        finishes_ns, lengths = self._finishes_ns, self._lengths
        while finishes_ns and finishes_ns[0] <= now_ns:
            finishes_ns.popleft()
            self._bytes_ahead -= lengths.popleft()
        start_ns = now_ns
        if finishes_ns:
            if self._is_full(length):
                return None
            start_ns = finishes_ns[-1]
            if len(finishes_ns) > self.high_water_packets:
                self.high_water_packets = len(finishes_ns)
        finish_ns = self.free_ns = start_ns + ceil(length * self._ns_per_byte)
        finishes_ns.append(finish_ns)
        lengths.append(length)
        self._bytes_ahead += length
        return finish_ns

    def _is_full(self, length: int) -> bool:
        if self._most_bytes is None:
            return len(self._finishes_ns) > self._most_packets
        return self._bytes_ahead - self._lengths[0] + length > self._most_bytes
