"""How well the VAE fills gaps in telemetry, beside plain means, on held-out history.

Trains on the first three quarters, measures on the last: NMAE, the sum of absolute errors over the
sum of the true rates, in percent, over the hidden cells. Random gaps hide single cells; block gaps
hide every pair that enters at one host for some steps on end. The VAE, exponential smoothing and
persistence know only what came before (the VAE also the rest of the same vector); linear
interpolation knows the first rate after the gap, which no twin that has to act now can know. The
VAE must be no worse than the best of the others that do not know the future.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks import traffic_history
from benchmarks.report import Report, Step, this_machine
from generators.gaps import RECENT, last_known
from generators.schedule import FloatArray
from generators.vae import TelemetryVae, train_vae
from testbed.reference.targets import Target, at_most

_TRIALS = 150
_SPAN = 36
"""Steps of history looked at in one trial."""
_FIRST = RECENT + 1
"""No gap before this step of the span."""
_BUDGET_S = 600

Hide = Callable[[np.random.Generator, FloatArray], FloatArray]
"""Puts NaN in the place of some of (steps, pairs)."""
Fill = Callable[[FloatArray], FloatArray]
"""Fills the NaN of (steps, pairs)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmark's arguments."""
    traffic_history.add_arguments(parser)


def run(arguments: argparse.Namespace, step: Step) -> Report:
    """Train, hide rates, fill them in, and compare.

    Raises:
        DocumentError, HistoryError: there is no such network, or no such history.
    """
    training, held_out = traffic_history.chosen(arguments)
    machine = this_machine()
    start_s = time.monotonic()
    vae = train_vae(training, arguments.seed, _BUDGET_S, lambda done, what: step(what, done))
    trained_s = time.monotonic() - start_s
    fills: dict[str, Fill] = {"VAE": lambda seen: imputed(vae, seen), **OTHERS}
    rows: list[dict[str, Any]] = [
        {"what": "training", "figures": {"steps": training.steps, "seconds": trained_s}}
    ]
    targets: list[Target] = []
    beside: dict[str, dict[str, float | None]] = {name: {} for name in OTHERS}
    cases = gaps(len(held_out.hosts))
    for number, (case, hide) in enumerate(cases.items()):
        step(case, number / len(cases))
        random = np.random.default_rng(arguments.seed)
        errors = nmae_percent(held_out.rates_bps, hide, fills, random)
        rows.append({"what": case, "figures": errors})
        name = f"NMAE, {case}"
        best = min(errors[other] for other in _CAUSAL)
        targets.append(at_most(name, round(best, 2), errors["VAE"], "%"))
        for other in OTHERS:
            beside[other][name] = errors[other]
    return Report("vae-imputation", machine, rows, targets, beside)


def gaps(hosts: int) -> dict[str, Hide]:
    """The kinds of gaps, by name, in a network of so many hosts."""
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


def nmae_percent(
    rates_bps: FloatArray, hide: Hide, fills: Mapping[str, Fill], random: np.random.Generator
) -> dict[str, float]:
    """The error of every way to fill, over the hidden cells of some spans of held-out history."""
    errors = np.zeros(len(fills))
    actual = 0.0
    for start in random.integers(0, len(rates_bps) - _SPAN, _TRIALS):
        truth = rates_bps[start : start + _SPAN]
        seen = hide(random, truth)
        scored = np.isnan(seen)
        scored[:_FIRST] = False
        actual += truth[scored].sum()
        errors += [np.abs(fill(seen) - truth)[scored].sum() for fill in fills.values()]
    percent = 100 * errors / actual
    return {name: float(error) for name, error in zip(fills, percent, strict=True)}


def imputed(vae: TelemetryVae, seen: FloatArray) -> FloatArray:
    """By the VAE, from what came before and the rest of the step."""
    filled = seen.copy()
    for step in range(_FIRST, len(seen)):
        if np.isnan(seen[step]).any():
            filled[step] = vae.impute(seen[step], seen[:step])
    return filled


def persistence(seen: FloatArray) -> FloatArray:
    """The last known rate."""
    filled = seen.copy()
    for step in range(1, len(seen)):
        filled[step] = np.where(np.isnan(seen[step]), filled[step - 1], seen[step])
    return filled


def smoothed(seen: FloatArray) -> FloatArray:
    """The exponentially weighted mean that the VAE is given as an input."""
    filled = seen.copy()
    for step in range(_FIRST, len(seen)):
        filled[step] = np.where(np.isnan(seen[step]), last_known(seen[:step]).mean_bps, seen[step])
    return filled


def linear(seen: FloatArray) -> FloatArray:
    """A straight line from the last known rate to the next."""
    filled = seen.copy()
    steps = np.arange(len(seen))
    for rates in filled.T:
        known = ~np.isnan(rates)
        rates[~known] = np.interp(steps[~known], steps[known], rates[known])
    return filled


_CAUSAL: Mapping[str, Fill] = {"smoothing": smoothed, "persistence": persistence}
OTHERS: Mapping[str, Fill] = {**_CAUSAL, "linear (knows future)": linear}
