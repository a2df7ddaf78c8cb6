"""How much longer or shorter than its mean the delay of a frame is."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from math import erf, erfc, sqrt

from topologies.model import JitterDistribution, LinkShape

Jitter = Callable[[], int]
"""Says, for one frame after the other, what is added to its delay, in nanoseconds."""

_NS_PER_MS = 1_000_000
_PARETO_SHAPE = 3.0
"""As in netem's table: the least for which the standard deviation is finite, in whole numbers."""
_PARETO_MEAN = _PARETO_SHAPE / (_PARETO_SHAPE - 1)
_PARETO_DEVIATION = sqrt(_PARETO_MEAN / (_PARETO_SHAPE - 1) / (_PARETO_SHAPE - 2))


def jitter_of(shape: LinkShape, draw: random.Random) -> Jitter | None:
    """The jitter that `shape` asks for; None: the delay is constant.

    Correlation is that of an underlying normal sequence z' = r z + sqrt(1 - r^2) g, which is then
    given the distribution asked for. So the spread is the same with and without it, whereas
    netem's own r x + (1 - r) y narrows the spread; see tc-netem(8), "isn't a true statistical
    correlation".
    """
    if not shape.jitter_ms:
        return None
    spread_ns = shape.jitter_ms * _NS_PER_MS
    scaled = _DISTRIBUTIONS[shape.jitter_distribution]
    resemblance = shape.jitter_correlation_percent / 100
    novelty = sqrt(1 - resemblance * resemblance)
    normal = draw.gauss(0.0, 1.0)

    def next_ns() -> int:
        nonlocal normal
        normal = resemblance * normal + novelty * draw.gauss(0.0, 1.0)
        return int(spread_ns * scaled(normal))

    return next_ns


def _uniform(normal: float) -> float:
    """Between -1 and 1."""
    return erf(normal / sqrt(2))


def _pareto(normal: float) -> float:
    """Of mean 0 and standard deviation 1: a sharp lower edge and a long upper tail."""
    exceeded = max(erfc(normal / sqrt(2)) / 2, 1e-12)
    drawn: float = exceeded ** (-1 / _PARETO_SHAPE)
    return (drawn - _PARETO_MEAN) / _PARETO_DEVIATION


_DISTRIBUTIONS: Mapping[JitterDistribution, Callable[[float], float]] = {
    "normal": lambda normal: normal,
    "uniform": _uniform,
    "pareto": _pareto,
}
"""From a standard normal variable."""
