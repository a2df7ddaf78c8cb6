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

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from generators.corruption import corrupt, implausibility
from generators.estimate import Estimate
from generators.gaps import SPAN, Around, BoolArray, around
from generators.history import History
from generators.link_memory import LinkMemory
from generators.model_files import ModelFileError, load_model, save_model
from generators.schedule import FloatArray
from generators.training_loop import Progress, seeded_and_single_threaded, steps_for, training_steps
from generators.vae_encoding import encode, scale_of, to_rates
from generators.vae_examples import Examples
from generators.vae_network import LATENT, VaeNetwork

HYPER_PARAMETERS: Mapping[str, float] = {
    "batch": 64,
    "steps": 1000,
    "rate": 3e-3,
    "kl_weight": 1e-3,
    "log_weight": 0.1,
    "observed_weight": 0.1,
}

_LARGEST_GRADIENT = 5.0
_RECENT = 9
"""The average of the weights looks back at so much of the training: one part in nine."""
_AT_ONCE = 64
_FOLDS = 8
_PASSES = 2
_FORMAT = "telemetry-vae-3"


class NothingObservedError(ValueError):
    """Neither the vector nor those around hold a single rate: there is nothing to go by."""


class TelemetryVae:
    """A trained network and the means it works relative to."""

    def __init__(self, hosts: tuple[str, ...], mean_bps: FloatArray, network: VaeNetwork) -> None:
        self.hosts = hosts
        self._mean_bps = mean_bps
        self._network = network.eval()
        self._memory = LinkMemory()

    def impute(
        self,
        rates_bps: FloatArray,
        recent: FloatArray | None = None,
        link_bps: FloatArray | None = None,
        crossing: FloatArray | None = None,
    ) -> FloatArray:
        """Return `rates_bps` (pairs,) with every NaN replaced; observed rates stay as they are.

        What loads have told of gaps in `recent` when those were filled is gone by.

        Args:
            rates_bps: in the order of `Topology.od_pairs`.
            recent: (W, pairs) the vectors before it at the same spacing, oldest first, NaN for
                gaps; any W.
            link_bps: (links,) loads, NaN where unknown.
            crossing: (links, pairs) share of the pair's traffic that reaches the link.

        Raises:
            NothingObservedError: there is no rate at all in `rates_bps` and `recent`.
        """
        return self.informed(rates_bps, recent, link_bps, crossing).median_bps

    def informed(
        self,
        rates_bps: FloatArray,
        recent: FloatArray | None = None,
        link_bps: FloatArray | None = None,
        crossing: FloatArray | None = None,
    ) -> Estimate:
        """As `impute`, with the intervals that hold the rates."""
        past_bps = np.empty((0, len(rates_bps))) if recent is None else recent
        if np.isnan(rates_bps).all() and np.isnan(past_bps).all():
            raise NothingObservedError("no OD rate was observed, now or recently")
        past_bps, past_error_bps = self._memory.completed(past_bps)
        nearby = around(past_bps[None], np.empty((1, 0, len(rates_bps))))
        guessed = self._estimate(rates_bps[None], nearby).at(0)
        if link_bps is None or crossing is None:
            return guessed.around_known(rates_bps)
        agreed = guessed.agreeing(rates_bps, past_error_bps, link_bps, crossing)
        self._memory.remember(rates_bps, agreed)
        return guessed.told(rates_bps, agreed)

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
        recent, _ = self._memory.completed(recent)
        recent = _since_last_growth(rates_bps, recent)
        suspected = np.zeros(len(rates_bps), dtype=bool)
        for _ in range(_PASSES):  # the second is not misled by what the first has found
            expected = self._each_by_others(np.where(suspected, np.nan, rates_bps), recent)
            implausible = implausibility(rates_bps, expected.low_bps, expected.high_bps)
            verdict = corrupt(rates_bps, expected.median_bps, implausible, link_bps, crossing)
            if (verdict == suspected).all():
                break
            suspected = verdict
        return suspected

    def _each_by_others(self, rates_bps: FloatArray, recent: FloatArray) -> Estimate:
        """What is thought of every rate (pairs,) without its being known."""
        pairs = np.arange(len(rates_bps))
        hidden = pairs % _FOLDS == np.arange(_FOLDS)[:, None]
        nearby = around(recent[None], np.empty((1, 0, len(pairs))))
        repeated = Around(
            nearby.rates_bps.repeat(_FOLDS, axis=0), nearby.age_steps.repeat(_FOLDS, axis=0)
        )
        guessed = self._estimate(np.where(hidden, np.nan, rates_bps), repeated)
        return guessed.at((pairs % _FOLDS, pairs))

    def estimate(
        self, rates_bps: FloatArray, future: bool, surroundings_bps: FloatArray | None = None
    ) -> Estimate:
        """What is thought of every rate of a record (steps, pairs), NaN for gaps.

        A step is left NaN if nothing is observed in it and around it.

        Args:
            rates_bps: the record.
            future: each step knows those after it, too, not only those before.
            surroundings_bps: what each step takes those around it to be, if not the record.
        """
        steps, pairs = rates_bps.shape
        margin = np.full((SPAN, pairs), np.nan)
        known_bps = rates_bps if surroundings_bps is None else surroundings_bps
        padded = np.vstack([margin, known_bps, margin])
        rows = []
        for first in range(0, steps, _AT_ONCE):
            at = np.arange(first, min(first + _AT_ONCE, steps))
            past = padded[at[:, None] + np.arange(SPAN)]
            later = padded[at[:, None] + np.arange(SPAN + 1, 2 * SPAN + 1)]
            nearby = around(past, later if future else later[:, :0])
            rows.append(self._estimate(rates_bps[at], nearby))
        return Estimate.stacked(rows)

    @torch.no_grad()
    def _estimate(self, rates_bps: FloatArray, nearby: Around) -> Estimate:
        scale = scale_of(rates_bps, nearby, self._mean_bps)
        seen = encode(rates_bps, nearby, scale, self._mean_bps)
        answer = self._network(seen, torch.zeros(len(rates_bps), LATENT))
        reach = answer.spread * float(np.log(10))  # of a Laplace distribution, 10 % lie beyond
        low, median, high = (
            to_rates(logs, self._mean_bps).double().numpy() * scale
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
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise ModelFileError(f"{path}: an incomplete model ({error})") from error

    @classmethod
    def _from(cls, content: dict[str, Any]) -> TelemetryVae:
        hosts, mean, weights = content["hosts"], content["mean_bps"], content["network"]
        if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
            raise TypeError("its hosts are no names")
        pairs = len(hosts) * (len(hosts) - 1)
        if not isinstance(mean, torch.Tensor) or mean.shape != (pairs,):
            raise ValueError(f"no means of {pairs} pairs")
        if not all(bool(torch.isfinite(tensor).all()) for tensor in (mean, *weights.values())):
            raise ValueError("not all of its numbers are finite")
        if not (mean >= 0).all():
            raise ValueError("means that are negative")
        network = VaeNetwork(pairs)
        network.load_state_dict(weights)
        return cls(tuple(hosts), mean.double().numpy(), network)


def load_imputer(path: Path | str) -> TelemetryVae:
    """Load a `TelemetryVae`: the twin's plug-in reference is `generators.vae:load_imputer`."""
    return TelemetryVae.load(Path(path))


def _since_last_growth(rates_bps: FloatArray, recent: FloatArray) -> FloatArray:
    """`recent` (steps, pairs) without the zeros that the zero of now goes on from.

    Whether a counter is stuck is not to be judged by what it has told since.
    """
    idle = (rates_bps == 0) & ((recent == 0) | np.isnan(recent))
    unbroken = np.logical_and.accumulate(idle[::-1], axis=0)[::-1]
    return np.where(unbroken, np.nan, recent)


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
        examples = Examples(history, mean_bps, np.random.default_rng(seed))
        noise = torch.Generator().manual_seed(seed)
        trained = _trained(network, examples, noise, budget_s, progress)
    return TelemetryVae(history.hosts, mean_bps, trained)


def _trained(
    network: VaeNetwork,
    examples: Examples,
    noise: torch.Generator,
    budget_s: float,
    progress: Progress | None,
) -> VaeNetwork:
    """The average of the network on its way, the later the more.

    Polynomial-decay averaging: Shamir, Zhang, "Stochastic gradient descent for non-smooth
    optimization", ICML 2013.
    """
    batch = int(HYPER_PARAMETERS["batch"])
    average = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), HYPER_PARAMETERS["rate"], fused=True)
    steps = steps_for(len(network.embedding), HYPER_PARAMETERS["steps"])
    for done in training_steps("training the VAE", steps, budget_s, progress):
        optimiser.param_groups[0]["lr"] = HYPER_PARAMETERS["rate"] * (1 - 0.97 * done)
        seen, truth = examples.draw(batch)
        answer = network(seen, torch.randn(batch, LATENT, generator=noise))
        loss = examples.error(seen, answer, truth, HYPER_PARAMETERS)
        loss = loss + HYPER_PARAMETERS["kl_weight"] * answer.divergence.mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), _LARGEST_GRADIENT)
        optimiser.step()
        _follow(average, network, _RECENT / (_RECENT + done * steps))
    return average


@torch.no_grad()
def _follow(average: VaeNetwork, network: VaeNetwork, share: float) -> None:
    """Move each weight of the average towards that of the network."""
    for kept, new in zip(average.parameters(), network.parameters(), strict=True):
        kept.lerp_(new, share)
