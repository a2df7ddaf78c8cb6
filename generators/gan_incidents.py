"""A small conditional GAN for the shape of incidents: floods, flash crowds, failures."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, one_hot, relu
from torch.nn.utils.parametrizations import spectral_norm

from generators.attacks import MAX_SOURCES
from generators.incidents import INCIDENTS, MAKERS
from generators.schedule import FloatArray
from generators.training_loop import descend

LENGTH = 12
"""Steps of an incident."""

_NOISE = 16
_HIDDEN = 64
_GAIN = 3.0
_BATCH = 64
_AVERAGING = 0.02  # weight of the newest weights in their running mean


class IncidentGenerator(nn.Module):
    """Noise and class to (batch, LENGTH, MAX_SOURCES): rates times a gate over time."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(_NOISE + len(INCIDENTS), _HIDDEN)
        self.deepen = nn.Linear(_HIDDEN, _HIDDEN)
        self.leave = nn.Linear(_HIDDEN, LENGTH * (MAX_SOURCES + 1))

    def forward(self, kinds: Tensor, random: torch.Generator) -> Tensor:
        """Return what the columns of `incidents` mean."""
        noise = torch.randn(len(kinds), _NOISE, generator=random)
        condition = one_hot(kinds, len(INCIDENTS)).float()
        hidden = leaky_relu(self.enter(torch.cat([noise, condition], 1)), 0.2)
        hidden = leaky_relu(self.deepen(hidden), 0.2) + hidden
        rates, gate = self.leave(hidden).split([LENGTH * MAX_SOURCES, LENGTH], 1)
        rates = relu(rates.view(len(kinds), LENGTH, MAX_SOURCES) + 0.3)
        shapes: Tensor = rates * torch.sigmoid(4 * gate).unsqueeze(2)
        return shapes

    @torch.no_grad()
    def sample(self, kind: str, count: int, random: torch.Generator) -> FloatArray:
        """Return (count, LENGTH, MAX_SOURCES) of one class."""
        kinds = torch.full((count,), INCIDENTS.index(kind))
        return np.asarray(self(kinds, random).double().numpy())


class _Critic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        inputs = (2 * LENGTH) * MAX_SOURCES
        self.enter = spectral_norm(nn.Linear(inputs, _HIDDEN))
        self.deepen = spectral_norm(nn.Linear(_HIDDEN, _HIDDEN))
        self.leave = spectral_norm(nn.Linear(_HIDDEN, 1))
        self.kind = spectral_norm(nn.Embedding(len(INCIDENTS), _HIDDEN))

    def forward(self, shapes: Tensor, kinds: Tensor) -> Tensor:
        changes = shapes[:, 1:] - shapes[:, :-1]
        seen = torch.cat([shapes.flatten(1), changes.flatten(1), shapes.amax(1)], 1) * _GAIN
        hidden = leaky_relu(self.enter(seen), 0.2)
        hidden = leaky_relu(self.deepen(hidden), 0.2)
        # The class enters by projection (Miyato and Koyama, ICLR 2018).
        verdict: Tensor = self.leave(hidden).squeeze(1) + (self.kind(kinds) * hidden).sum(1)
        return verdict


def train_incidents(
    seed: int, labelled: Mapping[str, FloatArray], steps: float
) -> IncidentGenerator:
    """Train on the model of incidents, half of each class on what the history's labels show.

    `labelled` holds windows (count, LENGTH, MAX_SOURCES), by class. Returned is the running mean.
    """
    generator, critic = IncidentGenerator(), _Critic()
    averaged = deepcopy(generator)
    numbers = np.random.default_rng([seed, 0x1C])
    random = torch.Generator().manual_seed(seed)
    optimise = torch.optim.Adam(generator.parameters(), 1e-3, betas=(0.0, 0.9), fused=True)
    judge = torch.optim.Adam(critic.parameters(), 2e-3, betas=(0.0, 0.9), fused=True)
    for _ in range(round(steps)):
        shapes, kinds = _draw(numbers, labelled)
        with torch.no_grad():
            made = generator(kinds, random)
        real, fake = critic(torch.cat([shapes, made]), torch.cat([kinds, kinds])).chunk(2)
        descend(judge, relu(1 - real).mean() + relu(1 + fake).mean())
        descend(optimise, -critic(generator(kinds, random), kinds).mean())
        with torch.no_grad():
            for mean, now in zip(averaged.parameters(), generator.parameters(), strict=True):
                mean.lerp_(now, _AVERAGING)
    return averaged


def _draw(
    numbers: np.random.Generator, labelled: Mapping[str, FloatArray]
) -> tuple[Tensor, Tensor]:
    kinds = numbers.integers(0, len(INCIDENTS), _BATCH)
    shapes = np.zeros((_BATCH, LENGTH, MAX_SOURCES))
    for number, name in enumerate(INCIDENTS):
        rows = np.flatnonzero(kinds == number)
        shapes[rows] = MAKERS[name](numbers, len(rows), LENGTH)
        if name in labelled:
            seen, half = labelled[name], rows[::2]
            shapes[half] = seen[numbers.integers(0, len(seen), len(half))]
    return torch.from_numpy(shapes).float(), torch.from_numpy(kinds)
