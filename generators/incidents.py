"""The model of incidents that the GAN's incident classes are trained on, beside labelled history.

- Floods: `attacks.py`.
- A flash crowd: what one host receives grows within minutes to a multiple and decays within the
  hour (Ari et al., "Managing flash crowds on the Internet", MASCOTS 2003: rise, peak, decay).
- The aftermath of a failure: what one host exchanges breaks down, and when it is back, senders
  catch up: more than usual for a while (deferred demand, as in retransmission after outages).

All of them are windows (steps, MAX_SOURCES): floods give the rate of each source, the others the
factor of the host's traffic in the first column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from generators.attacks import MAX_SOURCES, SHAPES, random_floods
from generators.history.structure import History
from generators.schedule import FloatArray

Maker = Callable[[np.random.Generator, int, int], FloatArray]
"""From a generator, a count and steps to (count, steps, MAX_SOURCES)."""


def flash_crowds(random: np.random.Generator, count: int, steps: int) -> FloatArray:
    """Return (count, steps, MAX_SOURCES): the factor of what one host receives."""
    step = np.arange(steps)
    windows = np.zeros((count, steps, MAX_SOURCES))
    for window in windows:
        since = step - random.integers(0, steps // 2)
        rise = np.clip((since + 1) / random.integers(1, 4), 0, 1)
        decay = np.exp(-np.maximum(since, 0) / random.uniform(3, 10))
        window[:, 0] = 1 + random.uniform(0.5, 3.0) * rise * decay
    return windows


def aftermaths(random: np.random.Generator, count: int, steps: int) -> FloatArray:
    """Return (count, steps, MAX_SOURCES): the factor of what one host sends and receives."""
    step = np.arange(steps)
    windows = np.zeros((count, steps, MAX_SOURCES))
    for window in windows:
        first = random.integers(0, steps // 3)
        back = first + random.integers(1, steps // 2)
        rebound = random.uniform(0.1, 0.8) * np.exp(-(step - back) / random.uniform(1.5, 5))
        left = random.uniform(0.0, 0.4)
        window[:, 0] = np.where(step < first, 1.0, np.where(step < back, left, 1 + rebound))
    return windows


def _floods(shape: str) -> Maker:
    return lambda random, count, steps: random_floods(random, count, steps, shape)


MAKERS: Mapping[str, Maker] = {
    "flash-crowd": flash_crowds,
    "failure-aftermath": aftermaths,
    **{f"attack-{shape}": _floods(shape) for shape in SHAPES},
}
"""By class; `attack` alone is any of the floods."""
INCIDENTS = tuple(MAKERS)
ATTACKS = tuple(name for name in INCIDENTS if name.startswith("attack"))


def labelled_incidents(history: History, length: int) -> dict[str, FloatArray]:
    """Return what the history's labels show of flash crowds and failures, as windows.

    Each labelled stretch gives one: the factor of the host whose traffic changed most, against its
    median over what is not labelled, stretched to `length` steps.
    """
    labels = np.array(history.labels or [""] * history.steps)
    calm_bps = history.matrices_bps[labels == ""]
    found: dict[str, FloatArray] = {}
    if not len(calm_bps):
        return found
    for name in ("flash-crowd", "failure-aftermath"):
        windows = []
        for first, end in _stretches(labels == name):
            part_bps = history.matrices_bps[first:end]
            factors = _host_factors(part_bps, calm_bps, both=name == "failure-aftermath")
            host = np.abs(np.log(factors + 0.05)).max(axis=0).argmax()
            at = np.linspace(0, len(factors) - 1, length)
            window = np.zeros((length, MAX_SOURCES))
            window[:, 0] = np.interp(at, np.arange(len(factors)), factors[:, host])
            windows.append(window)
        if windows:
            found[name] = np.stack(windows)
    return found


def _host_factors(part_bps: FloatArray, calm_bps: FloatArray, *, both: bool) -> FloatArray:
    """(steps, hosts): what each host receives (or exchanges) over what it usually does."""

    def exchanged(matrices_bps: FloatArray) -> FloatArray:
        received = matrices_bps.sum(axis=1)
        return np.asarray(received + matrices_bps.sum(axis=2) if both else received)

    usual_bps = np.median(exchanged(calm_bps), axis=0)
    return np.asarray(exchanged(part_bps) / np.maximum(usual_bps, 1e-3 * usual_bps.mean() + 1.0))


def _stretches(marked: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and end of every run of True."""
    edges = np.diff(np.concatenate([[False], marked, [False]]).astype(int))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [(int(first), int(end)) for first, end in zip(starts, ends, strict=True)]
