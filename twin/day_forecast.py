"""Forecasts hours ahead, from a history with a time of day: an ensemble of mixing networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from topologies.model import Topology
from twin.day_features import NAIVE, DayFeatures
from twin.indexing import FloatArray, Indexing, IntArray
from twin.mixing import MixingNetwork, banded_error

MEMBERS = 3
"""Networks a horizon, trained from different seeds; the forecast is their mean."""

_STEPS = 600
_BATCH = 32
_RATE = 3e-3
_WEIGHT_DECAY = 1e-2
_DROPOUT = 0.1
_AVERAGING = 0.02  # weight of the newest weights in their running mean
_FEATURE_LIMIT = 5.0  # standard deviations
_SAMPLE = 256  # steps from which the features' means and deviations are taken


class HistoryTooShortError(Exception):
    """There are not enough days to learn from; the message says how many are needed."""


class DayForecaster:
    """Forecasts one horizon; `train_for_days` makes it."""

    def __init__(self, ahead: int, scale_bps: float, members: Sequence[_Member]) -> None:
        self.ahead = ahead
        """Steps."""
        self._scale_bps = scale_bps
        self._members = members

    def forecast(self, topology: Topology, history_bps: FloatArray, step_s: float) -> FloatArray:
        """Forecast from the end of a history (steps, pairs): (3, pairs), lower, point, upper.

        Raises:
            HistoryTooShortError: the history does not reach back far enough.
        """
        now = np.array([len(history_bps) - 1])
        return self.forecasts(topology, history_bps, step_s, now)[:, 0]

    def forecasts(
        self, topology: Topology, history_bps: FloatArray, step_s: float, now: IntArray
    ) -> FloatArray:
        """Forecast as at each of the steps `now`, from nothing that came later.

        Returns:
            (3, steps, pairs): lower end, forecast, upper end, of the rate `ahead` steps later.

        Raises:
            HistoryTooShortError: the history does not reach back far enough.
        """
        features = DayFeatures(Indexing(topology), history_bps / self._scale_bps, step_s)
        steps = torch.as_tensor(now, dtype=torch.int64)
        if int(steps.min()) < features.first:
            raise HistoryTooShortError(f"a forecast needs {features.first + 1} steps of history")
        with torch.inference_mode():
            parts = [
                torch.stack([m(*features.at(part, self.ahead)) for m in self._members]).mean(dim=0)
                for part in torch.split(steps, _BATCH)
            ]
        return np.asarray(torch.cat(parts, dim=1).double().numpy() * self._scale_bps)


class _Member:
    """A network and how its features are standardised."""

    def __init__(self, network: MixingNetwork, mean: Tensor, deviation: Tensor) -> None:
        self.network, self._mean, self._deviation = network, mean, deviation

    def __call__(self, features: Tensor, naive: Tensor) -> Tensor:
        """(3, windows, pairs)"""
        standard = ((features - self._mean) / self._deviation).clamp(
            -_FEATURE_LIMIT, _FEATURE_LIMIT
        )
        bands: Tensor = self.network(standard, naive)
        return bands[:, :, 0]


def train_for_days(
    topology: Topology,
    history_bps: FloatArray,
    step_s: float,
    ahead: int,
    seed: int,
    progress: Callable[[float], None] = lambda _: None,
) -> DayForecaster:
    """Train on a history (steps, pairs) with steps of `step_s`, for the rate `ahead` steps later.

    The number of training steps is fixed: the same history and seed give the same forecaster.

    Raises:
        HistoryTooShortError: fewer than four days, or less than is looked ahead beyond them.
    """
    scale_bps = max(float(history_bps.mean()), 1.0)
    features = DayFeatures(Indexing(topology), history_bps / scale_bps, step_s)
    if len(history_bps) - ahead - features.first < features.day:
        needed = (features.first + features.day + ahead) / features.day
        raise HistoryTooShortError(f"{needed:.1f} days of history are needed to learn from")
    known = np.arange(features.first, len(history_bps) - ahead)
    members = []
    for member in range(MEMBERS):
        random = np.random.default_rng([seed, ahead, member])
        torch.manual_seed(int(random.integers(2**31)))
        members.append(_trained(features, known, ahead, random))
        progress((member + 1) / MEMBERS)
    return DayForecaster(ahead, scale_bps, members)


def _trained(
    features: DayFeatures, known: IntArray, ahead: int, random: np.random.Generator
) -> _Member:
    sample = torch.from_numpy(random.choice(known, min(_SAMPLE, len(known)), replace=False))
    parts = torch.cat([features.at(part, ahead)[0] for part in torch.split(sample, _BATCH)])
    pairs, count = parts.shape[1:]
    flat = parts.flatten(0, 1)
    network = MixingNetwork(pairs, count, NAIVE, dropout=_DROPOUT)
    member = _Member(network, flat.mean(dim=0), flat.std(dim=0) + 1e-3)
    average = [parameter.detach().clone() for parameter in network.parameters()]
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=_WEIGHT_DECAY)
    for step in range(_STEPS):
        optimiser.param_groups[0]["lr"] = _RATE * (1 - step / _STEPS)
        now = torch.from_numpy(random.choice(known, _BATCH))
        optimiser.zero_grad()
        error = banded_error(member(*features.at(now, ahead)), features.rates(now + ahead))
        error.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        for mean, newest in zip(average, network.parameters(), strict=True):
            mean.lerp_(newest.detach(), _AVERAGING)
    with torch.no_grad():
        for parameter, mean in zip(network.parameters(), average, strict=True):
            parameter.copy_(mean)
    network.eval()
    return member
