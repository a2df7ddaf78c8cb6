"""A policy that never rests: it moves a pair to and fro."""

from __future__ import annotations

from twin.policy import Proposal
from twin.view import TwinView

PAIR = ("h1", "h2")
_PATHS = (("s1", "s2"), ("s1", "s3", "s2"))
_PERIOD_S = 1.0


class Swinging:
    """Moves `PAIR` of the triangle to its other path once a second."""

    name = "swinging"

    def __init__(self) -> None:
        self._next_s = float("-inf")

    def decide(self, view: TwinView) -> Proposal | None:
        """Move it when its time has come."""
        if view.now_s < self._next_s:
            return None
        self._next_s = view.now_s + _PERIOD_S
        direct, round_about = _PATHS
        return Proposal({PAIR: round_about if view.routing[PAIR] == direct else direct}, "swing")
