"""A VAE that fills gaps in a vector of OD rates from what was observed at the same time and before.

A denoising variational auto-encoder (Im et al., "Denoising criterion for variational auto-encoding
framework", AAAI 2017): the encoder sees the incomplete vector and what is last known of each pair,
the decoder gives all rates, and the loss counts mostly what was hidden from the encoder. A pair
whose past is known is predicted from its last rate, pulled towards its fading mean, and the change
that the decoder sees in the others; any other pair from the decoder alone.

Scale-free: rates are taken relative to the history's means times the ratio of the observed total
to what those same pairs sum up to in the mean. A lab that replays the history at another scale
gets answers at its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from generators.gaps import MAX_AGE, RECENT, LastKnown, last_known, random_cells, silent_sources
from generators.history import History
from generators.model_files import ModelFileError, load_model, save_model
from generators.schedule import FloatArray
from generators.training_loop import Progress, seeded_and_single_threaded, steps_for, training_steps

HYPER_PARAMETERS: Mapping[str, float] = {
    "batch": 64,
    "steps": 1500,
    "rate": 2e-3,
    "hidden": 192,
    "latent": 24,
    "kl_weight": 1e-3,
    "log_weight": 0.1,
    "observed_weight": 0.1,
}
_FLOOR = 0.02
"""Of the pair's mean: rates below count as alike in the logarithm."""
_FLOOR_OF_NETWORK = 1e-4
_FORMAT = "telemetry-vae-1"


class NothingObservedError(ValueError):
    """Neither the vector nor the recent ones hold a single rate: there is nothing to go by."""


@dataclass(frozen=True)
class _Encoded:
    """What the network reads, (batch, pairs) each, and the scale it was divided by, (batch, 1)."""

    now: Tensor
    observed: Tensor
    before: Tensor
    average: Tensor
    known: Tensor
    age: Tensor
    scale: FloatArray


class _Network(nn.Module):
    """Log rates relative to mean and scale, in and out."""

    def __init__(self, pairs: int) -> None:
        super().__init__()
        hidden, latent = int(HYPER_PARAMETERS["hidden"]), int(HYPER_PARAMETERS["latent"])
        self.enter = nn.Linear(6 * pairs, hidden)
        self.encode = nn.Linear(hidden, 2 * latent)
        self.decode = nn.Linear(latent, hidden)
        self.level = nn.Linear(hidden, pairs)
        self.change = nn.Linear(hidden, pairs)
        self.pull = nn.Parameter(torch.full((pairs,), -1.0))
        self.pull_by_age = nn.Parameter(torch.zeros(pairs))
        for layer in (self.level, self.change):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, seen: _Encoded, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return log rates (batch, pairs) and the divergence from the prior (batch,).

        `noise` (batch, latent) is standard normal in training, zero for the most likely answer.
        """
        changed = (seen.now - seen.before) * seen.observed * seen.known
        inputs = [seen.now, seen.observed, seen.before, seen.known, seen.age / MAX_AGE, changed]
        hidden = leaky_relu(self.enter(torch.cat(inputs, 1)), 0.2)
        mean, log_variance = self.encode(hidden).chunk(2, 1)
        log_variance = log_variance.clamp(-8, 4)
        latent = mean + noise * (log_variance / 2).exp()
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1)
        decoded = leaky_relu(self.decode(latent), 0.2)
        pull = torch.sigmoid(self.pull + self.pull_by_age * seen.age / MAX_AGE)
        smoothed = seen.before + pull * (seen.average - seen.before)
        if_known = smoothed + self.change(decoded)
        rates: Tensor = torch.where(seen.known > 0, if_known, self.level(decoded))
        return rates, divergence


class TelemetryVae:
    """A trained network and the means it works relative to."""

    def __init__(self, hosts: tuple[str, ...], mean_bps: FloatArray, network: nn.Module) -> None:
        self.hosts = hosts
        self._mean_bps = mean_bps
        self._network = network.eval()

    @torch.no_grad()
    def impute(self, rates_bps: FloatArray, recent: FloatArray | None = None) -> FloatArray:
        """Return `rates_bps` (pairs,) with every NaN replaced; observed rates stay as they are.

        `recent` (W, pairs) holds the vectors before it at the same spacing, oldest first, NaN for
        gaps; any W. Pairs are in the order of `Topology.od_pairs`.

        Raises:
            NothingObservedError: there is no rate at all in `rates_bps` and `recent`.
        """
        before = last_known(np.empty((0, len(rates_bps))) if recent is None else recent)
        if np.isnan(rates_bps).all() and np.isnan(before.rates_bps).all():
            raise NothingObservedError("no OD rate was observed, now or recently")
        batch = LastKnown(*(array[None] for array in astuple(before)))
        seen = _encode(rates_bps[None], batch, self._mean_bps)
        logs, _ = self._network(seen, torch.zeros(1, int(HYPER_PARAMETERS["latent"])))
        filled_bps = _to_rates(logs, self._mean_bps)[0].double().numpy() * seen.scale[0]
        return np.where(np.isnan(rates_bps), filled_bps, rates_bps)

    def save(self, path: Path) -> None:
        """Write the weights and what is needed beside them."""
        content = {
            "hosts": list(self.hosts),
            "mean_bps": torch.from_numpy(self._mean_bps),
            "network": self._network.state_dict(),
        }
        save_model(path, _FORMAT, content)

    @classmethod
    def load(cls, path: Path) -> TelemetryVae:
        """Read what `save` wrote.

        Raises:
            ModelFileError: the file is missing, damaged, or no TelemetryVae.
        """
        content = load_model(path, _FORMAT)
        try:
            return cls._from(content)
        except (KeyError, TypeError, RuntimeError) as error:
            raise ModelFileError(f"{path}: an incomplete model ({error})") from error

    @classmethod
    def _from(cls, content: dict[str, Any]) -> TelemetryVae:
        mean_bps = content["mean_bps"].double().numpy()
        network = _Network(len(mean_bps))
        network.load_state_dict(content["network"])
        return cls(tuple(content["hosts"]), mean_bps, network)


def load_imputer(path: Path | str) -> TelemetryVae:
    """Load a `TelemetryVae`: the twin's plug-in reference is `generators.vae:load_imputer`."""
    return TelemetryVae.load(Path(path))


