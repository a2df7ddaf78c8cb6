"""A VAE that fills gaps in vectors of OD rates from what was observed at the same time and around.

A denoising variational auto-encoder (Im et al., "Denoising criterion for variational auto-encoding
framework", AAAI 2017), conditional on the known rates around the instant: those before it, and for
who looks back at a whole record those after it. It answers with a Laplace distribution of every
log rate. Loads of links, where they are known, then constrain the guesses (`link_constraints.py`).

Scale-free: rates are taken relative to the history's means times the ratio of the observed total
to what those same pairs sum up to in the mean. A lab that replays the history at another scale
gets answers at its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from generators.corruption import corrupt, implausibility
from generators.gaps import SPAN, Around, BoolArray, around, random_cells, silent_sources
from generators.history import History
from generators.link_constraints import agreeing_with_links
from generators.model_files import ModelFileError, load_model, save_model
from generators.schedule import FloatArray
from generators.training_loop import Progress, seeded_and_single_threaded, steps_for, training_steps
from generators.vae_network import LATENT, Answer, Seen, VaeNetwork

HYPER_PARAMETERS: Mapping[str, float] = {
    "batch": 64,
    "steps": 800,
    "rate": 3e-3,
    "kl_weight": 1e-3,
    "log_weight": 0.1,
    "observed_weight": 0.1,
}
LINK_TOLERANCE = 0.02
"""Of a load: counters of ports and of flows are not read at the same instant."""

_FLOOR = 0.02
"""Of the pair's mean: rates below count as alike in the logarithm."""
_FLOOR_OF_NETWORK = 1e-4
_LARGEST_LOG = 8.0
_LARGEST_GRADIENT = 5.0
_AT_ONCE = 64
_FOLDS = 8
_FORMAT = "telemetry-vae-2"


class NothingObservedError(ValueError):
    """Neither the vector nor those around hold a single rate: there is nothing to go by."""


@dataclass(frozen=True)
class Estimate:
    """What is thought of every rate, observed or not, (..., pairs) each."""

    median_bps: FloatArray
    low_bps: FloatArray
    high_bps: FloatArray
    """With `low_bps`: holds the rate with a probability of 90 %."""


class TelemetryVae:
    """A trained network and the means it works relative to."""

    def __init__(self, hosts: tuple[str, ...], mean_bps: FloatArray, network: VaeNetwork) -> None:
        self.hosts = hosts
        self._mean_bps = mean_bps
        self._network = network.eval()

    def impute(
        self,
        rates_bps: FloatArray,
        recent: FloatArray | None = None,
        link_bps: FloatArray | None = None,
        crossing: FloatArray | None = None,
    ) -> FloatArray:
        """Return `rates_bps` (pairs,) with every NaN replaced; observed rates stay as they are.

        Args:
            rates_bps: in the order of `Topology.od_pairs`.
            recent: (W, pairs) the vectors before it at the same spacing, oldest first, NaN for
                gaps; any W.
            link_bps: (links,) loads, NaN where unknown.
            crossing: (links, pairs) share of the pair's traffic that reaches the link.

        Raises:
            NothingObservedError: there is no rate at all in `rates_bps` and `recent`.
        """
        past_bps = np.empty((0, len(rates_bps))) if recent is None else recent
        if np.isnan(rates_bps).all() and np.isnan(past_bps).all():
            raise NothingObservedError("no OD rate was observed, now or recently")
        nearby = around(past_bps[None], np.empty((1, 0, len(rates_bps))))
        guessed = self._estimate(rates_bps[None], nearby)
        rows = (guessed.median_bps[0], guessed.low_bps[0], guessed.high_bps[0])
        return filled(rates_bps, Estimate(*rows), link_bps, crossing)

    def suspects(
        self,
        rates_bps: FloatArray,
        recent: FloatArray,
        link_bps: FloatArray,
        crossing: FloatArray,
    ) -> BoolArray:
        """Return (pairs,) which rates come from stuck or jumping counters (`corruption.py`).

        Every rate is judged by what is expected of it without its being known.
        """
        pairs = len(rates_bps)
        hidden = np.arange(pairs) % _FOLDS == np.arange(_FOLDS)[:, None]
        nearby = around(recent[None], np.empty((1, 0, pairs)))
        repeated = Around(
            nearby.rates_bps.repeat(_FOLDS, axis=0), nearby.age_steps.repeat(_FOLDS, axis=0)
        )
        guessed = self._estimate(np.where(hidden, np.nan, rates_bps), repeated)
        low, expected, high = (
            rows[np.arange(pairs) % _FOLDS, np.arange(pairs)]
            for rows in (guessed.low_bps, guessed.median_bps, guessed.high_bps)
        )
        implausible = implausibility(rates_bps, low, high)
        return corrupt(rates_bps, expected, implausible, link_bps, crossing)

    def estimate(self, rates_bps: FloatArray, future: bool) -> Estimate:
        """What is thought of every rate of a record (steps, pairs), NaN for gaps.

        `future`: each step knows those after it, too, not only those before. A step is left NaN if
        nothing is observed in it and around it.
        """
        steps, pairs = rates_bps.shape
        margin = np.full((SPAN, pairs), np.nan)
        padded = np.vstack([margin, rates_bps, margin])
        rows = []
        for first in range(0, steps, _AT_ONCE):
            at = np.arange(first, min(first + _AT_ONCE, steps))
            past = padded[at[:, None] + np.arange(SPAN)]
            later = padded[at[:, None] + np.arange(SPAN + 1, 2 * SPAN + 1)]
            nearby = around(past, later if future else later[:, :0])
            rows.append(self._estimate(rates_bps[at], nearby))
        return Estimate(
            np.vstack([row.median_bps for row in rows]),
            np.vstack([row.low_bps for row in rows]),
            np.vstack([row.high_bps for row in rows]),
        )

    @torch.no_grad()
    def _estimate(self, rates_bps: FloatArray, nearby: Around) -> Estimate:
        scale = _scale(rates_bps, nearby, self._mean_bps)
        seen = _encode(rates_bps, nearby, scale, self._mean_bps)
        answer = self._network(seen, torch.zeros(len(rates_bps), LATENT))
        reach = answer.spread * float(np.log(10))  # of a Laplace distribution, 10 % lie beyond
        low, median, high = (
            _to_rates(logs, self._mean_bps).double().numpy() * scale
            for logs in (answer.centre - reach, answer.centre, answer.centre + reach)
        )
        return Estimate(median, low, high)

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
        network = VaeNetwork(len(mean_bps))
        network.load_state_dict(content["network"])
        return cls(tuple(content["hosts"]), mean_bps, network)


