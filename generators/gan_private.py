"""Training the GAN with differential privacy: DP-SGD on its critic, through opacus.

Abadi et al., "Deep learning with differential privacy", CCS 2016; for GANs: Xie et al.,
"Differentially private generative adversarial network", arXiv 1802.06739. The unit is a window of
`WINDOW` consecutive matrices; windows do not overlap, are Poisson sampled, and only the critic sees
them. Private is thus how pairs and steps depend on each other. NOT private are the distribution of
each pair's rates and the course of the load, which are taken from the history as they are. The
generator begins without a fit, and no fidelity score decides when to stop: both would look.

Whoever knows the noise can take it away again. It has streams of its own, drawn from the operating
system unless a seed is given, and that seed stands nowhere. torch's generator takes 32 bits of it
and is no cryptographic one: who needs more than that needs another noise.
"""

from __future__ import annotations

import math
import secrets
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from opacus import GradSampleModule
from opacus.accountants import RDPAccountant
from opacus.accountants.utils import get_noise_multiplier
from opacus.optimizers import DPOptimizer
from torch import Tensor
from torch.nn.functional import relu

from generators.gan import TrafficGan
from generators.gan_incidents import train_incidents
from generators.gan_material import Material, finished
from generators.gan_networks import WINDOW, Generator
from generators.gan_training import HYPER_PARAMETERS, Log
from generators.history import History
from generators.training_loop import (
    Progress,
    descend,
    seeded_and_single_threaded,
    steps_for,
    training_steps,
)

_CLIP = 1.0
"""Largest gradient of one window."""
_SEED_BITS = 128
_FASTER = 9
"""Than without privacy, the generator learns: it begins without a fit."""


@dataclass(frozen=True)
class Privacy:
    """What the accountant says was spent, and on what."""

    epsilon: float
    delta: float
    noise_multiplier: float
    windows: int


@dataclass(frozen=True)
class _Spending:
    """What each training step may look at, and with how much noise."""

    starts: npt.NDArray[np.int64]
    """Of the windows, which do not overlap."""
    steps: int
    rate: float
    """With which a window is part of a step."""
    noise_multiplier: float
    delta: float

    @classmethod
    def of(cls, material: Material, epsilon: float) -> _Spending:
        """Plan such that all steps together spend `epsilon`; delta is 0.1 / windows.

        Raises:
            ValueError: that is out of reach with so little history.
        """
        starts = np.arange(0, material.history.steps - WINDOW + 1, WINDOW)
        steps = steps_for(material.scores.shape[1], HYPER_PARAMETERS["steps"])
        rate = min(HYPER_PARAMETERS["batch"], len(starts) / 2) / len(starts)
        delta = 0.1 / len(starts)
        noise = get_noise_multiplier(
            target_epsilon=epsilon,
            target_delta=delta,
            sample_rate=rate,
            steps=steps,
            accountant="rdp",
        )
        return cls(starts, steps, rate, float(noise), delta)

    @property
    def batch(self) -> float:
        """Windows in a step, in the mean."""
        return self.rate * len(self.starts)


class _Streams:
    """All that is random, in streams that tell nothing of each other."""

    def __init__(self, seed: int | None) -> None:
        entropy = secrets.randbits(_SEED_BITS) if seed is None else seed
        sequences = np.random.SeedSequence(entropy).spawn(5)
        first, noise, latent, lots, incidents = sequences
        self.weights, self.incidents = _word(first), _word(incidents)
        self.noise = torch.Generator().manual_seed(_word(noise))
        """Added to the gradients: what makes them private."""
        self.latent = torch.Generator().manual_seed(_word(latent))
        self.lots = np.random.default_rng(lots)


