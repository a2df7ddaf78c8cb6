"""How good the GAN is: made windows against held-out history, beside a simple baseline.

    python -m benchmarks.gan_quality [TOPOLOGY] [--history FILE.npz] [--seed N]

Trains on the first three quarters of the history and measures against the last. "held-out" is the
last quarter measured against itself; the baseline draws training windows and adds 10 % noise. All
kinds are made in the shares in which they occur.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import astuple, fields
from pathlib import Path

import numpy as np

from generators.builtin_history import builtin_history
from generators.gan import TrafficGan, train_gan
from generators.gan_networks import WINDOW
from generators.history import History, load_history, pair_mask
from generators.quality import Quality, bootstrap_windows, measure_quality, split_windows
from generators.schedule import FloatArray
from topologies.catalogue import load_topology

_NORMAL = 540
_PEAK = 60


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
    gan = train_gan(training, options.seed, budget_s=600)
    print(f"{topology.name}: {history.steps} steps, trained in {time.monotonic() - start:.1f} s")
    _print_table(_qualities(gan, training, held_out, options.seed))


def _qualities(gan: TrafficGan, training: History, held_out: History, seed: int) -> list[Quality]:
    random = np.random.default_rng(seed)
    candidates: list[FloatArray] = [
        _benign(gan, seed),
        bootstrap_windows(training.rates_bps, WINDOW, _NORMAL + _PEAK, random),
        split_windows(held_out.rates_bps, WINDOW)[::3],
    ]
    return [measure_quality(c, held_out.rates_bps, training.rates_bps) for c in candidates]


def _benign(gan: TrafficGan, seed: int) -> FloatArray:
    normal = gan.sample("normal", _NORMAL, seed).matrices_bps
    peak = gan.sample("peak", _PEAK, seed).matrices_bps
    return np.concatenate([normal, peak])[..., pair_mask(len(gan.hosts))]


def _print_table(qualities: list[Quality]) -> None:
    print(f"{'':24}{'GAN':>10}{'bootstrap':>11}{'held-out':>10}")
    columns = zip(*(astuple(quality) for quality in qualities), strict=True)
    for field, (gan, bootstrap, held_out) in zip(fields(Quality), columns, strict=True):
        print(f"{field.name:24}{gan:10.3f}{bootstrap:11.3f}{held_out:10.3f}")


if __name__ == "__main__":
    main()
