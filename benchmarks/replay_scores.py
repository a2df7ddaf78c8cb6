"""Made traffic before and after the wire, by the generator's scores against unseen real traffic.

A GAN learns from the earlier part of a history and makes the traffic of a stretch of the later one.
Judged are what it made, what arrived packet by packet, and what the hosts' ports counted, each
against the real matrices of that stretch; "another real" are those of the earlier part at the same
time of the week (or day), for how far apart real ones are at that length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from generators.fidelity import fidelity
from generators.gan_training import train_gan
from generators.history import History, pair_mask
from generators.history.structure import WEEK_S
from generators.schedule import FloatArray
from generators.training_loop import Progress
from testbed.reference.errors import MeasurementError

STEPS = 60
"""Made by default: the lab is to stay within minutes."""
_FEWEST: Mapping[str, int] = {
    "jsd": 48,
    "emd": 48,
    "total_emd": 48,
    "correlation_error": 48,
    "spectrum_error": 200,
    "acf_error": 289,
    "hurst_error": 2016,
}
"""Steps from which on a score says something: ten for a component, two for a lag, a week for
Hurst's parameter."""
_BUDGET_S = 600.0
_DAY_S = 86_400.0


@dataclass(frozen=True)
class MadeTraffic:
    """A made stretch, and real ones of the same time and length, all (steps, hosts, hosts)."""

    made_bps: FloatArray
    unseen_bps: FloatArray
    known_bps: FloatArray
    step_s: float


def made_traffic(
    training: History, unseen: History, first: int, steps: int, seed: int, progress: Progress
) -> MadeTraffic:
    """Train a GAN, and make the traffic of `steps` steps of what it has not seen, from `first` on.

    Raises:
        MeasurementError: the training history is shorter than that.
    """
    stretch = unseen.part(first, first + steps)
    known = same_time(training, stretch)
    made = train_gan(training, seed, _BUDGET_S, progress).series(stretch, seed)
    return MadeTraffic(made.matrices_bps, stretch.matrices_bps, known, training.step_s)


def scored(
    traffic: MadeTraffic, scale: float, arrived_bps: FloatArray, ports_bps: FloatArray
) -> Iterator[dict[str, Any]]:
    """The rows of the report: pairs by packets, and hosts by the counters of their ports."""
    unseen_bps, known_bps, made_bps = (
        scale * one for one in (traffic.unseen_bps, traffic.known_bps, traffic.made_bps)
    )
    pairs = {"another real": known_bps, "made": made_bps, "on the wire": arrived_bps}
    for what, matrices_bps in pairs.items():
        figures = scores(_of_pairs(matrices_bps), _of_pairs(unseen_bps), traffic.step_s)
        yield {"what": f"scores of pairs, {what}", "figures": figures}
    hosts = {
        "another real": known_bps.sum(axis=1),
        "made": made_bps.sum(axis=1),
        "by port counters": ports_bps,
    }
    for what, received_bps in hosts.items():
        figures = scores(received_bps, unseen_bps.sum(axis=1), traffic.step_s)
        yield {"what": f"scores of hosts, {what}", "figures": figures}


def scores(made_bps: FloatArray, real_bps: FloatArray, step_s: float) -> dict[str, float]:
    """Return those of the generator's scores that say something at that length."""
    found = vars(fidelity(made_bps, real_bps, step_s))
    return {name: found[name] for name, least in _FEWEST.items() if len(made_bps) >= least}


def _of_pairs(matrices_bps: FloatArray) -> FloatArray:
    return np.asarray(matrices_bps[:, pair_mask(matrices_bps.shape[1])])


def same_time(training: History, stretch: History) -> FloatArray:
    """Return the last matrices of the training at the same time of the week, or else of the day.

    Raises:
        MeasurementError: the training history is too short.
    """
    spare = training.steps - stretch.steps
    for period_s in (WEEK_S, _DAY_S):
        period = max(1, round(period_s / training.step_s))
        begin = round((stretch.start_s - training.start_s) % period_s / training.step_s) % period
        if begin <= spare:
            first = begin + (spare - begin) // period * period
            return training.matrices_bps[first : first + stretch.steps]
    raise MeasurementError(f"--steps: give {training.steps} at most, of this history")
