"""From a trained GAN to a schedule at the scale and the step of its history."""

from __future__ import annotations

import numpy as np

from generators.gan import TrafficGan
from generators.kinds import Kind
from generators.schedule import FloatArray, Flood, Schedule


def made_schedule(
    gan: TrafficGan,
    kind: Kind,
    steps: int,
    seed: int,
    start_s: float | None = None,
    load: float | None = None,
) -> tuple[Schedule, float]:
    """Return a schedule, and when it begins, in seconds after Monday 00:00.

    The same arguments give the same one, bit for bit; `TrafficGan.sample` says what they mean.
    """
    made = gan.sample(kind, 1, seed, steps, start_s, load)
    floods: tuple[Flood, ...] = ()
    notes: tuple[str, ...] = (f"class {kind}, seed {seed}",)
    if kind.startswith("attack"):
        floods, note = _floods(gan, made.floods[0], steps, np.random.default_rng([seed, 0xF1]))
        notes += (note,)
    schedule = Schedule(gan.hosts, gan.step_s, made.matrices_bps[0], floods, notes)
    return schedule, float(made.start_s[0])


def _floods(
    gan: TrafficGan, shares: FloatArray, steps: int, numbers: np.random.Generator
) -> tuple[tuple[Flood, ...], str]:
    """The flood on a random host from random others, somewhere in the schedule."""
    active = shares[:, shares.any(axis=0)]
    sources = min(active.shape[1], len(gan.hosts) - 1)
    victim, *others = numbers.permutation(len(gan.hosts)).tolist()
    length = min(len(active), steps)
    first = int(numbers.integers(0, steps - length + 1))
    rows = np.arange(length) * len(active) // length
    floods = []
    for column, source in zip(range(sources), others, strict=False):
        rates_bps = np.zeros(steps)
        rates_bps[first : first + length] = gan.mean_total_bps * active[rows, column]
        floods.append(Flood(gan.hosts[source], gan.hosts[victim], rates_bps))
    note = f"a flood of {gan.hosts[victim]} by {sources} hosts from step {first} on"
    return tuple(floods), note