def load_imputer(path: Path | str) -> TelemetryVae:
    """Load a `TelemetryVae`: the twin's plug-in reference is `generators.vae:load_imputer`."""
    return TelemetryVae.load(Path(path))


def filled(
    rates_bps: FloatArray,
    guessed: Estimate,
    link_bps: FloatArray | None = None,
    crossing: FloatArray | None = None,
) -> FloatArray:
    """Return `rates_bps` (pairs,), NaN replaced by what is guessed and agrees with the links."""
    missing = np.isnan(rates_bps)
    rates_bps = np.where(missing, guessed.median_bps, rates_bps)
    if link_bps is None or crossing is None:
        return rates_bps
    spread_bps = guessed.high_bps - guessed.low_bps
    return agreeing_with_links(rates_bps, spread_bps, missing, link_bps, crossing, LINK_TOLERANCE)


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
        network = VaeNetwork(rates_bps.shape[1])
        gaps = _TrainingGaps(history, mean_bps, np.random.default_rng(seed))
        noise = torch.Generator().manual_seed(seed)
        _train(network, gaps, noise, budget_s, progress)
    return TelemetryVae(history.hosts, mean_bps, network)


def _train(
    network: VaeNetwork,
    gaps: _TrainingGaps,
    noise: torch.Generator,
    budget_s: float,
    progress: Progress | None,
) -> None:
    batch = int(HYPER_PARAMETERS["batch"])
    optimiser = torch.optim.AdamW(network.parameters(), HYPER_PARAMETERS["rate"], fused=True)
    steps = steps_for(len(network.embedding), HYPER_PARAMETERS["steps"])
    for done in training_steps("training the VAE", steps, budget_s, progress):
        optimiser.param_groups[0]["lr"] = HYPER_PARAMETERS["rate"] * (1 - 0.97 * done)
        seen, truth = gaps.draw(batch)
        answer = network(seen, torch.randn(batch, LATENT, generator=noise))
        loss = gaps.error(seen, answer, truth)
        loss = loss + HYPER_PARAMETERS["kl_weight"] * answer.divergence.mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), _LARGEST_GRADIENT)
        optimiser.step()


