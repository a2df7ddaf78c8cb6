"""How like real traffic a made series is: distributions, memory, structure over pairs, novelty.

All distances are zero for a perfect maker. Two real weeks are not at zero either: their distance is
the floor that a maker is read beside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generators.schedule import FloatArray

_BINS = 50
_QUANTILES = np.linspace(0.001, 0.999, 400)
_ACF_S = 12 * 3600.0
_LARGEST_PAIRS = 60
"""Correlations are compared among the pairs that carry most of the traffic."""
_COMPONENTS = 20
_WINDOW = 12
"""Steps of a window, where windows are compared with each other."""


@dataclass(frozen=True)
class Fidelity:
    """Distances of a made series to a real one; rates as log1p of kbit/s."""

    jsd: float
    """Jensen-Shannon divergence (bits) of each pair's rates, mean over pairs."""
    emd: float
    """Earth mover's distance (Wasserstein-1) of each pair's rates, mean over pairs."""
    total_emd: float
    """The same of the network's total."""
    acf_error: float
    """Mean absolute difference of the autocorrelations up to 12 h, over pairs and lags."""
    hurst_error: float
    """Absolute difference of the Hurst parameters of the total (aggregated variance)."""
    correlation_error: float
    """Mean absolute difference of the correlations between the largest pairs."""
    spectrum_error: float
    """Mean absolute difference of the share of variance in the first 1, 2, ... 20 components."""


def fidelity(made_bps: FloatArray, real_bps: FloatArray, step_s: float) -> Fidelity:
    """Compare two series (steps, pairs)."""
    made, real = log_rates(made_bps), log_rates(real_bps)
    made_total, real_total = (log_rates(rates.sum(axis=1)) for rates in (made_bps, real_bps))
    lags = max(1, min(round(_ACF_S / step_s), len(made) - 1, len(real) - 1))
    difference = autocorrelation(made, lags) - autocorrelation(real, lags)
    largest = np.argsort(-real_bps.mean(axis=0))[:_LARGEST_PAIRS]
    return Fidelity(
        jsd=_jsd(made, real),
        emd=_emd(made, real),
        total_emd=_emd(made_total[:, None], real_total[:, None]),
        acf_error=float(np.abs(difference).mean()),
        hurst_error=abs(hurst(made_bps.sum(axis=1)) - hurst(real_bps.sum(axis=1))),
        correlation_error=_correlation_error(made[:, largest], real[:, largest]),
        spectrum_error=float(np.abs(spectrum(made) - spectrum(real)).mean()),
    )


def log_rates(rates_bps: FloatArray) -> FloatArray:
    """Return log1p of kbit/s."""
    return np.asarray(np.log1p(rates_bps / 1e3))


def autocorrelation(series: FloatArray, lags: int) -> FloatArray:
    """Return (lags, columns): lags 1, 2, ...; zero where a column never changes."""
    around = series - series.mean(axis=0)
    power = np.abs(np.fft.rfft(around, 2 * len(series), axis=0)) ** 2
    products = np.fft.irfft(power, axis=0)[: lags + 1]
    moving = products[0] > 1e-9
    return np.asarray(np.where(moving, products[1:] / np.where(moving, products[0], 1.0), 0.0))


def hurst(series: FloatArray) -> float:
    """Return the Hurst parameter by the variance of means over growing blocks.

    Taqqu, Teverovsky and Willinger, "Estimators for long-range dependence: an empirical study",
    Fractals 3(4), 1995, section 3.1.
    """
    sizes = np.unique(np.geomspace(1, max(2, len(series) // 10), 12).astype(int))
    variances = []
    for size in sizes:
        blocks = series[: len(series) // size * size].reshape(-1, size).mean(axis=1)
        variances.append(blocks.var())
    if min(variances) <= 0:
        return 0.5
    slope = np.polyfit(np.log(sizes), np.log(variances), 1)[0]
    return float(np.clip(1 + slope / 2, 0.0, 1.0))


def spectrum(series: FloatArray) -> FloatArray:
    """Return the share of variance in the first 1, 2, ... components, `_COMPONENTS` of them."""
    values = np.linalg.svd(series - series.mean(axis=0), compute_uv=False) ** 2
    shares = np.cumsum(values) / max(values.sum(), 1e-12)
    return np.asarray(np.pad(shares, (0, _COMPONENTS), constant_values=1.0)[:_COMPONENTS])


def nearest(
    windows_of: FloatArray, among: FloatArray, *, quantile: float = 0.5, itself: bool = False
) -> float:
    """Return how far windows of one series (steps, pairs) are from the nearest of another.

    Root mean square difference of the log rates; every window of 12 steps counts, and of their
    distances the quantile: a low one sees a few windows that were copied, the median does not.
    `itself`: both are the same series, and windows that overlap are no neighbours.
    """
    made, known = _windows(windows_of), _windows(among)
    squares = (made**2).sum(axis=1)[:, None] + (known**2).sum(axis=1) - 2 * made @ known.T
    if itself:
        place = np.arange(len(made))
        squares[np.abs(place[:, None] - place) < _WINDOW] = np.inf
    closest = np.sqrt(squares.min(axis=1).clip(min=0.0) / made.shape[1])
    return float(np.quantile(closest, quantile))


def _windows(rates_bps: FloatArray) -> FloatArray:
    """(windows, values): one from each step on."""
    views = np.lib.stride_tricks.sliding_window_view(log_rates(rates_bps), _WINDOW, axis=0)
    return np.asarray(views.reshape(len(views), -1))


def _jsd(made: FloatArray, real: FloatArray) -> float:
    edges = np.linspace(0, max(made.max(), real.max(), 1e-9), _BINS + 1)
    total = 0.0
    for a, b in zip(made.T, real.T, strict=True):
        p, q = (np.histogram(column, edges)[0] / len(column) for column in (a, b))
        total += _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2
    return float(total / made.shape[1])


def _entropy(shares: FloatArray) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log2(positive)).sum())


def _emd(made: FloatArray, real: FloatArray) -> float:
    difference = np.quantile(made, _QUANTILES, axis=0) - np.quantile(real, _QUANTILES, axis=0)
    return float(np.abs(difference).mean())


def _correlation_error(made: FloatArray, real: FloatArray) -> float:
    moving = (made.std(axis=0) > 0) & (real.std(axis=0) > 0)
    if moving.sum() < 2:
        return 0.0
    a, b = (np.corrcoef(series[:, moving], rowvar=False) for series in (made, real))
    return float(np.abs(a - b)[np.triu_indices(int(moving.sum()), 1)].mean())