def train_vae(
    history: History, seed: int, budget_s: float, progress: Progress | None = None
) -> TelemetryVae:
    """Train on random gaps in the history: single cells, and whole sources gone silent.

    The number of training steps is fixed, so the same history and seed give the same weights on
    one machine; `budget_s` only stops a machine that is far too slow.
    """
    rates_bps = history.rates_bps
    mean_bps = rates_bps.mean(axis=0) + 1e-9 * rates_bps.mean()  # a silent pair has a mean, too
    with seeded_and_single_threaded(seed):
        network = _Network(rates_bps.shape[1])
        gaps = _TrainingGaps(history, mean_bps, np.random.default_rng(seed))
        noise = torch.Generator().manual_seed(seed)
        _train(network, gaps, noise, budget_s, progress)
    return TelemetryVae(history.hosts, mean_bps, network)


def _train(
    network: _Network,
    gaps: _TrainingGaps,
    noise: torch.Generator,
    budget_s: float,
    progress: Progress | None,
) -> None:
    batch, latent = int(HYPER_PARAMETERS["batch"]), int(HYPER_PARAMETERS["latent"])
    optimiser = torch.optim.AdamW(network.parameters(), HYPER_PARAMETERS["rate"], fused=True)
    steps = steps_for(len(network.pull), HYPER_PARAMETERS["steps"])
    for done in training_steps("training the VAE", steps, budget_s, progress):
        optimiser.param_groups[0]["lr"] = HYPER_PARAMETERS["rate"] * (1 - 0.95 * done)
        seen, truth = gaps.draw(batch)
        logs, divergence = network(seen, torch.randn(batch, latent, generator=noise))
        loss = gaps.error(seen, logs, truth) + HYPER_PARAMETERS["kl_weight"] * divergence.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