class _TrainingGaps:
    """Random batches of incomplete records, and how far an answer is from the truth."""

    def __init__(self, history: History, mean_bps: FloatArray, random: np.random.Generator) -> None:
        margin = np.full((SPAN, len(mean_bps)), np.nan)
        self._rates_bps = np.vstack([margin, history.rates_bps, margin])
        self._steps = history.steps
        self._mean_bps = mean_bps
        self._random = random
        hosts = len(history.hosts)
        self._source = np.repeat(np.arange(hosts, dtype=np.float64), hosts - 1)

    def draw(self, batch: int) -> tuple[Seen, Tensor]:
        """Return what is seen, and all true rates over scale, (batch, pairs).

        Half of the batch may see the future. Some see nothing else than the instant itself.
        """
        now = self._random.integers(0, self._steps, batch)
        rates_bps = self._rates_bps[now[:, None] + np.arange(2 * SPAN + 1)]
        truth_bps = rates_bps[:, SPAN].copy()
        missing = random_cells(self._random, batch, rates_bps.shape[2])
        silent = silent_sources(self._random, batch, self._source)
        block = self._random.random(batch) < 0.5
        missing[block] = silent[block]
        missing[self._random.random(batch) < 0.5, SPAN + 1 :] = True
        alone = self._random.random(batch) < 0.03
        missing[alone, :SPAN] = missing[alone, SPAN + 1 :] = True
        rates_bps[missing] = np.nan
        nearby = around(rates_bps[:, :SPAN], rates_bps[:, SPAN + 1 :])
        scale = _scale(rates_bps[:, SPAN], nearby, self._mean_bps)
        seen = _encode(rates_bps[:, SPAN], nearby, scale, self._mean_bps)
        return seen, torch.from_numpy(truth_bps / scale).float()

    def error(self, seen: Seen, answer: Answer, truth: Tensor) -> Tensor:
        """Mean absolute error in rates, as NMAE counts, and the surprise at the log rates.

        The negative log-likelihoods of Laplace noise of one size in rates, and of the answer's
        spread in logarithms; where a rate is likely to be is learned from the former and, with one
        spread for all, from the latter.
        """
        weight = 1 - (1 - HYPER_PARAMETERS["observed_weight"]) * seen.observed
        mean = torch.from_numpy(self._mean_bps).float()
        linear = (_to_rates(answer.centre, self._mean_bps) - truth).abs() / mean.mean()
        off = (answer.centre - _to_logs(truth, self._mean_bps)).abs()
        surprise = off.detach() / answer.spread + answer.spread.log()
        error = linear + HYPER_PARAMETERS["log_weight"] * (off + surprise)
        return (error * weight).sum() / weight.sum()


def _encode(rates_bps: FloatArray, nearby: Around, scale: FloatArray, mean_bps: FloatArray) -> Seen:
    """Bring (batch, pairs) rates and those around to the network's scale (batch, 1)."""

    def logs(rates: FloatArray, known: BoolArray) -> Tensor:
        relative = torch.from_numpy(np.where(known, rates, 0.0)).float()
        return _to_logs(relative, mean_bps) * torch.from_numpy(known)

    observed, known = ~np.isnan(rates_bps), ~np.isnan(nearby.rates_bps)
    by_slot = np.moveaxis(nearby.rates_bps / scale[..., None], 2, 1)
    return Seen(
        now=logs(rates_bps / scale, observed),
        observed=torch.from_numpy(observed).float(),
        around=logs(by_slot, np.moveaxis(known, 2, 1)).movedim(1, 2),
        known=torch.from_numpy(known).float(),
        age=torch.from_numpy(nearby.age_steps).float(),
    )


def _scale(rates_bps: FloatArray, nearby: Around, mean_bps: FloatArray) -> FloatArray:
    """Observed total over the mean total of the same pairs, (batch, 1); of those around if none is.

    A total of zero gives no scale: 1 is as good as any.
    """
    scale = np.ones((len(rates_bps), 1))
    around_bps = np.moveaxis(nearby.rates_bps, 2, 1).reshape(len(rates_bps), -1)
    for source_bps in (around_bps, rates_bps):
        known = ~np.isnan(source_bps)
        usual_bps = np.tile(mean_bps, source_bps.shape[1] // len(mean_bps))
        total = np.where(known, source_bps, 0.0).sum(axis=1, keepdims=True)
        usual = (known * usual_bps).sum(axis=1, keepdims=True)
        scale = np.where(total > 0, total / np.where(usual > 0, usual, 1.0), scale)
    return scale


def _means(mean_bps: FloatArray) -> tuple[Tensor, Tensor]:
    """The mean of each pair, and the rate below which all count as alike."""
    mean = torch.from_numpy(mean_bps).float()
    return mean, _FLOOR * mean + _FLOOR_OF_NETWORK * mean.mean()


def _to_logs(rates: Tensor, mean_bps: FloatArray) -> Tensor:
    mean, floor = _means(mean_bps)
    return ((rates + floor) / (mean + floor)).log()


def _to_rates(logs: Tensor, mean_bps: FloatArray) -> Tensor:
    mean, floor = _means(mean_bps)
    return (logs.clamp(max=_LARGEST_LOG).exp() * (mean + floor) - floor).clamp(min=0.0)
