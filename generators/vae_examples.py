"""What the telemetry VAE learns from: incomplete records of the history, and what was missing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from generators.gaps import SPAN, around, random_cells, silent_sources
from generators.history import History
from generators.schedule import FloatArray
from generators.vae_encoding import encode, scale_of, to_logs, to_rates
from generators.vae_network import Answer, Seen


class Examples:
    """Random batches of incomplete records, and how far an answer is from the truth."""

    def __init__(self, history: History, mean_bps: FloatArray, random: np.random.Generator) -> None:
        margin = np.full((SPAN, len(mean_bps)), np.nan)
        self._rates_bps = np.vstack([margin, history.rates_bps, margin])
        self._steps = history.steps
        self._mean_bps = mean_bps
        self._random = random
        hosts = len(history.hosts)
        self._source = np.repeat(np.arange(hosts, dtype=np.float64), hosts - 1)

    def draw(self, batch: int) -> tuple[Seen, Tensor]:
        """Return what is seen, and all true rates over scale, (batch, pairs).

        Half of the batch may see the future. Some see nothing else than the instant itself.
        """
        now = self._random.integers(0, self._steps, batch)
        rates_bps = self._rates_bps[now[:, None] + np.arange(2 * SPAN + 1)]
        truth_bps = rates_bps[:, SPAN].copy()
        missing = random_cells(self._random, batch, rates_bps.shape[2])
        silent = silent_sources(self._random, batch, self._source)
        block = self._random.random(batch) < 0.5
        missing[block] = silent[block]
        missing[self._random.random(batch) < 0.5, SPAN + 1 :] = True
        alone = self._random.random(batch) < 0.03
        missing[alone, :SPAN] = missing[alone, SPAN + 1 :] = True
        rates_bps[missing] = np.nan
        nearby = around(rates_bps[:, :SPAN], rates_bps[:, SPAN + 1 :])
        scale = scale_of(rates_bps[:, SPAN], nearby, self._mean_bps)
        seen = encode(rates_bps[:, SPAN], nearby, scale, self._mean_bps)
        return seen, torch.from_numpy(truth_bps / scale).float()

    def error(
        self, seen: Seen, answer: Answer, truth: Tensor, weights: Mapping[str, float]
    ) -> Tensor:
        """Mean absolute error in rates, as NMAE counts, and the surprise at the log rates.

        The negative log-likelihoods of Laplace noise of one size in rates, and of the answer's
        spread in logarithms; where a rate is likely to be is learned from the former and, with one
        spread for all, from the latter.
        """
        weight = 1 - (1 - weights["observed_weight"]) * seen.observed
        mean = torch.from_numpy(self._mean_bps).float()
        linear = (to_rates(answer.centre, self._mean_bps) - truth).abs() / mean.mean()
        off = (answer.centre - to_logs(truth, self._mean_bps)).abs()
        surprise = off.detach() / answer.spread + answer.spread.log()
        error = linear + weights["log_weight"] * (off + surprise)
        return (error * weight).sum() / weight.sum()
