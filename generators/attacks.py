"""The model of volumetric attacks that the GAN's attack class is trained on.

A flood is a shape over time (constant, a ramp up to a plateau, or on/off pulses: the strategies
named by Mirkovic and Reiher, "A taxonomy of DDoS attack and DDoS defense mechanisms", ACM CCR
34(2), 2004, section 3.4) times a share for each of 1 to `MAX_SOURCES` sources, whose shares of
the flood are Dirichlet distributed. Its peak lies between a fifth and the whole of the network's
mean total traffic.
"""

from __future__ import annotations

import numpy as np

from generators.schedule import FloatArray

MAX_SOURCES = 4
SHAPES = ("constant", "ramp", "pulse")
MIN_ACTIVE_STEPS = 4

_PEAK = (0.2, 1.0)
"""Of the network's mean total traffic."""
_SHARE_CONCENTRATION = 3.0
_PULSE_PERIOD = (2, 6)


def random_floods(
    rng: np.random.Generator, count: int, steps: int, shape: str | None = None
) -> FloatArray:
    """Return (count, steps, MAX_SOURCES): source rates over the network's mean total traffic.

    The strongest source comes first; the shape is one of SHAPES, or any of them.
    """
    floods = np.zeros((count, steps, MAX_SOURCES))
    for flood in floods:
        first = rng.integers(0, steps - MIN_ACTIVE_STEPS + 1)
        active = rng.integers(MIN_ACTIVE_STEPS, steps - first + 1)
        sources = rng.integers(1, MAX_SOURCES + 1)
        shares = np.sort(rng.dirichlet(np.full(sources, _SHARE_CONCENTRATION)))[::-1]
        intensity = rng.uniform(*_PEAK) * _shape(rng, int(active), shape or rng.choice(SHAPES))
        flood[first : first + active, :sources] = np.outer(intensity, shares)
    return floods


def _shape(rng: np.random.Generator, steps: int, kind: str) -> FloatArray:
    """(steps,) with a maximum of 1."""
    step = np.arange(steps)
    if kind == "ramp":
        return np.asarray(np.minimum(1.0, (step + 1) / rng.integers(2, steps + 1)))
    if kind == "pulse":
        period = rng.integers(*_PULSE_PERIOD, endpoint=True)
        return np.asarray((step % period < (period + 1) // 2).astype(np.float64))
    return np.ones(steps)
