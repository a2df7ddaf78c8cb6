"""How often a switch is asked for its counters, and what is known of how it answers.

A switch is never asked again for what it still owes. One that does not answer within a period is
asked half as often, and so on down to an eighth; every prompt answer doubles the pace again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_MOST_SLOWED = 8
_IDLE = 5
"""So many times more rarely a switch is asked for what it has none of."""


@dataclass
class Poll:
    """One kind of counters of one switch, asked for every so many ticks of its clock."""

    every: int
    phase: int = 0
    """The tick, below `every`, at which it is asked."""
    slowdown: int = 1
    answered_s: float | None = None
    """When it was last answered."""
    _asked: int | None = None
    _missed: bool = False
    _idle: bool = False

    @property
    def outstanding(self) -> bool:
        """Whether an answer is owed."""
        return self._asked is not None

    @property
    def overdue(self) -> bool:
        """Whether the answer has not come within its period."""
        return self._missed

    def tick(self, number: int) -> Literal["ask", "gap"] | None:
        """What is due now: to ask, or to say that no answer has come (once for each)."""
        if self._asked is not None:
            if self._missed or number - self._asked < self.every:
                return None
            self._missed = True
            self.slowdown = min(2 * self.slowdown, _MOST_SLOWED)
            return "gap"
        if number % (self.every * self.slowdown * (_IDLE if self._idle else 1)) != self.phase:
            return None
        self._asked = number
        return "ask"

    def answered(self, now_s: float, *, empty: bool = False) -> None:
        """The answer has come; `empty`: there is nothing to count."""
        if not self._missed:
            self.slowdown = max(1, self.slowdown // 2)
        self.answered_s = now_s
        self._idle = empty
        self.forget()

    def forget(self) -> None:
        """The connection was lost: nothing is owed any more."""
        self._asked = None
        self._missed = False
