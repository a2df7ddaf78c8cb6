"""How busy the link daemon is, and how much it may save by looking less often.

Each look costs the daemon, and the switch that it wakes up, more than the frames do. The idea is
that of interrupt moderation in network cards: every frame at once when there are few, in turns
when there are many.
"""

from __future__ import annotations

import time

_TURN_NS = 400_000
_WINDOW_NS = 5_000_000
_BUSY_FRAMES = 20
"""In a window: 4,000 frames/s are a load, a few pings are not."""
_EARLY_NS = 20_000
"""A frame due this soon goes at once: arming the timer takes as long."""


class Load:
    """Counts frames, and waits between turns while there are many."""

    __slots__ = ("_busy", "_turn_ns", "_window_ns", "frames")

    def __init__(self) -> None:
        self.frames = 0
        """Taken in since the window began; whoever takes them in counts."""
        self._busy = False
        self._turn_ns = 0
        self._window_ns = 0

    @property
    def early_ns(self) -> int:
        """How long before its time a frame may go."""
        return _TURN_NS // 2 if self._busy else _EARLY_NS

    def begin_turn(self) -> None:
        """A turn begins now; once in a window, find out whether there is a load."""
        self._turn_ns = time.monotonic_ns()
        if self._turn_ns - self._window_ns > _WINDOW_NS:
            elapsed_windows = (self._turn_ns - self._window_ns) / _WINDOW_NS
            self._busy = self.frames > _BUSY_FRAMES * elapsed_windows
            self._window_ns, self.frames = self._turn_ns, 0

    def wait_out_turn(self) -> int:
        """Under load, wait for the end of the turn; how long that took, in nanoseconds."""
        if not self._busy:
            return 0
        now_ns = time.monotonic_ns()
        left_ns = self._turn_ns + _TURN_NS - now_ns
        if left_ns <= 0:
            return 0
        time.sleep(left_ns / 1e9)
        return time.monotonic_ns() - now_ns
