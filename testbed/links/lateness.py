"""How late frames were released: a histogram, since there are too many to keep."""

from __future__ import annotations

from bisect import bisect_left

_STEPS_NS = tuple(int(20_000 * 1.1**step) for step in range(110))
"""From 0.02 ms to 0.6 s, each a tenth wider than the one before."""


class Lateness:
    """Counts frames by how late they were."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = [0] * (len(_STEPS_NS) + 1)

    def add(self, late_ns: int) -> None:
        """One frame was released so late (negative: early)."""
        self._counts[bisect_left(_STEPS_NS, late_ns)] += 1

    def take_p99_ms(self) -> float:
        """The 99th percentile since the last call (the upper edge of its step); 0 for no frame."""
        counts, self._counts = self._counts, [0] * len(self._counts)
        seen, wanted = 0, 0.99 * sum(counts)
        for step_ns, count in zip((*_STEPS_NS, _STEPS_NS[-1]), counts, strict=True):
            seen += count
            if seen and seen >= wanted:
                return step_ns / 1e6
        return 0.0
