"""How busy the link daemon is, and how much it may save by looking less often.

Each look costs the daemon, and the switch that it wakes up, more than the frames do. The idea is
that of interrupt moderation in network cards: every frame at once when there are few, in turns
when there are many.
"""

from __future__ import annotations

import time

from testbed.links.wakeup import WakeUp

TURN_NS = 400_000
"""The longest time between two looks, and so twice the largest error that turns can make."""
_WINDOW_NS = 5_000_000
_BUSY_FRAMES = 30
"""In a window: 6,000 frames/s are a load, 50 Mbit/s in large frames are not."""


class Load:
    """Counts frames, and waits between turns while there are many."""

    __slots__ = ("_turn_ns", "_wake_up", "_window_ns", "frames", "is_busy")

    def __init__(self, wake_up: WakeUp) -> None:
        self._wake_up = wake_up
        self.frames = 0
        """Taken in since the window began; whoever takes them in counts."""
        self.is_busy = False
        """Whether there are so many frames that turns are worth it."""
        self._turn_ns = 0
        self._window_ns = 0

    def wait_out_turn(self) -> int:
        """Wait for the end of the turn, begin the next, and return how long ago the last began."""
        left_ns = self._turn_ns + TURN_NS - time.monotonic_ns()
        sleep_ns = left_ns - self._wake_up.latency_ns(left_ns)
        if sleep_ns > 0:
            wake_ns = time.monotonic_ns() + sleep_ns
            time.sleep(sleep_ns / 1e9)
            self._wake_up.learn(left_ns, time.monotonic_ns() - wake_ns)
        return self.begin_turn()

    def begin_turn(self) -> int:
        """Begin a turn, and return how long ago the last began, in nanoseconds."""
        now_ns = time.monotonic_ns()
        lasted_ns, self._turn_ns = now_ns - self._turn_ns, now_ns
        elapsed_ns = now_ns - self._window_ns
        if elapsed_ns > _WINDOW_NS:
            self.is_busy = self.frames * _WINDOW_NS > _BUSY_FRAMES * elapsed_ns
            self._window_ns, self.frames = now_ns, 0
        return lasted_ns
