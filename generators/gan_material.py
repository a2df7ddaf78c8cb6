"""A history as the GAN's networks see it, and the way back from a trained generator to rates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from generators.conditions import LoadModel, features, measured_load, regress
from generators.gan import TrafficGan
from generators.gan_incidents import IncidentGenerator
from generators.gan_networks import WINDOW, Critic, Generator
from generators.history import History
from generators.history.structure import WEEK_S
from generators.incidents import INCIDENTS
from generators.noise import fit_noise
from generators.normal_scores import NormalScores
from generators.schedule import FloatArray
from generators.training_loop import seeded_and_single_threaded


@dataclass(frozen=True)
class Material:
    """A history as the networks see it."""

    history: History
    transform: NormalScores
    scores: Tensor
    """(steps, pairs)."""
    conditions: Tensor
    """(steps, FEATURES)."""
    load: FloatArray
    loads: LoadModel
    usable: npt.NDArray[np.bool_]
    """(steps,): no label tells of an incident."""

    @classmethod
    def of(cls, history: History) -> Material:
        """Prepare a history, its gaps filled."""
        history = history.filled()
        transform, scores = NormalScores.fit(history.rates_bps)
        load = measured_load(history.rates_bps.sum(axis=1))
        conditions = torch.from_numpy(features(history.times_s, load)).float()
        labels = np.array(history.labels or [""] * history.steps)
        usable = ~np.isin(labels, [*INCIDENTS, "attack"])
        loads = LoadModel.fit(history)
        return cls(history, transform, scores, conditions, load, loads, usable)

    def started(self) -> Generator:
        """Return a generator at the least squares fit of course and noise."""
        scores, conditions = self.scores.double().numpy(), self.conditions.double().numpy()
        course = regress(conditions, scores)
        generator = Generator(scores.shape[1])
        generator.start_at(course, fit_noise(scores - conditions @ course))
        return generator

    def critic(self, *, normalised: bool = True) -> Critic:
        """Return a critic of this network's windows."""
        mean_bps = torch.from_numpy(self.history.rates_bps.mean(axis=0)).float()
        return Critic(self.transform, mean_bps, normalised=normalised)

    def made_scores(self, generator: Generator, seed: int, repeats: int = 1) -> FloatArray:
        """Return (steps, pairs): series at the times of the history, with loads of their own."""
        random = torch.Generator().manual_seed(seed)
        times_s, parts = self.history.times_s, []
        for _ in range(repeats):
            course = self.loads.draw(times_s, random)
            conditions = torch.from_numpy(features(times_s, course)).float()
            with torch.no_grad():
                parts.append(generator(conditions[None], random)[0])
        return np.asarray(torch.cat(parts).double().numpy())

    def drawn_conditions(
        self, count: int, numbers: np.random.Generator, random: torch.Generator
    ) -> Tensor:
        """Return (count, WINDOW, FEATURES): windows at any time of the week, loads drawn."""
        starts_s = numbers.uniform(0, WEEK_S, count)
        steps_s = self.history.step_s * np.arange(WINDOW)
        windows = [
            features(times_s, self.loads.draw(times_s, random))
            for times_s in (starts_s[:, None] + steps_s) % WEEK_S
        ]
        return torch.from_numpy(np.stack(windows)).float()

    def calibrated(self, made: FloatArray) -> NormalScores:
        """Return the transform that gives made scores (steps, pairs) the history's distribution."""
        rates_bps, transform = self.history.rates_bps, self.transform
        floor_bps = transform.floor_bps.double().numpy()
        logs, made = np.sort(np.log(rates_bps + floor_bps), axis=0), np.sort(made, axis=0)
        grid = np.linspace(-transform.limit, transform.limit, transform.table.shape[1])
        ranks = (np.arange(len(logs)) + 0.5) / len(logs)
        table = np.empty(transform.table.shape)
        for pair in range(made.shape[1]):
            shares = np.interp(grid, made[:, pair], (np.arange(len(made)) + 0.5) / len(made))
            table[pair] = np.interp(shares, ranks, logs[:, pair])
        return NormalScores(transform.limit, torch.from_numpy(table).float(), transform.floor_bps)


def finished(
    material: Material,
    generator: Generator,
    incidents: IncidentGenerator,
    seed: int,
    report: Mapping[str, float],
) -> TrafficGan:
    """Return the GAN of trained networks, its marginal distributions calibrated."""
    history = material.history
    repeats = max(1, math.ceil(4000 / history.steps))
    transform = material.calibrated(material.made_scores(generator, seed, repeats))
    total_bps = float(history.rates_bps.sum(axis=1).mean())
    return TrafficGan(
        history.hosts,
        history.step_s,
        total_bps,
        transform,
        material.loads,
        generator.eval(),
        incidents.eval(),
        dict(report),
    )


def untrained_gan(history: History, seed: int) -> TrafficGan:
    """Return the GAN with which a training begins: the least squares fit alone."""
    with seeded_and_single_threaded(seed):
        material = Material.of(history)
        return finished(material, material.started(), IncidentGenerator(), seed, {})
