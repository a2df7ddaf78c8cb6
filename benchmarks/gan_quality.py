"""How good the GAN is: made windows against held-out history, beside a simple baseline.

Trains on the first three quarters of the history and measures against the last. "held-out" is the
last quarter measured against itself; the bootstrap draws training windows and adds 10 % noise. All
kinds are made in the shares in which they occur. By every measure the GAN must be no farther from
held-out history than the bootstrap is.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks import traffic_history
from benchmarks.report import Report, Step, this_machine
from generators.gan import TrafficGan, train_gan
from generators.gan_networks import WINDOW
from generators.history import pair_mask
from generators.quality import bootstrap_windows, measure_quality, split_windows
from generators.schedule import FloatArray
from testbed.reference.targets import Target, between

_NORMAL = 540
_PEAK = 60
_BUDGET_S = 600

Figures = Mapping[str, float]
"""Those of `generators.quality.Quality`, by name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmark's arguments."""
    traffic_history.add_arguments(parser)


def run(arguments: argparse.Namespace, step: Step) -> Report:
    """Train, make windows, and measure them.

    Raises:
        DocumentError, HistoryError: there is no such network, or no such history.
    """
    training, held_out = traffic_history.chosen(arguments)
    machine = this_machine()
    start_s = time.monotonic()
    gan = train_gan(training, arguments.seed, _BUDGET_S, lambda done, what: step(what, done))
    trained_s = time.monotonic() - start_s

    def figures(windows_bps: FloatArray) -> Figures:
        quality = measure_quality(windows_bps, held_out.rates_bps, training.rates_bps)
        return {name.replace("_", " "): figure for name, figure in asdict(quality).items()}

    step("measuring", None)
    random = np.random.default_rng(arguments.seed)
    made = figures(_benign(gan, arguments.seed))
    drawn = figures(bootstrap_windows(training.rates_bps, WINDOW, _NORMAL + _PEAK, random))
    real = figures(split_windows(held_out.rates_bps, WINDOW)[::3])
    rows: list[dict[str, Any]] = [
        {"what": "training", "figures": {"steps": training.steps, "seconds": trained_s}},
        {"what": "GAN", "figures": made},
        {"what": "bootstrap", "figures": drawn},
        {"what": "held-out", "figures": real},
    ]
    targets = list(targets_of(made, drawn, real))
    return Report("gan-quality", machine, rows, targets, {"bootstrap": drawn, "held-out": real})


def targets_of(made: Figures, bootstrap: Figures, held_out: Figures) -> Iterator[Target]:
    """An interval around every held-out figure, as wide as the bootstrap is off it."""
    for name, real in held_out.items():
        margin = abs(bootstrap[name] - real)
        yield between(name, max(0.0, real - margin), real + margin, made[name])


def _benign(gan: TrafficGan, seed: int) -> FloatArray:
    normal = gan.sample("normal", _NORMAL, seed).matrices_bps
    peak = gan.sample("peak", _PEAK, seed).matrices_bps
    return np.concatenate([normal, peak])[..., pair_mask(len(gan.hosts))]
