"""The two networks of the GAN; inputs and outputs are normal scores, batch first."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, one_hot, relu, softplus
from torch.nn.utils.parametrizations import spectral_norm

from generators.attacks import MAX_SOURCES
from generators.normal_scores import NormalScores

WINDOW = 12
"""Matrices in a window."""
KINDS = ("normal", "peak", "attack")
ATTACK = KINDS.index("attack")

_NOISE = 160
_FLOOD_NOISE = 16
_STEP_FEATURES = 48
_HIDDEN = 192
_FLOOD_HIDDEN = 64
_CHANGE_GAIN = 3.0  # changes between steps are small beside the levels
_FLOOD_GAIN = 3.0
_TOTAL_GAIN = 10.0  # totals vary little, and matter most
_LARGEST_PAIRS = 32


class Generator(nn.Module):
    """Noise and kind to a window of scores and a flood.

    What the pairs have in common comes from an MLP; what each has for itself is noise added with a
    learned strength per pair (as in StyleGAN, Karras et al., CVPR 2019): constant over the window,
    white, and a random walk.
    """

    def __init__(self, pairs: int) -> None:
        super().__init__()
        self.pairs = pairs
        self.enter = nn.Linear(_NOISE + len(KINDS), _HIDDEN)
        self.deepen = nn.Linear(_HIDDEN, _HIDDEN)
        self.unroll = nn.Linear(_HIDDEN, WINDOW * _STEP_FEATURES)
        self.leave = nn.Linear(_STEP_FEATURES, pairs)
        strengths = torch.tensor([0.0, -1.5, -1.5]).unsqueeze(1).repeat(1, pairs)
        self.strengths = nn.Parameter(strengths)
        self.kind_level = nn.Parameter(torch.zeros(len(KINDS), pairs))
        self.flood_enter = nn.Linear(_FLOOD_NOISE + len(KINDS), _FLOOD_HIDDEN)
        self.flood_deepen = nn.Linear(_FLOOD_HIDDEN, _FLOOD_HIDDEN)
        self.flood_leave = nn.Linear(_FLOOD_HIDDEN, WINDOW * (MAX_SOURCES + 1))

    @torch.no_grad()
    def start_at(self, mean_scores: Tensor) -> None:
        """Begin training with the mean scores of each kind, (kinds, pairs)."""
        self.kind_level.copy_(mean_scores)

    def forward(self, kinds: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return scores (batch, WINDOW, pairs) and floods (batch, WINDOW, MAX_SOURCES)."""
        condition = one_hot(kinds, len(KINDS)).float()
        return self._scores(condition, random), self._floods(condition, random)

    def _scores(self, condition: Tensor, random: torch.Generator) -> Tensor:
        batch = len(condition)
        noise = torch.randn(batch, _NOISE, generator=random)
        hidden = leaky_relu(self.enter(torch.cat([noise, condition], 1)), 0.2)
        hidden = leaky_relu(self.deepen(hidden), 0.2) + hidden
        steps = leaky_relu(self.unroll(hidden), 0.2).view(batch, WINDOW, _STEP_FEATURES)
        constant, white, walk = softplus(self.strengths)
        own = constant * torch.randn(batch, 1, self.pairs, generator=random)
        own = own + white * torch.randn(batch, WINDOW, self.pairs, generator=random)
        steps_walked = torch.randn(batch, WINDOW, self.pairs, generator=random).cumsum(1)
        own = own + walk * (steps_walked - steps_walked.mean(1, keepdim=True))
        level = (condition @ self.kind_level).unsqueeze(1)
        scores: Tensor = level + self.leave(steps) + own
        return scores

    def _floods(self, condition: Tensor, random: torch.Generator) -> Tensor:
        """Rates of the sources times a gate over time; exactly zero for the benign kinds."""
        batch = len(condition)
        noise = torch.randn(batch, _FLOOD_NOISE, generator=random)
        hidden = leaky_relu(self.flood_enter(torch.cat([noise, condition], 1)), 0.2)
        hidden = leaky_relu(self.flood_deepen(hidden), 0.2) + hidden
        rates, gate = self.flood_leave(hidden).split([WINDOW * MAX_SOURCES, WINDOW], 1)
        rates = relu(rates.view(batch, WINDOW, MAX_SOURCES) + 0.3)
        return rates * torch.sigmoid(4 * gate).unsqueeze(2) * condition[:, ATTACK, None, None]