def train_private_gan(
    history: History,
    seed: int | None,
    budget_s: float,
    epsilon: float,
    progress: Progress | None = None,
    log: Log | None = None,
) -> tuple[TrafficGan, Privacy]:
    """Train such that the critic spends `epsilon` at most; delta is a tenth of one in the windows.

    With None for a seed, nobody can repeat it; whoever knows a seed that was given knows the noise.

    Raises:
        ValueError: epsilon is not positive, or out of reach with so little history.
    """
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise ValueError(f"epsilon is {epsilon}: give a number above 0, such as 8")
    streams = _Streams(seed)
    with seeded_and_single_threaded(streams.weights), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # opacus: that hooks see inputs without gradients
        material = Material.of(history)
        training = _PrivateTraining(material, _Spending.of(material, epsilon), streams)
        training.carry_out(budget_s, progress, log)
        incidents = train_incidents(streams.incidents, {}, HYPER_PARAMETERS["incident_steps"])
        privacy = training.privacy()
        report = {
            "steps": float(training.done),
            "epsilon": privacy.epsilon,
            "delta": privacy.delta,
        }
        gan = finished(material, training.generator, incidents, streams.weights, report)
    return gan, privacy


class _PrivateTraining:
    """The networks, and what has been spent on them."""

    def __init__(self, material: Material, spending: _Spending, streams: _Streams) -> None:
        self._material, self._spending, self._streams = material, spending, streams
        self.done = 0
        self.generator = Generator(material.scores.shape[1])
        self._critic = GradSampleModule(material.critic(normalised=False), loss_reduction="sum")
        rate = HYPER_PARAMETERS["generator_rate"] * _FASTER
        self._optimise = torch.optim.Adam(self.generator.parameters(), rate)
        self._judge = DPOptimizer(
            torch.optim.Adam(self._critic.parameters(), HYPER_PARAMETERS["critic_rate"]),
            noise_multiplier=spending.noise_multiplier,
            max_grad_norm=_CLIP,
            expected_batch_size=round(2 * spending.batch),
            generator=streams.noise,
        )
        self._accountant = RDPAccountant()

    def carry_out(self, budget_s: float, progress: Progress | None, log: Log | None) -> None:
        """Train until the steps are done, or the budget of time is spent."""
        what = "training the GAN privately"
        for _ in training_steps(what, self._spending.steps, budget_s, progress):
            loss = self._train_once()
            self.done += 1
            if log is not None:
                log("loss/generator", loss, self.done)

    def privacy(self) -> Privacy:
        """What the steps done have spent."""
        spending = self._spending
        spent = float(self._accountant.get_epsilon(spending.delta)) if self.done else 0.0
        windows = len(spending.starts)
        return Privacy(spent, spending.delta, spending.noise_multiplier, windows)

    def _train_once(self) -> float:
        """Return the generator's loss."""
        streams = self._streams
        # Made windows use conditions of the calendar and the load model: they are not secret.
        count = round(self._spending.batch)
        conditions = self._material.drawn_conditions(count, streams.lots, streams.latent)
        self._teach_critic(conditions)
        self._critic.disable_hooks()
        loss = -self._critic(self.generator(conditions, streams.latent), conditions).mean()
        descend(self._optimise, loss)
        self._critic.enable_hooks()
        return float(loss)

    def _teach_critic(self, conditions: Tensor) -> None:
        scores, real_conditions = self._drawn()
        with torch.no_grad():
            made = self.generator(conditions, self._streams.latent)
        # One pass: each window, real or made, is a sample of its own, clipped by itself.
        real = len(scores)
        verdicts = self._critic(torch.cat([scores, made]), torch.cat([real_conditions, conditions]))
        descend(self._judge, relu(1 - verdicts[:real]).sum() + relu(1 + verdicts[real:]).sum())
        spending = self._spending
        self._accountant.step(noise_multiplier=spending.noise_multiplier, sample_rate=spending.rate)

    def _drawn(self) -> tuple[Tensor, Tensor]:
        """Poisson sampling: each window by a lot of its own."""
        spending = self._spending
        chosen = spending.starts[self._streams.lots.random(len(spending.starts)) < spending.rate]
        span = torch.from_numpy(chosen[:, None] + np.arange(WINDOW))
        return self._material.scores[span], self._material.conditions[span]


def _word(sequence: np.random.SeedSequence) -> int:
    return int(sequence.generate_state(1, np.uint32)[0])
