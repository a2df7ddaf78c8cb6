"""Forecasting the next intervals of every OD pair: a small network on top of persistence.

All pairs share one multilayer perceptron. It sees the last rates of a pair on a log scale, those of
its source, its destination and the whole network, and an embedding that says which pair it is; it
answers with the log of the growth against the last interval. Rates are measured against the recent
mean of the network, so a forecaster works at any scale of the traffic. The band around a forecast
is how far the actual rates were off it, on that scale, where nothing was learnt from them (split
conformal prediction: Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from twin.band import FLOOR, Band
from twin.forecaster import (
    BEGUN,
    FEWEST,
    HORIZONS,
    LOOKBACK,
    UNTAUGHT_MARGIN,
    ForecasterError,
    PersistenceForecaster,
)
from twin.indexing import FloatArray
from twin.mixing import log_relative
from twin.weights import save_weights

_EMBEDDING = 8
_WIDTH = 64
_LARGEST_GROWTH = 2.0  # log


class GrowthNetwork(nn.Module):
    """The network: windows (windows, LOOKBACK, pairs) to growth (windows, HORIZONS, pairs)."""

    source: Tensor
    target: Tensor
    benign_share: Tensor
    margins: Tensor
    """(2, HORIZONS, pairs): how far below and above the forecast rates lie, as `log_errors`."""

    def __init__(self, source: Tensor, target: Tensor, benign_share: Tensor) -> None:
        """Take the host index of the origin and of the destination of each pair."""
        super().__init__()
        margins = torch.full((2, HORIZONS, len(source)), UNTAUGHT_MARGIN)
        self.register_buffer("margins", margins)
        self.register_buffer("benign_share", benign_share)
        self.register_buffer("source", source)
        self.register_buffer("target", target)
        self.embedding = nn.Embedding(len(source), _EMBEDDING)
        last = nn.Linear(_WIDTH, HORIZONS)
        self.layers = nn.Sequential(
            nn.Linear(4 * LOOKBACK + _EMBEDDING, _WIDTH),
            nn.SiLU(),
            nn.Linear(_WIDTH, _WIDTH),
            nn.SiLU(),
            last,
        )
        # Zero growth to begin with: training starts from persistence.
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, rates: Tensor) -> Tensor:
        """Forecast (windows, HORIZONS, pairs), in the unit of `rates`."""
        mean = rates.mean(dim=(1, 2), keepdim=True).clamp_min(1e-9)
        relative = rates / mean
        hosts = int(self.source.max()) + 1
        shape = (*relative.shape[:2], hosts)
        sent = relative.new_zeros(shape).index_add_(2, self.source, relative) / hosts
        received = relative.new_zeros(shape).index_add_(2, self.target, relative) / hosts
        total = relative.mean(dim=2, keepdim=True).expand_as(relative)
        context = [relative, sent[..., self.source], received[..., self.target], total]
        features = torch.cat([log_relative(part) for part in context], dim=1).transpose(1, 2)
        which = self.embedding.weight.expand(len(rates), -1, -1)
        growth = self.layers(torch.cat([features, which], dim=2)).transpose(1, 2)
        factor = growth.clamp(-_LARGEST_GROWTH, _LARGEST_GROWTH).exp()
        grown: Tensor = (relative[:, -1:] + FLOOR) * factor - FLOOR
        return grown.clamp_min(0.0) * mean


class LearnedForecaster:
    """A trained network; persistence until it has seen enough intervals."""

    def __init__(self, network: GrowthNetwork) -> None:
        self._network = network.eval()
        self._naive = PersistenceForecaster()

    @property
    def benign_share(self) -> float:
        """As `Forecaster.benign_share`."""
        return float(self._network.benign_share)

    def forecast(self, history_bps: FloatArray) -> FloatArray:
        """As `Forecaster.forecast`."""
        recent = history_bps[-LOOKBACK:]
        totals = recent.sum(axis=1)
        quiet = np.flatnonzero(totals <= BEGUN * totals[-1])
        recent = recent[quiet.max(initial=-1) + 1 :]
        if len(recent) < FEWEST:  # the traffic has only begun
            return self._naive.forecast(history_bps)
        recent = np.vstack([np.repeat(recent[:1], LOOKBACK - len(recent), axis=0), recent])
        with torch.inference_mode():
            window = torch.from_numpy(recent[None].astype(np.float32))
            forecast: Tensor = self._network(window)[0]
            return np.asarray(forecast.double().numpy())

    def band(self, history_bps: FloatArray) -> Band:
        """As `Forecaster.band`."""
        margins = self._network.margins.double().numpy()
        mean_bps = float(history_bps[-LOOKBACK:].mean())
        return Band.around(self.forecast(history_bps), margins, mean_bps)

    def save(self, path: Path) -> None:
        """Write the weights.

        Raises:
            OSError: the file cannot be written.
        """
        save_weights(self._network, path)

    @staticmethod
    def load(path: Path, pairs: int) -> LearnedForecaster:
        """Read weights written by `save`, for a network of `pairs` OD pairs.

        Raises:
            ForecasterError: the file is missing, is no forecaster, or is one of another network.
        """
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True)
            network = GrowthNetwork(state["source"], state["target"], state["benign_share"])
            network.load_state_dict(state)
        except Exception as error:
            raise ForecasterError(f"{path} holds no forecaster: {error}") from error
        if len(network.source) != pairs:
            raise ForecasterError(
                f"{path} was trained on {len(network.source)} OD pairs, this network has {pairs}"
            )
        return LearnedForecaster(network)


def log_errors(forecast: Tensor, actual: Tensor, mean: Tensor) -> Tensor:
    """How far rates were above their forecast, on the log scale; `mean` of the last intervals."""
    return log_relative(actual / mean) - log_relative(forecast / mean)
