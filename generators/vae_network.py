"""The network of the telemetry VAE: log rates relative to mean and scale, in and out.

Two parts. One weighs, for each pair, the known rates around the instant (attention with a prior
that falls with the distance in time; the same weights for all pairs but for an embedding), in logs
and in rates, and interpolates; a gate chooses among the three. The other is the variational
auto-encoder: it reads how the observed pairs deviate from that, and how all have changed since each
was last known, and decodes what this says of those that are missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, softplus

from generators.gaps import NEIGHBOURS, SPAN

LATENT = 24
_HIDDEN, _EMBEDDING, _TEMPORAL = 192, 8, 48
_LEAST_SPREAD = 0.02
_EXPERTS = 3
_LEAST_RATE = 1e-6


@dataclass(frozen=True)
class Seen:
    """What the network reads: logs (see `vae.py`), zero where nothing is known."""

    now: Tensor
    """(batch, pairs)"""
    observed: Tensor
    """(batch, pairs), 0 or 1"""
    around: Tensor
    """(batch, pairs, 2 NEIGHBOURS)"""
    known: Tensor
    """as `around`, 0 or 1"""
    age: Tensor
    """as `around`, steps"""


@dataclass(frozen=True)
class Answer:
    """A Laplace distribution of each log rate, (batch, pairs) each, and the divergence (batch,)."""

    centre: Tensor
    spread: Tensor
    divergence: Tensor


class VaeNetwork(nn.Module):
    """See the module."""

    def __init__(self, pairs: int) -> None:
        super().__init__()
        slots = 2 * NEIGHBOURS
        self.embedding = nn.Parameter(0.1 * torch.randn(pairs, _EMBEDDING))
        self.read = nn.Linear(3 * slots + _EMBEDDING, _TEMPORAL)
        self.weigh = nn.Linear(_TEMPORAL, slots + _EXPERTS + 2)
        self.enter = nn.Linear(6 * pairs, _HIDDEN)
        self.encode = nn.Linear(_HIDDEN, 2 * LATENT)
        self.decode = nn.Linear(LATENT, _HIDDEN)
        self.level = nn.Linear(_HIDDEN, pairs)
        self.change = nn.Linear(_HIDDEN, pairs)
        self.spread = nn.Linear(_HIDDEN, pairs)
        for layer in (self.weigh, self.level, self.change, self.spread):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, seen: Seen, noise: Tensor) -> Answer:
        """`noise` (batch, LATENT) is standard normal in training, zero for the likeliest answer."""
        usual, loose = self._from_around(seen)
        any_known = seen.known.amax(2)
        deviation = (seen.now - usual) * seen.observed * any_known
        nearest = seen.age.amin(2) / SPAN
        inputs = [seen.now, seen.observed, usual, any_known, nearest, deviation]
        hidden = leaky_relu(self.enter(torch.cat(inputs, 1)), 0.2)
        mean, log_variance = self.encode(hidden).chunk(2, 1)
        log_variance = log_variance.clamp(-8, 4)
        latent = mean + noise * (log_variance / 2).exp()
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1)
        decoded = leaky_relu(self.decode(latent), 0.2)
        if_known = usual + self.change(decoded)
        centre = torch.where(any_known > 0, if_known, self.level(decoded))
        spread = softplus(loose + self.spread(decoded) - 1.0) + _LEAST_SPREAD
        return Answer(centre, spread, divergence)

    def _from_around(self, seen: Seen) -> tuple[Tensor, Tensor]:
        """The weighted mean of what is known around, and how loose it is, (batch, pairs) each."""
        level = (seen.around * seen.known).sum(2, keepdim=True) / seen.known.sum(
            2, keepdim=True
        ).clamp(min=1)
        closeness = seen.known / seen.age
        embedding = self.embedding.expand(len(seen.now), -1, -1)
        inputs = [(seen.around - level) * seen.known, closeness, seen.age.log() / 4, embedding]
        out = self.weigh(leaky_relu(self.read(torch.cat(inputs, 2)), 0.2))
        slots = 2 * NEIGHBOURS
        logits = out[..., :slots] - seen.age.log()
        weights = torch.softmax(logits.masked_fill(seen.known == 0, -1e4), 2) * seen.known
        in_logs = (weights * seen.around).sum(2)
        in_rates = (weights * seen.around.exp()).sum(2).clamp(min=_LEAST_RATE).log()
        gate = torch.softmax(out[..., slots : slots + _EXPERTS], 2)
        usual = (gate * torch.stack([in_logs, in_rates, _interpolated(seen)], 2)).sum(2)
        return (usual + out[..., -2]) * seen.known.amax(2), out[..., -1]


def _interpolated(seen: Seen) -> Tensor:
    """Log of the rate on the straight line between the last and the next that are known."""
    ends = [0, NEIGHBOURS]
    closeness = seen.known[..., ends] / seen.age[..., ends]
    weights = closeness / closeness.sum(2, keepdim=True).clamp(min=_LEAST_RATE)
    return (weights * seen.around[..., ends].exp()).sum(2).clamp(min=_LEAST_RATE).log()
