"""Rates as the VAE's network reads them: logs, relative to the means and to the scale of now."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from generators.gaps import Around, BoolArray
from generators.schedule import FloatArray
from generators.vae_network import Seen

_FLOOR = 0.02
"""Of the pair's mean: rates below count as alike in the logarithm."""
_FLOOR_OF_NETWORK = 1e-4
_LARGEST_LOG = 8.0


def encode(rates_bps: FloatArray, nearby: Around, scale: FloatArray, mean_bps: FloatArray) -> Seen:
    """Bring (batch, pairs) rates and those around to the network's scale (batch, 1)."""

    def logs(rates: FloatArray, known: BoolArray) -> Tensor:
        relative = torch.from_numpy(np.where(known, rates, 0.0)).float()
        return to_logs(relative, mean_bps) * torch.from_numpy(known)

    observed, known = ~np.isnan(rates_bps), ~np.isnan(nearby.rates_bps)
    by_slot = np.moveaxis(nearby.rates_bps / scale[..., None], 2, 1)
    return Seen(
        now=logs(rates_bps / scale, observed),
        observed=torch.from_numpy(observed).float(),
        around=logs(by_slot, np.moveaxis(known, 2, 1)).movedim(1, 2),
        known=torch.from_numpy(known).float(),
        age=torch.from_numpy(nearby.age_steps).float(),
    )


def scale_of(rates_bps: FloatArray, nearby: Around, mean_bps: FloatArray) -> FloatArray:
    """Observed total over the mean total of the same pairs, (batch, 1); of those around if none is.

    A total of zero gives no scale: 1 is as good as any.
    """
    scale = np.ones((len(rates_bps), 1))
    around_bps = np.moveaxis(nearby.rates_bps, 2, 1).reshape(len(rates_bps), -1)
    for source_bps in (around_bps, rates_bps):
        known = ~np.isnan(source_bps)
        usual_bps = np.tile(mean_bps, source_bps.shape[1] // len(mean_bps))
        total = np.where(known, source_bps, 0.0).sum(axis=1, keepdims=True)
        usual = (known * usual_bps).sum(axis=1, keepdims=True)
        scale = np.where(total > 0, total / np.where(usual > 0, usual, 1.0), scale)
    return scale


def to_logs(rates: Tensor, mean_bps: FloatArray) -> Tensor:
    """Logs of rates over scale, (..., pairs)."""
    mean, floor = _means(mean_bps)
    return ((rates + floor) / (mean + floor)).log()


def to_rates(logs: Tensor, mean_bps: FloatArray) -> Tensor:
    """And back; never negative."""
    mean, floor = _means(mean_bps)
    return (logs.clamp(max=_LARGEST_LOG).exp() * (mean + floor) - floor).clamp(min=0.0)


def _means(mean_bps: FloatArray) -> tuple[Tensor, Tensor]:
    """The mean of each pair, and the rate below which all count as alike."""
    mean = torch.from_numpy(mean_bps).float()
    return mean, _FLOOR * mean + _FLOOR_OF_NETWORK * mean.mean()
