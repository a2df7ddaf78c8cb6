"""Training the GAN: seeded, checkpointed, ended by a fidelity score.

Hinge loss; two spectrally normalised critics, one that sees `WINDOW` consecutive matrices and one
that sees as many over about a day; an exponential average of the generator's weights. At every
check the average makes series as long as the history, whose distances to the history (see
`fidelity.py`) are taken relative to those between the two halves of the history, and averaged: the
score. The best generator wins, that of the beginning included; training ends early when no check
improves.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import relu

from generators.fidelity import fidelity
from generators.gan import TrafficGan
from generators.gan_incidents import LENGTH, train_incidents
from generators.gan_material import Material, finished
from generators.gan_networks import WINDOW, Generator
from generators.gan_windows import Starts
from generators.history import History
from generators.incidents import labelled_incidents
from generators.model_files import ModelFileError, load_model, save_model
from generators.model_store import history_sha256
from generators.training import CODE_VERSION
from generators.training_loop import (
    Progress,
    descend,
    seeded_and_single_threaded,
    steps_for,
    training_steps,
)

HYPER_PARAMETERS: Mapping[str, float] = {
    "batch": 24,
    "steps": 240,
    "generator_rate": 1e-4,
    "critic_rate": 3e-4,
    "average": 0.98,
    "instance_noise": 0.1,
    "peak_share": 0.25,
    "checks": 8,
    "patience": 3,
    "incident_steps": 600,
}
_COARSE_STRIDE = 12
"""Between the matrices that the second critic sees, if the history is long enough."""
_LEAST_DISTANCE = 0.01
"""Between halves: what hardly differs shall not decide."""
_CHECKPOINT = "gan-checkpoint-2"

Log = Callable[[str, float, int], None]
"""Called with the name of a figure, its value, and the training step."""


@dataclass(frozen=True)
class Resumption:
    """Where a training is kept, so that it can go on."""

    checkpoint: Path
    resume: bool = False
    """Go on from the checkpoint; else begin anew."""


def train_gan(
    history: History,
    seed: int,
    budget_s: float,
    progress: Progress | None = None,
    log: Log | None = None,
    resumption: Resumption | None = None,
) -> TrafficGan:
    """Train on a history.

    The number of training steps is fixed, so the same history and seed give the same weights on
    one machine; `budget_s` only stops a machine that is far too slow.

    Raises:
        ModelFileError: the checkpoint is damaged, or that of another training.
        OSError: the checkpoint cannot be written.
    """
    with seeded_and_single_threaded(seed):
        material = Material.of(history)
        training = _Training(material, seed)
        if resumption is not None and resumption.resume:
            training.restore(resumption.checkpoint)
        checkpoint = None if resumption is None else resumption.checkpoint
        training.carry_out(budget_s, progress, log, checkpoint)
        generator = training.best
        incidents = train_incidents(
            seed, labelled_incidents(material.history, LENGTH), HYPER_PARAMETERS["incident_steps"]
        )
        return finished(material, generator, incidents, seed, training.report())


def seconds_until(checkpoint: Path) -> float:
    """Return how long a training took up to its checkpoint.

    Raises:
        ModelFileError: it is damaged.
    """
    content = load_model(checkpoint, _CHECKPOINT)
    try:
        return float(content["counters"]["seconds"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{checkpoint}: an incomplete checkpoint ({error})") from error


class _Training:
    """The state of a training: everything that a checkpoint holds."""

    def __init__(self, material: Material, seed: int) -> None:
        self._material, self._seed = material, seed
        self._begun_s = time.monotonic()
        coarse = max(1, min(_COARSE_STRIDE, (material.history.steps - 1) // (2 * WINDOW)))
        self._strides = (1, coarse)
        self._generator = material.started()
        self.best = deepcopy(self._generator)
        self._averaged = deepcopy(self._generator)
        self._critics = torch.nn.ModuleList([material.critic() for _ in self._strides])
        self._optimise = _adam(self._generator, HYPER_PARAMETERS["generator_rate"])
        self._judge = _adam(self._critics, HYPER_PARAMETERS["critic_rate"])
        early, late = (half.rates_bps for half in material.history.split(0.5))
        apart = fidelity(early, late, material.history.step_s)
        self._apart = np.maximum(list(asdict(apart).values()), _LEAST_DISTANCE)
        self._step, self._best_step, self._waited = 0, 0, 0
        self._best_score = self._score(self.best)
        self._starts = [Starts(material, stride) for stride in self._strides]

    def carry_out(
        self,
        budget_s: float,
        progress: Progress | None,
        log: Log | None,
        checkpoint: Path | None,
    ) -> None:
        """Train until the steps are done, nothing improves any more, or the budget is spent.

        With progress, the losses, the score and the state at every check.
        """
        steps = steps_for(self._generator.pairs, HYPER_PARAMETERS["steps"])
        between = max(1, steps // int(HYPER_PARAMETERS["checks"]))
        for _ in training_steps("training the GAN", steps, budget_s, progress, self._step):
            if self._has_settled():  # perhaps before an interruption
                if progress is not None:
                    progress(1.0, "training the GAN")
                break
            losses = self._train_once()
            self._step += 1
            if log is not None:
                for name, loss in losses:
                    log(f"loss/{name}", loss, self._step)
            if self._step % between == 0:
                score = self._check()
                if log is not None:
                    log("fidelity/score", score, self._step)
                if checkpoint is not None:
                    self._keep(checkpoint)

    def _has_settled(self) -> bool:
        return self._waited >= HYPER_PARAMETERS["patience"]

    def report(self) -> dict[str, float]:
        """What the record of the model says: how long it took, the best score and its step."""
        return {"steps": self._step, "best_step": self._best_step, "score": self._best_score}

    def _train_once(self) -> Iterator[tuple[str, float]]:
        numbers = np.random.default_rng([self._seed, self._step])
        random = torch.Generator().manual_seed((self._seed * 1_000_003 + self._step) % 2**63)
        batches = [
            starts.draw(numbers, int(HYPER_PARAMETERS["batch"]), HYPER_PARAMETERS["peak_share"])
            for starts in self._starts
        ]
        losses = []
        for critic, stride, (scores, conditions) in self._views(batches):
            with torch.no_grad():
                made = self._generator(conditions, random, stride)
            seen = _blurred(torch.cat([scores, made]), random)
            verdicts = critic(seen, torch.cat([conditions, conditions]))
            real, fake = verdicts.chunk(2)
            losses.append(relu(1 - real).mean() + relu(1 + fake).mean())
        descend(self._judge, torch.stack(losses).sum())
        self._critics.requires_grad_(False)  # half the work of this step
        against = [
            -critic(
                _blurred(self._generator(conditions, random, stride), random), conditions
            ).mean()
            for critic, stride, (_, conditions) in self._views(batches)
        ]
        descend(self._optimise, torch.stack(against).sum())
        self._critics.requires_grad_(True)
        with torch.no_grad():
            for mean, now in zip(
                self._averaged.parameters(), self._generator.parameters(), strict=True
            ):
                mean.lerp_(now, 1 - HYPER_PARAMETERS["average"])
        names = ("critic", "critic-day", "generator", "generator-day")
        return zip(names, [loss.item() for loss in (*losses, *against)], strict=True)

    def _views(
        self, batches: list[tuple[Tensor, Tensor]]
    ) -> Iterator[tuple[torch.nn.Module, int, tuple[Tensor, Tensor]]]:
        return zip(self._critics, self._strides, batches, strict=True)

    def _check(self) -> float:
        score = self._score(self._averaged)
        self._waited += 1
        if score < self._best_score:
            self._best_score, self._best_step, self._waited = score, self._step, 0
            self.best = deepcopy(self._averaged)
        return score

    def _score(self, generator: Generator) -> float:
        """Mean distance to the history; of the two halves of the history it would be 1."""
        material = self._material
        made = material.made_scores(generator, self._seed, repeats=2)
        transform = material.calibrated(made)
        made_bps = transform.rates_bps(torch.from_numpy(made).float()).double().numpy()
        halves = np.array_split(made_bps, 2)
        history = material.history
        found = [fidelity(half, history.rates_bps, history.step_s) for half in halves]
        distances = np.mean([list(asdict(one).values()) for one in found], axis=0)
        return float((distances / self._apart).mean())

    # --- checkpoints ------------------------------------------------------------------------

    def _modules(self) -> dict[str, Any]:
        return {
            "generator": self._generator,
            "averaged": self._averaged,
            "best": self.best,
            "critics": self._critics,
            "optimise": self._optimise,
            "judge": self._judge,
        }

    def _identity(self) -> str:
        """Whatever decides which weights come out."""
        settings = [CODE_VERSION, self._strides, WINDOW, dict(HYPER_PARAMETERS)]
        what = [self._seed, history_sha256(self._material.history), settings]
        return json.dumps(what, sort_keys=True)

    def _keep(self, checkpoint: Path) -> None:
        content = {name: module.state_dict() for name, module in self._modules().items()}
        seconds = time.monotonic() - self._begun_s
        counters = {**self.report(), "waited": self._waited, "seconds": seconds}
        save_model(
            checkpoint, _CHECKPOINT, {**content, "counters": counters, "of": self._identity()}
        )

    def restore(self, checkpoint: Path) -> None:
        """Go on where `checkpoint` was written."""
        content = load_model(checkpoint, _CHECKPOINT)
        if content.get("of") != self._identity():
            raise ModelFileError(
                f"{checkpoint}: of another history, seed or settings: leave out --resume"
            )
        try:
            for name, module in self._modules().items():
                module.load_state_dict(content[name])
            counters = content["counters"]
            self._step, self._best_step = int(counters["steps"]), int(counters["best_step"])
            self._best_score, self._waited = counters["score"], int(counters["waited"])
            self._begun_s -= counters["seconds"]
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelFileError(f"{checkpoint}: an incomplete checkpoint ({error})") from error


def _blurred(scores: Tensor, random: torch.Generator) -> Tensor:
    """Add noise to what a critic sees, so that it cannot learn the few windows by heart.

    Instance noise (Sønderby et al., "Amortised MAP inference for image super-resolution", 2017).
    """
    noise = torch.randn(scores.shape, generator=random)
    return scores + HYPER_PARAMETERS["instance_noise"] * noise


def _adam(network: torch.nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(network.parameters(), rate, betas=(0.0, 0.9), fused=True)