class _TrainingGaps:
    """Random batches of incomplete vectors, and how far an answer is from the truth."""

    def __init__(self, history: History, mean_bps: FloatArray, random: np.random.Generator) -> None:
        self._rates_bps = history.rates_bps
        self._mean_bps = mean_bps
        self._random = random
        hosts = len(history.hosts)
        self._source = np.repeat(np.arange(hosts, dtype=np.float64), hosts - 1)

    def draw(self, batch: int) -> tuple[_Encoded, Tensor]:
        """Return what is seen, and all true rates over scale, (batch, pairs)."""
        now = self._random.integers(RECENT, len(self._rates_bps), batch)
        rates = self._rates_bps[now[:, None] + np.arange(-RECENT, 1)]
        missing = random_cells(self._random, batch, rates.shape[2])
        silent = silent_sources(self._random, batch, self._source)
        block = self._random.random(batch) < 0.6
        missing[block] = silent[block]
        missing[self._random.random(batch) < 0.05, :-1] = True  # the first vector of a run
        seen_bps = np.where(missing, np.nan, rates)
        seen = _encode(seen_bps[:, -1], last_known(seen_bps[:, :-1]), self._mean_bps)
        return seen, torch.from_numpy(rates[:, -1] / seen.scale).float()

    def error(self, seen: _Encoded, logs: Tensor, truth: Tensor) -> Tensor:
        """Mean absolute error in rates (as NMAE counts) and, lightly, in their logarithms.

        The log-likelihood of Laplace noise of one size in rates and one in logarithms.
        """
        weight = 1 - (1 - HYPER_PARAMETERS["observed_weight"]) * seen.observed
        rates = _to_rates(logs, self._mean_bps)
        mean = torch.from_numpy(self._mean_bps).float()
        linear = (rates - truth).abs() / mean.mean()
        logarithmic = (logs - _to_logs(truth, mean)).abs()
        error = linear + HYPER_PARAMETERS["log_weight"] * logarithmic
        return (error * weight).sum() / weight.sum()


def _encode(rates_bps: FloatArray, before: LastKnown, mean_bps: FloatArray) -> _Encoded:
    """Bring (batch, pairs) rates to the network's scale."""
    scale = _scale(rates_bps, before.rates_bps, mean_bps)
    observed, known = ~np.isnan(rates_bps), ~np.isnan(before.rates_bps)
    mean = torch.from_numpy(mean_bps).float()

    def logs(rates: FloatArray, present: np.ndarray[Any, np.dtype[np.bool_]]) -> Tensor:
        relative = torch.from_numpy(np.where(present, rates, 0.0) / scale).float()
        return _to_logs(relative, mean) * torch.from_numpy(present)

    return _Encoded(
        now=logs(rates_bps, observed),
        observed=torch.from_numpy(observed).float(),
        before=logs(before.rates_bps, known),
        average=logs(before.mean_bps, known),
        known=torch.from_numpy(known).float(),
        age=torch.from_numpy(before.age_steps).float(),
        scale=scale,
    )


def _scale(rates_bps: FloatArray, before_bps: FloatArray, mean_bps: FloatArray) -> FloatArray:
    """Observed total over the mean total of the same pairs, (batch, 1); recent where now is empty.

    A total of zero gives no scale: 1 is as good as any.
    """
    scale = np.ones((len(rates_bps), 1))
    for source_bps in (before_bps, rates_bps):
        present = ~np.isnan(source_bps)
        total = np.where(present, source_bps, 0.0).sum(axis=1, keepdims=True)
        usual = (present * mean_bps).sum(axis=1, keepdims=True)
        scale = np.where(total > 0, total / np.where(usual > 0, usual, 1.0), scale)
    return scale


def _floor(mean_bps: Tensor) -> Tensor:
    return _FLOOR * mean_bps + _FLOOR_OF_NETWORK * mean_bps.mean()


def _to_logs(rates: Tensor, mean: Tensor) -> Tensor:
    floor = _floor(mean)
    return ((rates + floor) / (mean + floor)).log()


def _to_rates(logs: Tensor, mean_bps: FloatArray) -> Tensor:
    mean = torch.from_numpy(mean_bps).float()
    floor = _floor(mean)
    return (logs.clamp(max=8).exp() * (mean + floor) - floor).clamp(min=0.0)
