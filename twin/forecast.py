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
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from twin.adaptation import Band
from twin.indexing import FloatArray
from twin.mixing import FLOOR, log_relative

HORIZONS = 3
"""Intervals ahead."""
LOOKBACK = 6
"""Intervals that a forecast rests on; where fewer are known, the first stands for those before."""
BEGUN = 0.2
"""Of the last total: an interval with less was before the traffic began."""
FEWEST = 2
"""Intervals without which there is no forecast but persistence."""

_EMBEDDING = 8
_WIDTH = 64
_LARGEST_GROWTH = 2.0  # log
_UNTAUGHT_MARGIN = 0.3  # log: half the width of a band that nothing was measured for


class Forecaster(Protocol):
    """Forecasts the mean rates of the next `HORIZONS` intervals."""

    @property
    def benign_share(self) -> float | None:
        """How far the traffic it learnt from strays (see detection.py); None if from none."""
        ...

    def forecast(self, history_bps: FloatArray) -> FloatArray:
        """From (intervals, pairs), oldest first, to (HORIZONS, pairs); all finite."""
        ...

    def band(self, history_bps: FloatArray) -> Band:
        """The same with the band in which 90 % of the actual rates are expected."""
        ...


class PersistenceForecaster:
    """The naive forecast: everything stays as in the last interval."""

    benign_share = None

    def forecast(self, history_bps: FloatArray) -> FloatArray:
        """Repeat the last row."""
        return np.repeat(history_bps[-1:], HORIZONS, axis=0)

    def band(self, history_bps: FloatArray) -> Band:
        """As `Forecaster.band`; how wide is a guess."""
        margins = np.full((2, HORIZONS, 1), _UNTAUGHT_MARGIN)
        return _banded(self.forecast(history_bps), margins, float(history_bps[-1].mean()))


class ForecasterError(Exception):
    """A file of weights cannot be used; the message says why."""


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
        margins = torch.full((2, HORIZONS, len(source)), _UNTAUGHT_MARGIN)
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
        return _banded(self.forecast(history_bps), margins, mean_bps)

    def save(self, path: Path) -> None:
        """Write the weights.

        Raises:
            OSError: the file cannot be written.
        """
        torch.save(self._network.state_dict(), path)

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


def _banded(point_bps: FloatArray, margins: FloatArray, mean_bps: float) -> Band:
    floor_bps = FLOOR * mean_bps
    lower = (point_bps + floor_bps) * np.exp(-margins[0]) - floor_bps
    upper = (point_bps + floor_bps) * np.exp(margins[1]) - floor_bps
    return Band(np.maximum(lower, 0.0), point_bps, upper)
