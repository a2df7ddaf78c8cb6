"""Training the GAN with differential privacy: DP-SGD on its critic, through opacus.

Abadi et al., "Deep learning with differential privacy", CCS 2016; for GANs: Xie et al.,
"Differentially private generative adversarial network", arXiv 1802.06739. The unit is a window of
`WINDOW` consecutive matrices; windows do not overlap, are Poisson sampled, and only the critic sees
them. Private is thus how pairs and steps depend on each other. NOT private are the distribution of
each pair's rates and the course of the load, which are taken from the history as they are. The
generator begins without a fit, and no fidelity score decides when to stop: both would look.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from opacus import GradSampleModule
from opacus.accountants import RDPAccountant
from opacus.accountants.utils import get_noise_multiplier
from opacus.optimizers import DPOptimizer
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


@dataclass(frozen=True)
class Privacy:
    """What the accountant says was spent, and on what."""

    epsilon: float
    delta: float
    noise_multiplier: float
    windows: int


def train_private_gan(
    history: History,
    seed: int,
    budget_s: float,
    epsilon: float,
    progress: Progress | None = None,
    log: Log | None = None,
) -> tuple[TrafficGan, Privacy]:
    """Train such that the critic spends `epsilon` at most; delta is a tenth of one in the windows.

    Whoever knows the seed knows the noise: keep it to yourself.

    Raises:
        ValueError: epsilon is not positive, or out of reach with so little history.
    """
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise ValueError(f"epsilon is {epsilon}: give a number above 0, such as 8")
    with seeded_and_single_threaded(seed), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # opacus: that hooks see inputs without gradients
        material = Material.of(history)
        starts = np.arange(0, history.steps - WINDOW + 1, WINDOW)
        steps = steps_for(material.scores.shape[1], HYPER_PARAMETERS["steps"])
        batch = min(HYPER_PARAMETERS["batch"], len(starts) / 2)
        rate, delta = batch / len(starts), 0.1 / len(starts)
        noise = get_noise_multiplier(
            target_epsilon=epsilon,
            target_delta=delta,
            sample_rate=rate,
            steps=steps,
            accountant="rdp",
        )
        accountant = RDPAccountant()
        generator = Generator(material.scores.shape[1])
        critic = GradSampleModule(material.critic(normalised=False), loss_reduction="sum")
        optimise = torch.optim.Adam(generator.parameters(), HYPER_PARAMETERS["generator_rate"] * 3)
        judge = DPOptimizer(
            torch.optim.Adam(critic.parameters(), HYPER_PARAMETERS["critic_rate"]),
            noise_multiplier=noise,
            max_grad_norm=_CLIP,
            expected_batch_size=round(2 * batch),
            generator=torch.Generator().manual_seed(seed),
        )
        random = torch.Generator().manual_seed(seed)
        numbers = np.random.default_rng([seed, 0xD9])
        count = round(batch)
        for done in training_steps("training the GAN privately", steps, budget_s, progress):
            chosen = starts[numbers.random(len(starts)) < rate]
            span = torch.from_numpy(chosen[:, None] + np.arange(WINDOW))
            # Made windows use conditions of the calendar and the load model: they are not secret.
            conditions = material.drawn_conditions(count, numbers, random)
            with torch.no_grad():
                made = generator(conditions, random)
            # One pass: each window, real or made, is a sample of its own, clipped by itself.
            real = len(chosen)
            verdicts = critic(
                torch.cat([material.scores[span], made]),
                torch.cat([material.conditions[span], conditions]),
            )
            descend(judge, relu(1 - verdicts[:real]).sum() + relu(1 + verdicts[real:]).sum())
            accountant.step(noise_multiplier=noise, sample_rate=rate)
            critic.disable_hooks()
            loss = -critic(generator(conditions, random), conditions).mean()
            descend(optimise, loss)
            critic.enable_hooks()
            if log is not None:
                log("loss/generator", float(loss), round(done * steps))
        spent = float(accountant.get_epsilon(delta))
        incidents = train_incidents(seed, {}, HYPER_PARAMETERS["incident_steps"])
        report = {"steps": float(steps), "epsilon": spent, "delta": delta}
        gan = finished(material, generator, incidents, seed, report)
    return gan, Privacy(spent, delta, float(noise), len(starts))