class Critic(nn.Module):
    """Tells real windows from made ones: spectrally normalised (Miyato et al., ICLR 2018).

    It sees, per step, the scores, the total of the largest pairs in bit/s (they carry most of the
    traffic, and the scores alone do not say so), and how both change from step to step. The kind
    enters by projection (Miyato and Koyama, ICLR 2018).
    """

    def __init__(self, scores: NormalScores, mean_bps: Tensor) -> None:
        super().__init__()
        pairs = len(mean_bps)
        self._largest = mean_bps.argsort(descending=True)[:_LARGEST_PAIRS]
        self._to_rates = scores.select(self._largest)
        self._mean_total_bps = mean_bps[self._largest].sum()
        self.levels = spectral_norm(nn.Linear(pairs + 1, _STEP_FEATURES))
        self.changes = spectral_norm(nn.Linear(pairs + 1, _STEP_FEATURES))
        self.enter = spectral_norm(nn.Linear((2 * WINDOW - 1) * _STEP_FEATURES, _HIDDEN))
        self.deepen = spectral_norm(nn.Linear(_HIDDEN, _HIDDEN))
        self.leave = spectral_norm(nn.Linear(_HIDDEN, 1))
        self.kind = spectral_norm(nn.Embedding(len(KINDS), _HIDDEN))
        flood_inputs = (WINDOW + 1) * MAX_SOURCES
        self.flood_enter = spectral_norm(nn.Linear(flood_inputs, _FLOOD_HIDDEN))
        self.flood_deepen = spectral_norm(nn.Linear(_FLOOD_HIDDEN, _FLOOD_HIDDEN))
        self.flood_leave = spectral_norm(nn.Linear(_FLOOD_HIDDEN, 1))

    def forward(self, scores: Tensor, floods: Tensor, kinds: Tensor) -> Tensor:
        """Return (batch,): positive for what looks real."""
        window = self._window_features(scores)
        verdict: Tensor = self.leave(window).squeeze(1) + (self.kind(kinds) * window).sum(1)
        flood_verdict: Tensor = self._flood_verdict(floods)
        return verdict + flood_verdict * (kinds == ATTACK)

    def _window_features(self, scores: Tensor) -> Tensor:
        levels = torch.cat([scores, self._log_total(scores).unsqueeze(2)], 2)
        changes = (levels[:, 1:] - levels[:, :-1]) * _CHANGE_GAIN
        seen = [
            leaky_relu(self.levels(levels), 0.2).flatten(1),
            leaky_relu(self.changes(changes), 0.2).flatten(1),
        ]
        hidden = leaky_relu(self.enter(torch.cat(seen, 1)), 0.2)
        return leaky_relu(self.deepen(hidden), 0.2)

    def _log_total(self, scores: Tensor) -> Tensor:
        total_bps = self._to_rates.rates_bps(scores[..., self._largest]).sum(-1)
        return _TOTAL_GAIN * (total_bps / self._mean_total_bps + 1e-3).log()

    def _flood_verdict(self, floods: Tensor) -> Tensor:
        seen = torch.cat([floods.flatten(1), floods.amax(1)], 1) * _FLOOD_GAIN
        hidden = leaky_relu(self.flood_enter(seen), 0.2)
        hidden = leaky_relu(self.flood_deepen(hidden), 0.2)
        verdict: Tensor = self.flood_leave(hidden).squeeze(1)
        return verdict
