"""How long the control channel of a switch takes, by echo requests."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

_ECHOES = 10


@dataclass
class Echoes:
    """Round trips of echo requests to one switch."""

    _recent_s: deque[float] = field(default_factory=lambda: deque(maxlen=_ECHOES))

    def add(self, round_trip_s: float) -> None:
        """Take in one."""
        self._recent_s.append(round_trip_s)

    @property
    def least_s(self) -> float | None:
        """The quickest of the last ten: what the channel takes when nobody is busy."""
        return min(self._recent_s, default=None)
