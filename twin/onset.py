"""A queue that was empty when its traffic began, before it is stationary.

A link that is asked for a little more than it carries takes its time to fill: 100 packets at 2 %
too much are 5,000 transmission times. Until a barrier is met, the number of waiting packets is the
same diffusion as in queueing.py with the lower barrier alone, and its mean is known in closed form.

J. M. Harrison, "Brownian Motion and Stochastic Flow Systems", Wiley 1985, section 1.8;
J. Abate, W. Whitt, "Transient behavior of regulated Brownian motion, I: starting at the origin",
Adv. Appl. Prob. 19, 1987.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from twin.indexing import FloatArray
from twin.queueing import Variance

_INSTANTS = 7
"""Of a span, over which means are taken."""
_LEAST_LOAD = 1e-3
_DRIFTLESS = 1e-3
_AT_LEVEL = 0.98
"""Share of its stationary mean from which a queue has filled."""


@dataclass(frozen=True)
class Onset:
    """What is predicted is the mean from `from_s` to `to_s` after the traffic began."""

    from_s: float
    to_s: float

    def instants(self, packet_s: FloatArray) -> FloatArray:
        """(instants, links) in transmission times of a packet, which are `packet_s` (links,)."""
        middles = (np.arange(_INSTANTS) + 0.5) / _INSTANTS
        return np.asarray((self.from_s + (self.to_s - self.from_s) * middles)[:, None] / packet_s)


@dataclass(frozen=True)
class Filling:
    """How far queues have got, as shares of what they are when stationary."""

    waiting: FloatArray
    """Of the mean number of waiting packets."""
    spread: FloatArray
    """Standard deviation of that share over the span."""
    filled: FloatArray
    """Share of the span in which the queue was as full as it gets: when it loses packets."""


def filling(
    stationary: FloatArray,
    load: FloatArray,
    variance: Variance,
    instants: FloatArray,
    pace: float | FloatArray = 1.0,
) -> Filling:
    """Follow queues from empty.

    Args:
        stationary: mean packets waiting in the end.
        load: offered load over rate.
        variance: squared coefficient of variation of the arrivals.
        instants: (instants, links), in transmission times; `stationary` and `load` end with links.
        pace: share of the link that is left for the queue, whose `load` is over that.
    """
    times = instants.reshape(len(instants), *(1,) * (load.ndim - 1), -1) * pace
    share = np.minimum(growth(load, variance, times) / np.maximum(stationary, 1e-9), 1.0)
    return Filling(share.mean(axis=0), share.std(axis=0), (share > _AT_LEVEL).mean(axis=0))


def growth(load: FloatArray, variance: Variance, packets: FloatArray) -> FloatArray:
    """Mean packets waiting in a queue without end, `packets` transmission times after it was empty.

    Other arguments as in queueing.py.
    """
    busy = np.maximum(load, _LEAST_LOAD)
    drift, deviation = busy - 1, np.sqrt(busy * variance * packets)
    even = np.abs(drift * packets) < _DRIFTLESS * deviation
    safe = np.where(even, -1.0, drift)
    scaled = safe * packets / deviation
    density = np.exp(-(scaled**2) / 2) / np.sqrt(2 * np.pi)
    drifting = (
        busy * variance / (2 * safe) * (2 * ndtr(scaled) - 1)
        + safe * packets * ndtr(scaled)
        + deviation * density
    )
    return np.asarray(np.where(even, deviation * np.sqrt(2 / np.pi), drifting))
