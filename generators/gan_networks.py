"""The two networks of the GAN; inputs and outputs are normal scores, batch first."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import spectral_norm

from generators.conditions import FEATURES
from generators.noise import FACTORS, RELAXATION_STEPS, NoiseModel, processes
from generators.normal_scores import NormalScores
from generators.schedule import FloatArray

WINDOW = 24
"""Matrices that a critic looks at."""

_SEEN_FACTORS = 8  # of each relaxation time: what bends the traffic of all pairs
_HIDDEN = 96
_STEP_FEATURES = 48
_JUDGE = 128
_CHANGE_GAIN = 3.0  # changes between steps are small beside the levels
_TOTAL_GAIN = 10.0  # totals vary little, and matter most
_LARGEST_PAIRS = 32


class Generator(nn.Module):
    """Noise and conditions to scores, for any number of steps, seamlessly.

    A linear part (the course over day, week and load, and noise with a memory and a covariance)
    begins where least squares puts it; a network shifts it and stretches its noise, for all pairs
    together, by the conditions and by the strongest of the common noise. That network begins with
    doing nothing: what is not Gaussian is left to the adversarial training.
    """

    def __init__(self, pairs: int) -> None:
        super().__init__()
        self.pairs = pairs
        self.factors = min(FACTORS, pairs)
        self.seen = min(_SEEN_FACTORS, self.factors)
        times = len(RELAXATION_STEPS)
        self.course = nn.Parameter(torch.zeros(FEATURES, pairs))
        self.loadings = nn.Parameter(torch.zeros(times, self.factors, pairs))
        self.own = nn.Parameter(torch.full((times, pairs), 0.3))
        self.enter = nn.Linear(times * self.seen + FEATURES, _HIDDEN)
        self.deepen = nn.Linear(_HIDDEN, _HIDDEN)
        self.leave = nn.Linear(_HIDDEN, 2 * pairs)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    @torch.no_grad()
    def start_at(self, course: FloatArray, noise: NoiseModel) -> None:
        """Begin training with coefficients (FEATURES, pairs) and a model of the noise."""
        self.course.copy_(torch.from_numpy(course))
        self.loadings.copy_(torch.from_numpy(noise.loadings))
        self.own.copy_(torch.from_numpy(noise.own))

    def forward(self, conditions: Tensor, random: torch.Generator, stride: int = 1) -> Tensor:
        """Return scores (batch, steps, pairs) for conditions (batch, steps, FEATURES).

        The steps are `stride` steps of the history apart.
        """
        batch, steps, _ = conditions.shape
        common = processes(random, batch, steps, self.factors, stride)
        own = processes(random, batch, steps, self.pairs, stride)
        # The strongest factors come last.
        seen = common[..., -self.seen :].permute(1, 2, 0, 3).flatten(2)
        hidden = leaky_relu(self.enter(torch.cat([seen, conditions], 2)), 0.2)
        hidden = leaky_relu(self.deepen(hidden), 0.2) + hidden
        shift, stretch = self.leave(hidden).chunk(2, dim=2)
        noise = torch.einsum("tbsf,tfp->bsp", common, self.loadings)
        noise = noise + torch.einsum("tbsp,tp->bsp", own, self.own)
        scores: Tensor = conditions @ self.course + shift + noise * stretch.tanh().exp()
        return scores


class Critic(nn.Module):
    """Tells real windows from made ones: spectrally normalised (Miyato et al., ICLR 2018).

    It sees, per step, the conditions, the scores, the total of the largest pairs in bit/s (they
    carry most of the traffic, and the scores alone do not say so), and how they change.
    """

    def __init__(self, scores: NormalScores, mean_bps: Tensor, *, normalised: bool = True) -> None:
        """Private training clips gradients instead of normalising spectra."""
        super().__init__()

        def linear(inputs: int, outputs: int) -> nn.Module:
            layer = nn.Linear(inputs, outputs)
            return spectral_norm(layer) if normalised else layer

        pairs = len(mean_bps)
        self._largest = mean_bps.argsort(descending=True)[:_LARGEST_PAIRS]
        self._to_rates = scores.select(self._largest)
        self._mean_total_bps = mean_bps[self._largest].sum().clamp_min(1.0)
        self.levels = linear(pairs + 1 + FEATURES, _STEP_FEATURES)
        self.changes = linear(pairs + 1, _STEP_FEATURES)
        self.enter = linear((2 * WINDOW - 1) * _STEP_FEATURES, _JUDGE)
        self.deepen = linear(_JUDGE, _JUDGE)
        self.leave = linear(_JUDGE, 1)

    def forward(self, scores: Tensor, conditions: Tensor) -> Tensor:
        """Return (batch,): positive for what looks real."""
        levels = torch.cat([scores, self._log_total(scores).unsqueeze(2)], 2)
        changes = (levels[:, 1:] - levels[:, :-1]) * _CHANGE_GAIN
        seen = [
            leaky_relu(self.levels(torch.cat([levels, conditions], 2)), 0.2).flatten(1),
            leaky_relu(self.changes(changes), 0.2).flatten(1),
        ]
        hidden = leaky_relu(self.enter(torch.cat(seen, 1)), 0.2)
        hidden = leaky_relu(self.deepen(hidden), 0.2)
        verdict: Tensor = self.leave(hidden).squeeze(1)
        return verdict

    def _log_total(self, scores: Tensor) -> Tensor:
        total_bps = self._to_rates.rates_bps(scores[..., self._largest]).sum(-1)
        return _TOTAL_GAIN * (total_bps / self._mean_total_bps + 1e-3).log()
