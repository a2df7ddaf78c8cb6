"""The network behind forecasts of days: naive forecasts, mixed and corrected, with a band.

All pairs share one multilayer perceptron, which is told by an embedding which pair it looks at. It
answers with the weights of a convex mixture of naive forecasts, the log of a growth beyond it, and
how far down and up the actual rate may lie. A mixture can smooth what is noisy and fall back on
what was, which growth alone cannot; without training it is the first of them, hardly mixed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from twin.band import FLOOR, MISSES

LOWER, POINT, UPPER = range(3)
"""Along the first axis of what `MixingNetwork` answers."""

_EMBEDDING = 8
_WIDTH = 64
_PREFERENCE = 3.0  # of the first naive forecast before training, in logits
_LARGEST_GROWTH = 2.0  # log
_FIRST_MARGIN = -1.0  # softplus of it is 0.3: a band of about 30 % before training
_BAND_WEIGHT = 0.5  # of the band's loss, beside that of the point forecast


class MixingNetwork(nn.Module):
    """Features and naive forecasts of every pair to lower end, forecast and upper end."""

    def __init__(
        self, pairs: int, features: int, naive: int, horizons: int = 1, dropout: float = 0.0
    ) -> None:
        """Take how many of each there are; the first naive forecast is the one preferred."""
        super().__init__()
        self.naive, self.horizons = naive, horizons
        self.embedding = nn.Embedding(pairs, _EMBEDDING)
        nn.init.normal_(self.embedding.weight, std=0.3)
        last = nn.Linear(_WIDTH, horizons * (naive + 3))
        self.layers = nn.Sequential(
            nn.Linear(features + _EMBEDDING, _WIDTH),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(_WIDTH, _WIDTH),
            nn.SiLU(),
            nn.Dropout(dropout),
            last,
        )
        # Training starts from the first naive forecast, hardly mixed with the others.
        nn.init.zeros_(last.weight)
        with torch.no_grad():
            bias = torch.zeros(horizons, naive + 3)
            bias[:, 0] = _PREFERENCE
            bias[:, naive + 1 :] = _FIRST_MARGIN
            last.bias.copy_(bias.flatten())

    def forward(self, features: Tensor, naive: Tensor) -> Tensor:
        """Forecast, in the unit of `naive`, in which the mean rate is about 1.

        Args:
            features: (windows, pairs, features).
            naive: (windows, pairs, naive), the same for every horizon.

        Returns:
            (3, windows, horizons, pairs): LOWER, POINT, UPPER.
        """
        which = self.embedding.weight.expand(len(features), -1, -1)
        raw = self.layers(torch.cat([features, which], dim=2))
        raw = raw.unflatten(2, (self.horizons, self.naive + 3)).transpose(1, 2)
        mixture = (raw[..., : self.naive].softmax(dim=3) * naive.unsqueeze(1)).sum(dim=3)
        growth, down, up = raw[..., self.naive :].unbind(dim=3)
        grown = (mixture + FLOOR) * growth.clamp(-_LARGEST_GROWTH, _LARGEST_GROWTH).exp()
        # The band does not bend the point forecast: it is the median of what it learns alone.
        centre = grown.detach()
        margins = nn.functional.softplus(torch.stack([down, up]))
        ends = (centre * (-margins[0]).exp(), grown, centre * margins[1].clamp(max=5.0).exp())
        return (torch.stack(ends) - FLOOR).clamp_min(0.0)


def banded_error(bands: Tensor, actual: Tensor) -> Tensor:
    """WAPE of the point forecast plus the pinball loss of both ends of the band, as a share.

    The absolute error is what WAPE measures, so its minimum is what is wanted: the median.
    Pinball loss: Koenker, Bassett, "Regression quantiles", Econometrica 46(1), 1978.
    """
    point = (bands[POINT] - actual).abs().sum()
    below, above = actual - bands[LOWER], actual - bands[UPPER]
    ends = pinball(below, MISSES / 2).sum() + pinball(above, 1 - MISSES / 2).sum()
    error: Tensor = (point + _BAND_WEIGHT * ends) / actual.sum().clamp_min(1e-9)
    return error


def pinball(excess: Tensor, quantile: float) -> Tensor:
    """The loss whose minimum is the quantile, from the actual minus the forecast of it."""
    return torch.maximum(quantile * excess, (quantile - 1) * excess)


def log_relative(rates: Tensor) -> Tensor:
    """Rates on the log scale on which the networks compare them."""
    return (rates + FLOOR).log()
