"""A GAN that makes series of traffic matrices, conditional on class, time of the week and load.

The background comes from a generator of normal scores (`gan_networks.py`) that runs for any number
of steps; incidents (floods, flash crowds, aftermaths of failures) come from a GAN of their own
(`gan_incidents.py`) and are laid upon it. `gan_training.py` trains both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import ndtri

from generators.attacks import MAX_SOURCES
from generators.conditions import PEAK_SHARE, LoadModel, features
from generators.gan_incidents import LENGTH, IncidentGenerator
from generators.gan_networks import Generator
from generators.history import History, pair_mask
from generators.history.structure import WEEK_S
from generators.incidents import ATTACKS, INCIDENTS
from generators.kinds import Kind
from generators.model_files import ModelFileError, load_model, save_model
from generators.normal_scores import NormalScores
from generators.schedule import FloatArray
from generators.training_loop import seeded_and_single_threaded

_MIN_FLOOD = 0.02
"""Made source rates below this are meant to be zero."""
_FORMAT = "traffic-gan-2"


@dataclass(frozen=True)
class Made:
    """Made traffic: `count` series of matrices, with a flood beside each of them."""

    matrices_bps: FloatArray
    """(count, steps, hosts, hosts), zero diagonal, no flood in it."""
    floods: FloatArray
    """(count, LENGTH, MAX_SOURCES): rate of each attack source over the history's mean total
    traffic, strongest first; all zero unless the kind is an attack."""
    start_s: FloatArray
    """(count,): when each begins, in seconds after Monday 00:00."""


@dataclass(frozen=True)
class TrafficGan:
    """Trained generators and what turns their output into bit/s."""

    hosts: tuple[str, ...]
    step_s: float
    mean_total_bps: float
    """Of the history: what floods are measured in."""
    scores: NormalScores
    loads: LoadModel
    generator: Generator
    incidents: IncidentGenerator
    training: Mapping[str, float]
    """What the training says of itself: see `gan_training.py`."""

    @torch.no_grad()
    def sample(
        self,
        kind: Kind,
        count: int,
        seed: int,
        steps: int = LENGTH,
        start_s: float | None = None,
        load: float | None = None,
    ) -> Made:
        """Return `count` series of one kind; the same arguments give the same, bit for bit.

        Args:
            kind: the class.
            count: how many.
            seed: of all that is random.
            steps: of each series, `step_s` apart.
            start_s: seconds after Monday 00:00; None: any time (of a peak: when those are).
            load: quantile of the load that is kept up, above 0 and below 1; None: it takes its
                course (of a peak: within the busiest tenth).
        """
        with seeded_and_single_threaded(seed):
            random = torch.Generator().manual_seed(seed)
            numbers = np.random.default_rng([seed, 0x7A])
            starts_s = self._starts_s(kind, count, start_s, numbers)
            matrices_bps = np.stack(
                [self._background(kind, steps, begin_s, load, random) for begin_s in starts_s]
            )
            shapes = self._shapes(kind, count, numbers, random)
        if kind.startswith("attack"):
            return Made(matrices_bps, _strongest_first(shapes), starts_s)
        if kind in INCIDENTS:
            for series_bps, shape in zip(matrices_bps, shapes[..., 0], strict=True):
                _lay_upon(series_bps, shape, numbers, both=kind == "failure-aftermath")
        return Made(matrices_bps, np.zeros_like(shapes), starts_s)

    def series(self, history: History, seed: int) -> History:
        """Return made traffic for the times of a history, every step of it ordinary."""
        made = self.sample("normal", 1, seed, history.steps, history.start_s)
        return History(self.hosts, self.step_s, made.matrices_bps[0], history.start_s)

    @torch.no_grad()
    def floods(self, count: int, seed: int) -> FloatArray:
        """Return (count, LENGTH, MAX_SOURCES): the floods alone, as in `Made`."""
        with seeded_and_single_threaded(seed):
            random = torch.Generator().manual_seed(seed)
            numbers = np.random.default_rng([seed, 0x7A])
            return _strongest_first(self._shapes("attack", count, numbers, random))

    def _starts_s(
        self, kind: Kind, count: int, start_s: float | None, numbers: np.random.Generator
    ) -> FloatArray:
        if start_s is not None:
            return np.full(count, start_s % WEEK_S)
        if kind == "peak":
            return np.asarray(numbers.choice(self.loads.busy_s, count))
        return np.asarray(numbers.uniform(0, WEEK_S, count))

    def _background(
        self, kind: Kind, steps: int, start_s: float, load: float | None, random: torch.Generator
    ) -> FloatArray:
        """(steps, hosts, hosts)."""
        times_s = np.asarray((start_s + self.step_s * np.arange(steps)) % WEEK_S)
        if load is None and kind == "peak":
            load = 1 - PEAK_SHARE * float(torch.rand((), generator=random).clamp_min(0.02))
        if load is None:
            course = self.loads.draw(times_s, random)
        else:
            course = self.loads.around(float(ndtri(load)), steps, random)
        conditions = torch.from_numpy(features(times_s, course)).float()
        scores = self.generator(conditions[None], random)
        matrices_bps = np.zeros((steps, len(self.hosts), len(self.hosts)))
        matrices_bps[:, pair_mask(len(self.hosts))] = self.scores.rates_bps(scores)[0].numpy()
        return matrices_bps

    def _shapes(
        self, kind: Kind, count: int, numbers: np.random.Generator, random: torch.Generator
    ) -> FloatArray:
        """(count, LENGTH, MAX_SOURCES); zero for what has no incident."""
        if kind == "attack":
            each = [str(numbers.choice(ATTACKS)) for _ in range(count)]
            return np.concatenate([self.incidents.sample(name, 1, random) for name in each])
        if kind not in INCIDENTS:
            return np.zeros((count, LENGTH, MAX_SOURCES))
        return self.incidents.sample(kind, count, random)

    def benign_bps(self, count: int, seed: int) -> FloatArray:
        """(count, LENGTH, pairs): ordinary traffic and peaks, in the shares history has them in."""
        peaks = round(count * PEAK_SHARE)
        normal = self.sample("normal", count - peaks, seed).matrices_bps
        peak = self.sample("peak", peaks, seed).matrices_bps
        return np.concatenate([normal, peak])[..., pair_mask(len(self.hosts))]

    def save(self, path: Path) -> None:
        """Write the weights and what is needed beside them."""
        content = {
            "hosts": list(self.hosts),
            "step_s": self.step_s,
            "mean_total_bps": self.mean_total_bps,
            "limit": self.scores.limit,
            "table": self.scores.table,
            "floor_bps": self.scores.floor_bps,
            "loads": self.loads.document(),
            "generator": self.generator.state_dict(),
            "incidents": self.incidents.state_dict(),
            "training": dict(self.training),
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
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelFileError(f"{path}: an incomplete model ({error})") from error

    @classmethod
    def _from(cls, content: dict[str, Any]) -> TrafficGan:
        scores = NormalScores(content["limit"], content["table"], content["floor_bps"])
        generator, incidents = Generator(len(scores.floor_bps)), IncidentGenerator()
        generator.load_state_dict(content["generator"])
        incidents.load_state_dict(content["incidents"])
        return cls(
            tuple(content["hosts"]),
            float(content["step_s"]),
            float(content["mean_total_bps"]),
            scores,
            LoadModel.from_document(content["loads"]),
            generator.eval(),
            incidents.eval(),
            dict(content["training"]),
        )


def _lay_upon(
    matrices_bps: FloatArray, shape: FloatArray, numbers: np.random.Generator, *, both: bool
) -> None:
    """Multiply what one host receives (or exchanges) by a shape, somewhere in the series.

    The busier a host, the likelier it is the one.
    """
    steps = len(matrices_bps)
    received = matrices_bps.mean(axis=0).sum(axis=0) + 1e-9
    host = int(numbers.choice(len(received), p=received / received.sum()))
    length = min(len(shape), steps)
    first = int(numbers.integers(0, steps - length + 1))
    factor = shape[np.arange(length) * len(shape) // length][:, None]
    part = matrices_bps[first : first + length]
    part[:, :, host] *= factor
    if both:
        part[:, host, :] *= factor


def _strongest_first(floods: FloatArray) -> FloatArray:
    """Sort the sources of each flood by what they send in all; drop the traces of zero."""
    floods = np.where(floods < _MIN_FLOOD, 0.0, floods)
    order = np.argsort(-floods.sum(axis=1), axis=1, kind="stable")
    return np.take_along_axis(floods, order[:, None, :], axis=2)
