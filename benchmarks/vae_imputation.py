"""How well the VAE fills gaps in telemetry, beside plain means, on held-out history.

    python -m benchmarks.vae_imputation [TOPOLOGY] [--history FILE.npz] [--seed N]

Trains on the first three quarters, measures on the last: NMAE, the sum of absolute errors over the
sum of the true rates, in percent, over the hidden cells. Random gaps hide single cells; block gaps
hide every pair that enters at one host for some steps on end. The VAE, exponential smoothing and
persistence know only what came before (the VAE also the rest of the same vector); linear
interpolation knows the first rate after the gap, which no twin that has to act now can know.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from generators.builtin_history import builtin_history
from generators.gaps import RECENT, last_known
from generators.history import load_history
from generators.schedule import FloatArray
from generators.vae import TelemetryVae, train_vae
from topologies.catalogue import load_topology

_TRIALS = 150
_SPAN = 36
"""Steps of history looked at in one trial."""
_FIRST = RECENT + 1
"""No gap before this step of the span."""

Fill = Callable[[FloatArray], FloatArray]
"""Fills the NaN of (steps, pairs)."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("topology", nargs="?", default="topohub:sndlib/abilene")
    parser.add_argument("--history", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    topology = load_topology(options.topology)
    history = (
        load_history(options.history, topology)
        if options.history
        else builtin_history(topology, options.seed)
    )
    training, held_out = history.split(0.75)
    start = time.monotonic()
    vae = train_vae(training, options.seed, budget_s=600)
    print(f"{topology.name}: {history.steps} steps, trained in {time.monotonic() - start:.1f} s")
    fills: dict[str, Fill] = {
        "VAE": lambda seen: _causal(vae, seen),
        "smoothing": _smoothed,
        "persistence": _persistence,
        "linear (knows future)": _linear,
    }
    print(f"{'NMAE %':28}" + "".join(f"{name:>23}" for name in fills))
    hosts = len(history.hosts)
    for case, hide in _cases(hosts).items():
        random = np.random.default_rng(options.seed)
        errors = _nmae_percent(held_out.rates_bps, hide, fills, random)
        print(f"{case:28}" + "".join(f"{error:23.1f}" for error in errors))


Hide = Callable[[np.random.Generator, FloatArray], FloatArray]


def _cases(hosts: int) -> dict[str, Hide]:
    cases: dict[str, Hide] = {}
    for share in (0.1, 0.3, 0.5):
        cases[f"random, {share:.0%} of cells"] = _hide_cells(share)
    for steps in (1, 3, 6, 12):
        cases[f"one host silent, {steps} steps"] = _hide_block(hosts, steps)
    return cases


def _hide_cells(share: float) -> Hide:
    def hide(random: np.random.Generator, rates: FloatArray) -> FloatArray:
        hidden = random.random(rates.shape) < share
        hidden[0] = hidden[-1] = False  # the linear interpolation needs both ends
        return np.where(hidden, np.nan, rates)

    return hide


def _hide_block(hosts: int, steps: int) -> Hide:
    def hide(random: np.random.Generator, rates: FloatArray) -> FloatArray:
        seen = rates.copy()
        host = random.integers(hosts)
        first = random.integers(_FIRST, len(rates) - steps)
        seen[first : first + steps, host * (hosts - 1) : (host + 1) * (hosts - 1)] = np.nan
        return seen

    return hide


def _nmae_percent(
    rates_bps: FloatArray, hide: Hide, fills: dict[str, Fill], random: np.random.Generator
) -> list[float]:
    errors = np.zeros(len(fills))
    actual = 0.0
    for start in random.integers(0, len(rates_bps) - _SPAN, _TRIALS):
        truth = rates_bps[start : start + _SPAN]
        seen = hide(random, truth)
        scored = np.isnan(seen)
        scored[:_FIRST] = False
        actual += truth[scored].sum()
        errors += [np.abs(fill(seen) - truth)[scored].sum() for fill in fills.values()]
    return [float(error) for error in 100 * errors / actual]


def _causal(vae: TelemetryVae, seen: FloatArray) -> FloatArray:
    filled = seen.copy()
    for step in range(_FIRST, len(seen)):
        if np.isnan(seen[step]).any():
            filled[step] = vae.impute(seen[step], seen[:step])
    return filled


def _persistence(seen: FloatArray) -> FloatArray:
    filled = seen.copy()
    for step in range(1, len(seen)):
        filled[step] = np.where(np.isnan(seen[step]), filled[step - 1], seen[step])
    return filled


def _smoothed(seen: FloatArray) -> FloatArray:
    """The exponentially weighted mean that the VAE is given as an input."""
    filled = seen.copy()
    for step in range(_FIRST, len(seen)):
        filled[step] = np.where(np.isnan(seen[step]), last_known(seen[:step]).mean_bps, seen[step])
    return filled


def _linear(seen: FloatArray) -> FloatArray:
    filled = seen.copy()
    steps = np.arange(len(seen))
    for rates in filled.T:
        known = ~np.isnan(rates)
        rates[~known] = np.interp(steps[~known], steps[known], rates[known])
    return filled


if __name__ == "__main__":
    main()
