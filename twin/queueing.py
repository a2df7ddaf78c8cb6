"""Delay and loss of one finite queue, as functions of its load; vectorised over links.

The stationary queue is a diffusion between two barriers: with load rho, room for K packets and
variance c2 of the arrivals (squared coefficient of variation; 1 for Poisson, below 1 for sums of
constant-rate streams), the number of waiting packets has a truncated exponential density of
exponent theta = 2 (rho - 1) / (rho c2). Well below saturation this is Kingman's formula
rho c2 / (2 (1 - rho)), far above it a full queue with loss 1 - 1/rho.

Senders of constant rates are no Poisson process however many they are: none runs ahead of its
rate by more than a packet, so what has come until some instant varies like a Brownian bridge
instead of a Brownian motion, and even at a load of 1 a queue stays short (`periodic`).

J. M. Harrison, "Brownian Motion and Stochastic Flow Systems", Wiley 1985, chapter 5;
J. F. C. Kingman, "The single server queue in heavy traffic", Proc. Camb. Phil. Soc. 57, 1961;
J. Roberts, U. Mocci, J. Virtamo (eds), "Broadband Network Teletraffic", LNCS 1155, Springer 1996
(the N*D/D/1 queue).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import erfcx

FloatArray = npt.NDArray[np.float64]
Variance = float | FloatArray

_IDLE = 1e-3  # below this load a queue is empty
_FAR = 1e3  # distance from saturation at which a bridge is a motion
_ALONE = 0.999  # concentration of what is taken for a single stream
_LARGEST_EXPONENT = 500.0  # keeps exp() finite; e**-500 is nothing


def waiting_packets(load: FloatArray, variance: Variance, room: FloatArray) -> FloatArray:
    """Mean packets waiting in a stationary queue.

    Args:
        load: offered load over rate, of each queue.
        variance: squared coefficient of variation of the arrivals, of all or of each queue.
        room: packets that may wait, of each queue.
    """
    z = _exponent(load, variance, room)
    small = np.abs(z) < 1e-3
    safe = np.where(small, 1.0, z)
    fraction = np.where(small, 0.5 + z / 12, _over_barrier(safe) - 1 / safe)
    return np.where(load < _IDLE, 0.0, np.clip(fraction, 0.0, 1.0) * room)


def waiting_deviation(load: FloatArray, variance: Variance, room: FloatArray) -> FloatArray:
    """Standard deviation of the packets waiting. Arguments as in `waiting_packets`."""
    z = _exponent(load, variance, room)
    small = np.abs(z) < 1e-2
    safe = np.clip(np.where(small, 1.0, z), -_LARGEST_EXPONENT, _LARGEST_EXPONENT)
    of_one = np.where(small, 1 / 12, 1 / safe**2 - 0.25 / np.sinh(safe / 2) ** 2)
    deviation = np.sqrt(np.maximum(of_one, 0.0)) * room
    return np.where(load < _IDLE, 0.0, deviation)


def loss_fraction(load: FloatArray, variance: Variance, room: FloatArray) -> FloatArray:
    """Share of the packets that find a stationary queue full. Arguments as in `waiting_packets`."""
    z = _exponent(load, variance, room)
    safe = np.where(np.abs(z) < 1e-9, 1e-9, z)
    # The flow over the upper barrier is drift / (1 - exp(-z)); here per packet offered.
    lost = safe / room * variance / 2 * _over_barrier(safe)
    return np.where(load < _IDLE, 0.0, np.clip(lost, 0.0, 1.0))


def periodic(load: FloatArray, variance: Variance, concentration: FloatArray) -> FloatArray:
    """The share of the variance that counts where all streams have constant rates.

    With it the mean wait, which is rho c2 / (2 (1 - rho)) for a Brownian motion, is that of the
    bridge: the integral over x of exp(-2 x (c x + (1 - r) / r) / c2), with the load r and the
    concentration c of the other streams, since no packet waits for its own stream.

    Args:
        load, variance: as in `waiting_packets`, over times shorter than any stream's period.
        concentration: sum of the squared shares of the streams: 1 / N for N that are alike.
    """
    busy, own = np.maximum(load, _IDLE), np.minimum(concentration, _ALONE)
    below = np.abs(busy - 1) / busy
    scale = np.sqrt(2 * own / (1 - own) * variance)
    distance = np.minimum(below / scale, _FAR)
    of_others = np.minimum((below + own) / (1 - own) / scale, _FAR)
    return np.asarray(np.sqrt(np.pi) * distance * erfcx(of_others))


def _exponent(load: FloatArray, variance: Variance, room: FloatArray) -> FloatArray:
    busy = np.maximum(load, _IDLE)
    return np.asarray(2 * (busy - 1) / (busy * variance) * room)


def _over_barrier(z: FloatArray) -> FloatArray:
    """1 / (1 - exp(-z))."""
    return np.asarray(-1 / np.expm1(-np.clip(z, -_LARGEST_EXPONENT, _LARGEST_EXPONENT)))
