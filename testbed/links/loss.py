"""Which frames are lost on the way: each by itself, or several in a row."""

from __future__ import annotations

import random
from collections.abc import Callable

from topologies.model import LinkShape

Loss = Callable[[], bool]
"""Says of one frame after the other whether it is lost."""


def loss_of(shape: LinkShape, draw: random.Random) -> Loss | None:
    """The loss that `shape` asks for; None: no frame is lost."""
    share = shape.loss_percent / 100
    if not share:
        return None
    if shape.loss_burst_packets is None or share >= 1:
        return lambda: draw.random() < share
    return GilbertLoss(share, shape.loss_burst_packets, draw).__call__


def gilbert(share: float, mean_burst: float) -> tuple[float, float]:
    """The chances, frame by frame, that a burst begins and that one ends; `share` is below 1.

    Between two bursts a frame at least gets through. Where that is too many, as on a ramp towards
    the loss of everything, bursts are longer.
    """
    ends = min(1 / mean_burst, (1 - share) / share)
    return ends * share / (1 - share), ends


class GilbertLoss:
    """Two states, in one of which every frame is lost, with geometric stays in both.

    E. N. Gilbert, "Capacity of a burst-noise channel", Bell System Technical Journal 39 (1960);
    here with no loss in the good state and nothing else in the bad one, as netem's `loss gemodel
    p r`: r = 1 / mean burst, p = r * share / (1 - share).
    """

    def __init__(self, share: float, mean_burst: float, draw: random.Random) -> None:
        self._draw = draw
        self._begins, self._ends = gilbert(share, mean_burst)
        self._bad = draw.random() < share

    def __call__(self) -> bool:
        """Whether the next frame is lost."""
        lost = self._bad
        if self._draw.random() < (self._ends if lost else self._begins):
            self._bad = not lost
        return lost
