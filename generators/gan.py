"""A GAN that makes windows of traffic matrices, conditional on the kind of traffic.

Hinge loss with a spectrally normalised critic and an exponential average of the generator's
weights: stable at one setting for networks of any size, and trained within seconds on a CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import relu

from generators.attacks import MAX_SOURCES, random_floods
from generators.gan_networks import ATTACK, KINDS, WINDOW, Critic, Generator
from generators.history import History, pair_mask
from generators.model_files import ModelFileError, load_model, save_model
from generators.normal_scores import NormalScores
from generators.schedule import FloatArray
from generators.training_loop import Progress, seeded_and_single_threaded, steps_for, training_steps

Kind = Literal["normal", "peak", "attack"]
"""Ordinary traffic; the busiest tenth of the history; a flood beside either of them."""

HYPER_PARAMETERS: Mapping[str, float] = {
    "batch": 32,
    "steps": 1000,
    "generator_rate": 1e-3,
    "critic_rate": 2e-3,
    "average": 0.99,
    "peak_share": 0.1,
}
_KIND_SHARES = (0.4, 0.25, 0.35)
_MIN_FLOOD = 0.02
"""Made source rates below this are meant to be zero."""
_FORMAT = "traffic-gan-1"


@dataclass(frozen=True)
class Windows:
    """Made traffic: `count` windows of WINDOW matrices, with floods beside them."""

    matrices_bps: FloatArray
    """(count, WINDOW, hosts, hosts), zero diagonal, no flood in it."""
    floods: FloatArray
    """(count, WINDOW, MAX_SOURCES): rate of each attack source over the history's mean total
    traffic, strongest first; all zero unless the kind is "attack"."""


class TrafficGan:
    """A trained generator and what turns its output into bit/s."""

    def __init__(self, hosts: tuple[str, ...], scores: NormalScores, generator: Generator) -> None:
        self.hosts = hosts
        self._scores = scores
        self._generator = generator.eval()

    @torch.no_grad()
    def sample(self, kind: Kind, count: int, seed: int) -> Windows:
        """Return `count` windows of one kind; the same seed gives the same, bit for bit."""
        with seeded_and_single_threaded(seed):
            random = torch.Generator().manual_seed(seed)
            kinds = torch.full((count,), KINDS.index(kind))
            scores, floods = self._generator(kinds, random)
            rates_bps = self._scores.rates_bps(scores).double().numpy()
        matrices_bps = np.zeros((count, WINDOW, len(self.hosts), len(self.hosts)))
        matrices_bps[..., pair_mask(len(self.hosts))] = rates_bps
        return Windows(matrices_bps, _strongest_first(floods.double().numpy()))

    def save(self, path: Path) -> None:
        """Write the weights and what is needed beside them."""
        content = {
            "hosts": list(self.hosts),
            "limit": self._scores.limit,
            "table": self._scores.table,
            "floor_bps": self._scores.floor_bps,
            "generator": self._generator.state_dict(),
        }
        save_model(path, _FORMAT, content)

    @classmethod
    def load(cls, path: Path) -> TrafficGan:
        """Read what `save` wrote.

        Raises:
            ModelFileError: the file is missing, damaged, or no TrafficGan.
        """
        content = load_model(path, _FORMAT)
        try:
            return cls._from(content)
        except (KeyError, TypeError, RuntimeError) as error:
            raise ModelFileError(f"{path}: an incomplete model ({error})") from error

    @classmethod
    def _from(cls, content: dict[str, Any]) -> TrafficGan:
        scores = NormalScores(content["limit"], content["table"], content["floor_bps"])
        generator = Generator(len(scores.floor_bps))
        generator.load_state_dict(content["generator"])
        return cls(tuple(content["hosts"]), scores, generator)


def train_gan(
    history: History, seed: int, budget_s: float, progress: Progress | None = None
) -> TrafficGan:
    """Train on every window of the history.

    The number of training steps is fixed, so the same history and seed give the same weights on
    one machine; `budget_s` only stops a machine that is far too slow.
    """
    with seeded_and_single_threaded(seed):
        rates_bps = history.rates_bps
        scores, scored = NormalScores.fit(rates_bps)
        windows = _TrainingWindows(scored, rates_bps.sum(axis=1), np.random.default_rng(seed))
        generator = Generator(rates_bps.shape[1])
        generator.start_at(windows.mean_scores())
        critic = Critic(scores, torch.from_numpy(rates_bps.mean(axis=0)).float())
        averaged = _train(generator, critic, windows, seed, budget_s, progress)
    return TrafficGan(history.hosts, scores, averaged)


def _train(
    generator: Generator,
    critic: Critic,
    windows: _TrainingWindows,
    seed: int,
    budget_s: float,
    progress: Progress | None,
) -> Generator:
    """Return the average of the generator over the training steps."""
    random = torch.Generator().manual_seed(seed)
    batch = int(HYPER_PARAMETERS["batch"])
    steps = steps_for(generator.pairs, HYPER_PARAMETERS["steps"])
    optimise_generator = _adam(generator, HYPER_PARAMETERS["generator_rate"])
    optimise_critic = _adam(critic, HYPER_PARAMETERS["critic_rate"])
    averaged = deepcopy(generator)
    for done in training_steps("training the GAN", steps, budget_s, progress):
        scores, floods, kinds = windows.draw(batch)
        with torch.no_grad():
            made_scores, made_floods = generator(kinds, random)
        verdicts = critic(
            torch.cat([scores, made_scores]),
            torch.cat([floods, made_floods]),
            torch.cat([kinds, kinds]),
        )
        real, made = verdicts.chunk(2)
        _step(optimise_critic, relu(1 - real).mean() + relu(1 + made).mean())
        kinds = windows.draw_kinds(batch)
        critic.requires_grad_(False)  # half the work of this step
        _step(optimise_generator, -critic(*generator(kinds, random), kinds).mean())
        critic.requires_grad_(True)
        keep = min(HYPER_PARAMETERS["average"], 0.9 + done)  # forget the untrained start
        with torch.no_grad():
            for average, current in zip(averaged.parameters(), generator.parameters(), strict=True):
                average.lerp_(current, 1 - keep)
    return averaged


class _TrainingWindows:
    """Random batches of the history's windows, with floods of the attack model beside them."""

    def __init__(self, scores: Tensor, totals_bps: FloatArray, random: np.random.Generator) -> None:
        self._scores = scores
        self._random = random
        means_bps = np.convolve(totals_bps, np.full(WINDOW, 1 / WINDOW), mode="valid")
        busy = means_bps >= np.quantile(means_bps, 1 - HYPER_PARAMETERS["peak_share"])
        self._starts = {
            "normal": np.flatnonzero(means_bps < means_bps[busy].min()),
            "peak": np.flatnonzero(busy),
            "attack": np.arange(len(means_bps)),
        }
        if not len(self._starts["normal"]):  # traffic that never changes
            self._starts["normal"] = self._starts["attack"]

    def draw(self, batch: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return scores (batch, WINDOW, pairs), floods (batch, WINDOW, sources), kinds (batch,)."""
        kinds = self.draw_kinds(batch)
        starts = [self._random.choice(self._starts[KINDS[kind]]) for kind in kinds.tolist()]
        steps = torch.tensor(np.array(starts)[:, None] + np.arange(WINDOW))
        floods = torch.zeros(batch, WINDOW, MAX_SOURCES)
        attacked = kinds == ATTACK
        made = random_floods(self._random, int(attacked.sum()), WINDOW)
        floods[attacked] = torch.from_numpy(made).float()
        return self._scores[steps], floods, kinds

    def mean_scores(self) -> Tensor:
        """Return (kinds, pairs): the mean over the windows of each kind."""
        spans = [starts[:, None] + np.arange(WINDOW) for starts in self._starts.values()]
        return torch.stack([self._scores[span].mean(dim=(0, 1)) for span in spans])

    def draw_kinds(self, batch: int) -> Tensor:
        """Return (batch,) indices into KINDS."""
        return torch.from_numpy(self._random.choice(len(KINDS), batch, p=_KIND_SHARES))


def _adam(network: torch.nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(network.parameters(), rate, betas=(0.0, 0.9), fused=True)


def _step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def _strongest_first(floods: npt.NDArray[np.float64]) -> FloatArray:
    """Sort the sources of each flood by what they send in all; drop the traces of zero."""
    floods = np.where(floods < _MIN_FLOOD, 0.0, floods)
    order = np.argsort(-floods.sum(axis=1), axis=1, kind="stable")
    return np.take_along_axis(floods, order[:, None, :], axis=2)
