"""Every OD pair's rates as standard normal scores, and back.

The rank-based inverse normal transform (van der Waerden scores) gives each pair the same marginal
distribution, whatever its scale, skew and share of zeros. The GAN thus learns only what is left:
how pairs and steps depend on each other. Rates made from scores stay within the range that the
pair has had in its history.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata
from torch import Tensor

from generators.schedule import FloatArray

_GRID = 129
_FLOOR_OF_PAIR = 1e-3
_FLOOR_OF_NETWORK = 1e-6


@dataclass(frozen=True)
class NormalScores:
    """The inverse transform as a table: log(rate + floor) at `_GRID` equidistant scores."""

    limit: float
    """Scores beyond +-`limit` mean the largest and the smallest rate seen."""
    table: Tensor
    """(pairs, grid)."""
    floor_bps: Tensor
    """(pairs,); keeps the logarithm of a rate of zero finite, and makes it exactly zero again."""

    @classmethod
    def fit(cls, rates_bps: FloatArray) -> tuple[NormalScores, Tensor]:
        """Return the transform of `rates_bps` (steps, pairs), and the scores, of the same shape."""
        steps = len(rates_bps)
        mean_bps = rates_bps.mean(axis=0)
        floor_bps = _FLOOR_OF_PAIR * mean_bps + _FLOOR_OF_NETWORK * mean_bps.mean()
        limit = float(ndtri(1 - 0.5 / steps))
        probabilities = ndtr(np.linspace(-limit, limit, _GRID))
        table = np.quantile(np.log(rates_bps + floor_bps), probabilities, axis=0).T
        scores = ndtri((rankdata(rates_bps, axis=0) - 0.5) / steps)
        transform = cls(limit, _float(table), _float(floor_bps))
        return transform, _float(scores)

    def select(self, pairs: Tensor) -> NormalScores:
        """Return the transform of some of the pairs, by index."""
        return NormalScores(self.limit, self.table[pairs].contiguous(), self.floor_bps[pairs])

    def rates_bps(self, scores: Tensor) -> Tensor:
        """Return the rates of `scores` (..., pairs); differentiable, linear between grid points."""
        spacing = 2 * self.limit / (_GRID - 1)
        position = (scores.clamp(-self.limit, self.limit) + self.limit) / spacing
        below = position.detach().floor().clamp(max=_GRID - 2)
        row_start = torch.arange(len(self.floor_bps)) * _GRID
        index = below.long() + row_start
        flat = self.table.reshape(-1)
        low, high = flat[index], flat[index + 1]
        logarithm = low + (position - below) * (high - low)
        return (logarithm.exp() - self.floor_bps).clamp(min=0.0)


def _float(array: FloatArray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
